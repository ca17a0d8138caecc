//! Errors about input: the field, what it must be, and what it is.

use std::{borrow::Cow, fmt};

use serde::de::{Error, Expected, Unexpected};

/// Maximum number of characters of a value in an error message.
const SHOWN_MAX: usize = 32;

/// An error and the path to the field.
#[derive(Debug)]
pub(crate) struct InputError {
    /// The path, innermost segment first.
    path: Vec<PathSegment>,
    fault: Fault,
}

#[derive(Debug)]
enum PathSegment {
    Field(String),
    Item(usize),
}

#[derive(Debug)]
enum Fault {
    /// A message of a type's own parser.
    Message(String),
    /// What the value must be, and what it is.
    Expected(String, String),
    Missing,
    /// The field is repeated.
    Duplicate,
    /// There is no such field; the fields that exist.
    Unknown(&'static [&'static str]),
}

impl InputError {
    /// Adds this field to the path.
    pub(super) fn within(mut self, field: &str) -> Self {
        self.path.push(PathSegment::Field(shortened(field).into_owned()));
        self
    }

    /// Adds this index of an array to the path.
    pub(super) fn at(mut self, index: usize) -> Self {
        self.path.push(PathSegment::Item(index));
        self
    }

    /// The error message. It calls the payload `whole`.
    pub(super) fn sentence(self, whole: &str) -> String {
        let place = self.path.iter().rev().fold(String::new(), |place, step| match step {
            PathSegment::Field(name) if place.is_empty() => name.clone(),
            PathSegment::Field(name) => format!("{place}.{name}"),
            PathSegment::Item(index) => format!("{}[{index}]", if place.is_empty() { whole } else { &place }),
        });
        let what = if place.is_empty() { whole } else { &place };
        match self.fault {
            Fault::Message(sentence) if place.is_empty() => sentence,
            Fault::Message(sentence) => format!("{place}: {sentence}"),
            Fault::Expected(expected, found) => format!("{what} must be {expected}, not {found}"),
            Fault::Missing => format!("{what} is missing"),
            Fault::Duplicate => format!("{what} is there twice"),
            Fault::Unknown([]) => format!("{what} is no field here: there are none"),
            Fault::Unknown(fields) => format!("{what} is no field here: there are {}", fields.join(", ")),
        }
    }

    /// There is no such value.
    pub(super) fn missing() -> Self {
        Self::new(Fault::Missing)
    }

    fn new(fault: Fault) -> Self {
        Self { path: Vec::new(), fault }
    }
}

impl Error for InputError {
    fn custom<T: fmt::Display>(sentence: T) -> Self {
        Self::new(Fault::Message(sentence.to_string()))
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(Fault::Expected(expectation(&expected.to_string()), kind(unexpected)))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match unexpected {
            Unexpected::Str(text) => format!("{:?}", shortened(text)),
            other => kind(other),
        };
        Self::new(Fault::Expected(expectation(&expected.to_string()), found))
    }

    fn invalid_length(len: usize, expected: &dyn Expected) -> Self {
        Self::new(Fault::Expected(expectation(&expected.to_string()), format!("{len} long")))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let one_of = if expected.len() == 1 { "" } else { "one of " };
        let expected = format!("{one_of}{}", expected.join(", "));
        Self::new(Fault::Expected(expected, format!("{:?}", shortened(variant))))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Fault::Unknown(expected)).within(field)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(Fault::Missing).within(field)
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(Fault::Duplicate).within(field)
    }
}

impl std::error::Error for InputError {}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {:?}", self.fault, self.path)
    }
}

/// Translates the expectation of a serde visitor into JSON's terms. Texts of other visitors stay as they are.
fn expectation(expected: &str) -> String {
    let ours = match expected {
        "a boolean" => "true or false",
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => "a whole number of 0 or more",
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a character" => "a string of one character",
        "a borrowed string" | "string" => "a string",
        "a sequence" | "a set" => "an array",
        "a map" => "an object",
        "unit" => "null",
        _ => match expected.split_once(' ') {
            Some(("struct", _)) => "an object",
            Some(("enum", _)) => "one of its values",
            Some(("tuple", _)) => "an array of the right length",
            Some(("unit", _)) => "null",
            _ => match expected.strip_prefix("a tuple of size ") {
                Some(size) => return format!("an array of {size}"),
                None => return expected.to_owned(),
            },
        },
    };
    ours.to_owned()
}

fn kind(unexpected: Unexpected<'_>) -> String {
    match unexpected {
        Unexpected::Bool(value) => value.to_string(),
        Unexpected::Unsigned(number) => number.to_string(),
        Unexpected::Signed(number) => number.to_string(),
        Unexpected::Float(number) => format!("{number:?}"),
        Unexpected::Char(_) | Unexpected::Str(_) => "a string".to_owned(),
        Unexpected::Bytes(_) => "binary".to_owned(),
        Unexpected::Unit | Unexpected::Option => "null".to_owned(),
        Unexpected::Seq => "an array".to_owned(),
        Unexpected::Other(other) => other.to_owned(),
        _ => "an object".to_owned(),
    }
}

/// A value, cut to [`SHOWN_MAX`] characters.
pub(super) fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]).into(),
        None => text.into(),
    }
}

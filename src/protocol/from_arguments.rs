//! Reads an event's arguments as a handler's type.

use std::any::{Any, TypeId};

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::{Args, Arguments, payload::is_tuple};
use crate::error::{Error, Result};

/// What the arguments of an event, or of a client's acknowledgement, can be read as: everything that serde can read, and
/// [`Arguments`].
///
/// A tuple of n is n arguments, `()` is none, and every other type is the first argument. Surplus arguments are ignored,
/// and a missing one is read as null, so that an `Option` is `None`. A binary attachment is read as bytes, such as
/// `bytes::Bytes`.
pub trait FromArguments: Sized {
    /// Reads the arguments. `bad-payload` if they do not fit: the message names the argument and what came.
    fn from_arguments(args: &Args<'_>) -> Result<Self>;
}

impl<T: DeserializeOwned + 'static> FromArguments for T {
    fn from_arguments(args: &Args<'_>) -> Result<Self> {
        if is_tuple::<T>() {
            return args.read_tuple();
        }
        copied(args).map_or_else(|| args.read_first(), Ok)
    }
}

/// The first argument as its text, if `T` is `Box<RawValue>`. serde would parse the text once more. `None` also for an
/// array, whose depth is checked, and for an event with attachments.
fn copied<T: 'static>(args: &Args<'_>) -> Option<T> {
    if TypeId::of::<T>() != TypeId::of::<Box<RawValue>>() || !args.attachments().is_empty() {
        return None;
    }
    let first = args.get(0).filter(|first| !first.get().starts_with('['))?;
    let mut copy = Some(first.to_owned());
    (&mut copy as &mut dyn Any).downcast_mut::<Option<T>>()?.take()
}

impl FromArguments for Arguments {
    fn from_arguments(args: &Args<'_>) -> Result<Self> {
        Ok(Self { json: args.array_text(), attachments: args.attachments().to_vec() })
    }
}

impl Arguments {
    /// Reads the arguments as another type: see [`FromArguments`]. `bad-payload` if they do not fit.
    pub fn read<T: FromArguments>(&self) -> Result<T> {
        let list = serde_json::from_str(&self.json).map_err(|_| Error::BadPayload("no JSON array".to_owned()))?;
        T::from_arguments(&Args::new(list, &self.attachments))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn raw(event: &str) -> Result<String> {
        let (_, args) = Args::parse(event, &[])?;
        Box::<RawValue>::from_arguments(&args).map(|raw| raw.get().to_owned())
    }

    #[test]
    fn json_text_is_the_first_argument_as_it_came() {
        for text in ["1", "null", r#""a""#, r#"{"b": 1e3,"b":2 }"#, "[1, 2]"] {
            assert_eq!(raw(&format!(r#"["event", {text} ,3]"#)).unwrap(), text);
        }
        assert_eq!(raw(r#"["event"]"#).unwrap(), "null");
    }

    #[test]
    fn other_types_are_read() {
        let (_, args) = Args::parse(r#"["event",{"a":1}]"#, &[]).unwrap();
        assert_eq!(Value::from_arguments(&args).unwrap()["a"], 1);
        assert_eq!(Option::<Value>::from_arguments(&args).unwrap().unwrap()["a"], 1);
    }
}

//! The arguments of an event, as JSON text.

use std::borrow::Cow;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::{
    error::{Error, Result},
    input::{self, check_depth},
};

/// What error messages call the argument of an event with one argument.
const PAYLOAD: &str = "the payload";

/// The arguments of an event as the client sent them: each as JSON text, and the binary attachments.
#[derive(Debug)]
pub struct Args<'a> {
    list: Vec<&'a RawValue>,
    attachments: &'a [Bytes],
}

impl<'a> Args<'a> {
    /// From a list of JSON texts with placeholders.
    pub(crate) fn new(list: Vec<&'a RawValue>, attachments: &'a [Bytes]) -> Self {
        Self { list, attachments }
    }

    /// Parses a packet's payload, the JSON array `["event", ...]`, and returns the name with the arguments. As in
    /// Node's server, a number is a valid name too.
    pub(crate) fn parse(packet: &'a str, attachments: &'a [Bytes]) -> Result<(Cow<'a, str>, Self)> {
        let mut list: Vec<&RawValue> =
            serde_json::from_str(packet).map_err(|_| Error::BadPayload("an event is a JSON array".to_owned()))?;
        if list.is_empty() {
            return Err(Error::BadPayload("an event needs a name".to_owned()));
        }
        let name = name(list.remove(0).get())?;
        Ok((name, Self { list, attachments }))
    }

    /// All arguments as the text of one JSON array.
    pub fn array_text(&self) -> String {
        let len: usize = self.list.iter().map(|argument| argument.get().len() + 1).sum();
        let mut text = String::with_capacity(len + 2);
        text.push('[');
        for (index, argument) in self.list.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            text.push_str(argument.get());
        }
        text.push(']');
        text
    }

    /// The number of arguments.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are no arguments.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The argument at this index, counted from 0, as JSON text; `None` if there is none.
    pub fn get(&self, index: usize) -> Option<&'a RawValue> {
        self.list.get(index).copied()
    }

    /// Returns `bad-payload` if an argument nests arrays and objects deeper than a payload may.
    pub(crate) fn check_depth(&self) -> Result<()> {
        self.list.iter().try_for_each(|argument| check_depth(argument.get(), PAYLOAD)).map_err(Error::BadPayload)
    }

    /// The binary attachments, in the order of their placeholders.
    pub fn attachments(&self) -> &'a [Bytes] {
        self.attachments
    }

    /// The text of the only argument, or `{}` if it is missing. Several arguments or attachments are `bad-payload`.
    pub(crate) fn single_text(&self) -> Result<&'a str> {
        if !self.attachments.is_empty() {
            return Err(Error::BadPayload("this event takes no binary".to_owned()));
        }
        match self.list.as_slice() {
            [] => Ok("{}"),
            [one] => Ok(one.get()),
            several => Err(Error::BadPayload(format!("this event takes one argument, not {}", several.len()))),
        }
    }

    /// The only argument as a payload. If it is missing, it is `{}`; if it is null, it is read as null, or as `{}` if
    /// `T` cannot be null. Several arguments or attachments are `bad-payload`.
    pub fn single<T: DeserializeOwned>(&self) -> Result<T> {
        match self.single_text()? {
            "null" => serde_json::from_str("null").or_else(|_| input::read("{}", PAYLOAD)),
            text => input::read(text, PAYLOAD),
        }
        .map_err(Error::BadPayload)
    }

    /// The only argument as a payload with binary attachments. Several arguments are `bad-payload`.
    pub(super) fn single_with_binary<T: DeserializeOwned>(&self) -> Result<T> {
        match self.list.len() {
            0 | 1 => self.read_first(),
            several => Err(Error::BadPayload(format!("this event takes one argument, not {several}"))),
        }
    }

    /// The arguments as a tuple: see [`FromArguments`](super::FromArguments).
    pub(super) fn read_tuple<T: DeserializeOwned>(&self) -> Result<T> {
        input::read_tuple(&self.list, self.attachments).map_err(Error::BadPayload)
    }

    /// The first argument.
    pub(super) fn read_first<T: DeserializeOwned>(&self) -> Result<T> {
        input::read_first(&self.list, self.attachments).map_err(Error::BadPayload)
    }

    /// All arguments as a tuple or a sequence, for an event with several arguments: `socket.emit("bid", item,
    /// amount)`. `bad-payload` if `T` cannot be read from them.
    pub fn tuple<T: DeserializeOwned>(&self) -> Result<T> {
        input::read_all(&self.list, "arguments").map_err(Error::BadPayload)
    }
}

fn name(json: &str) -> Result<Cow<'_, str>> {
    match input::decoded(json) {
        Some(name) => Ok(name),
        None if json.starts_with(|first: char| first == '-' || first.is_ascii_digit()) => Ok(Cow::Borrowed(json)),
        None => Err(Error::BadPayload("an event's name is a string".to_owned())),
    }
}

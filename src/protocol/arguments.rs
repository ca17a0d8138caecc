//! Arguments as JSON text.

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::input::{DEPTH_MAX, are_placed, is_too_deep};

/// Arguments as JSON text, with their binary attachments: those of an event or of an acknowledgement, in both
/// directions.
#[derive(Debug, Clone)]
pub struct Arguments {
    /// The arguments, as the text of one JSON array with placeholders for the attachments.
    pub(crate) json: String,
    /// The attachments, in the order of their placeholders.
    pub(crate) attachments: Vec<Bytes>,
}

impl Arguments {
    /// From the text of a JSON array, with placeholders for the attachments. Sending it fails if a client's parser
    /// would reject it: it is no JSON array, has a placeholder without its attachment, or more than 1,000 levels.
    pub fn new(json: impl Into<String>, attachments: Vec<Bytes>) -> Self {
        Self { json: json.into(), attachments }
    }

    /// The text of the JSON array, with placeholders for the attachments.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The binary attachments, in the order of their placeholders.
    pub fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }

    /// Returns `self` if a client's parser accepts it.
    pub(super) fn checked(&self) -> serde_json::Result<&Self> {
        let list: Vec<&RawValue> = serde_json::from_str(&self.json)?;
        if list.iter().any(|argument| is_too_deep(argument.get(), DEPTH_MAX)) {
            return Err(serde::ser::Error::custom("it has too many levels"));
        }
        if !self.attachments.is_empty() && !are_placed(&self.json, self.attachments.len()) {
            return Err(serde::ser::Error::custom("a placeholder has no attachment"));
        }
        Ok(self)
    }
}

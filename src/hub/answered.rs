//! A client's acknowledgement of an event that asked for one.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::{
    engine::Answer,
    error::{Error, Result},
    input,
};

/// Bytes of all answers to one question. They are kept until the last client has answered.
const ANSWERS_MAX: usize = 4_000_000;

/// A client's acknowledgement.
#[derive(Debug, Clone)]
pub struct Answered {
    arguments: Vec<Box<RawValue>>,
    attachments: Vec<Bytes>,
}

impl Answered {
    /// `kept` counts the bytes of all answers to the same question. `too-large` where this one makes them more than
    /// 4 MB, `bad-payload` where it is too deep.
    pub(super) fn within((arguments, attachments): Answer, kept: &AtomicUsize) -> Result<Self> {
        for argument in &arguments {
            input::check_depth(argument.get(), "the answer").map_err(Error::BadPayload)?;
        }
        let text: usize = arguments.iter().map(|argument| argument.get().len()).sum();
        let bytes = text + attachments.iter().map(Bytes::len).sum::<usize>();
        if kept.fetch_add(bytes, Ordering::Relaxed) + bytes > ANSWERS_MAX {
            kept.fetch_sub(bytes, Ordering::Relaxed);
            return Err(Error::TooLarge(format!("the answers have more than {ANSWERS_MAX} bytes")));
        }
        Ok(Self { arguments, attachments })
    }

    /// The first argument, read as null where there is none. `bad-payload` where it is nothing that `T` can be read
    /// from.
    pub fn first<T: DeserializeOwned>(&self) -> Result<T> {
        let text = self.arguments.first().map_or("null", |argument| argument.get());
        input::read(text, "the answer").map_err(Error::BadPayload)
    }

    /// All arguments, as JSON.
    pub fn arguments(&self) -> &[Box<RawValue>] {
        &self.arguments
    }

    /// The binary attachments, in the order of their placeholders.
    pub fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }
}

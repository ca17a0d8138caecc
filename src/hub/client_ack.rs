//! A client's acknowledgement of an event that was emitted with `emit_with_ack`.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::{
    engine::AckArguments,
    error::{Error, Result},
    input,
    protocol::{Args, FromArguments},
};

/// Maximum number of bytes of all acknowledgements of one event. All are kept until the last client has acknowledged.
const ANSWERS_MAX: usize = 4_000_000;

/// A client's acknowledgement.
#[derive(Debug, Clone)]
pub struct ClientAck {
    arguments: Vec<Box<RawValue>>,
    attachments: Vec<Bytes>,
}

impl ClientAck {
    /// Accepts an acknowledgement. `kept` counts the bytes of all acknowledgements of the same event. Fails with
    /// `too-large` if they would exceed 4 MB, and with `bad-payload` if an argument is nested too deep.
    pub(super) fn within((arguments, attachments): AckArguments, kept: &AtomicUsize) -> Result<Self> {
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

    /// Parses the arguments as `T`. Fails with `bad-payload` if that is not possible.
    pub(super) fn read<T: FromArguments>(&self) -> Result<T> {
        let list = self.arguments.iter().map(|argument| &**argument).collect();
        T::from_arguments(&Args::new(list, &self.attachments))
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

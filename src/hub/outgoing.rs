use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use super::{SocketId, To};
use crate::{
    engine::Answer,
    error::{Error, Result},
    protocol::ServerEvent,
};

/// An event on its way out: written once, however many hear it.
#[derive(Debug, Clone)]
pub struct Outgoing<'a> {
    pub(super) event: Encoded,
    pub(super) to: To<'a>,
    pub(super) except: Option<SocketId>,
    pub(super) except_any: &'a [To<'a>],
    pub(super) is_volatile: bool,
}

impl<'a> Outgoing<'a> {
    /// An event of which the JSON text `["name", ...]` and the attachments exist already.
    pub fn new(to: To<'a>, event: Encoded) -> Self {
        Self { event, to, except: None, except_any: &[], is_volatile: false }
    }

    /// Leaves one socket out.
    #[must_use]
    pub fn except(mut self, socket: SocketId) -> Self {
        self.except = Some(socket);
        self
    }

    /// Leaves all of these out.
    #[must_use]
    pub fn except_any(mut self, except: &'a [To<'a>]) -> Self {
        self.except_any = except;
        self
    }

    /// May be lost by a socket that is slow at that moment.
    #[must_use]
    pub fn volatile(mut self) -> Self {
        self.is_volatile = true;
        self
    }
}

/// What a client answered an event with.
#[derive(Debug, Clone)]
pub struct Answered {
    arguments: Vec<Box<serde_json::value::RawValue>>,
    attachments: Vec<Bytes>,
}

impl Answered {
    /// The first argument; null where there is none.
    pub fn first<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        let text = self.arguments.first().map_or("null", |argument| argument.get());
        serde_json::from_str(text).map_err(|error| Error::BadPayload(error.to_string()))
    }

    /// All arguments, as JSON.
    pub fn arguments(&self) -> &[Box<serde_json::value::RawValue>] {
        &self.arguments
    }

    /// The binary attachments, in the order of their placeholders.
    pub fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }
}

/// Bytes of all answers to one question: what clients say is kept until the last of them has answered.
const ANSWERS_MAX: usize = 4_000_000;

impl Answered {
    /// An answer that has a place beside those that were kept. `too-large` where it has none.
    pub(super) fn within((arguments, attachments): Answer, kept: &AtomicUsize) -> Result<Self> {
        let text: usize = arguments.iter().map(|argument| argument.get().len()).sum();
        let bytes = text + attachments.iter().map(Bytes::len).sum::<usize>();
        if kept.fetch_add(bytes, Ordering::Relaxed) + bytes > ANSWERS_MAX {
            kept.fetch_sub(bytes, Ordering::Relaxed);
            return Err(Error::TooLarge(format!("the answers have more than {ANSWERS_MAX} bytes")));
        }
        Ok(Self { arguments, attachments })
    }
}

/// The JSON text `["name", ...]` of an event, and its attachments.
pub type Encoded = (String, Vec<Bytes>);

/// Writes an event and its payload.
pub fn encode<E: ServerEvent>(event: &E) -> Encoded {
    let text = serde_json::to_string(&(E::NAME, event)).expect("a payload of ours is plain data");
    (text, Vec::new())
}

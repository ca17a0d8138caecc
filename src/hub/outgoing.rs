//! An event on its way out, and the answers to it.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use super::To;
use crate::{
    engine::Answer,
    error::{Error, Result},
    input,
    model::SocketId,
    protocol::{Args, SOCKET_IO, ServerEvent},
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
    /// An event written by [`Encoded::of`], or put together by [`Encoded::new`].
    pub fn new(to: To<'a>, event: Encoded) -> Self {
        Self { event, to, except: None, except_any: &[], is_volatile: false }
    }

    /// Leaves one socket out.
    #[must_use]
    pub fn except(mut self, id: SocketId) -> Self {
        self.except = Some(id);
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
    /// The first argument, read as null where there is none. `bad-payload` where it is nothing that `T` can be read from.
    pub fn first<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        let text = self.arguments.first().map_or("null", |argument| argument.get());
        input::read(text, "the answer").map_err(Error::BadPayload)
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
    /// An answer that has a place beside those that were kept. `too-large` where it has none, `bad-payload` where it is
    /// too deep.
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
}

/// An event as it leaves: the JSON text `["name", ...]`, and its attachments.
#[derive(Debug, Clone)]
pub struct Encoded {
    pub(super) json: String,
    pub(super) attachments: Vec<Bytes>,
}

impl Encoded {
    /// Writes an event and its payload. `unavailable` where its name is one of those that Socket.IO reserves, the payload
    /// cannot be written as JSON, or it has more than 1,000 levels.
    pub fn of<E: ServerEvent>(event: &E) -> Result<Self> {
        encode(event)
    }

    /// From the text of a JSON array, with placeholders for the attachments. `bad-payload` where clients would take it
    /// for a broken packet: where it is no JSON, has no name or a reserved one, a placeholder without its attachment, or
    /// more than 1,000 levels.
    pub fn new(json: impl Into<String>, attachments: Vec<Bytes>) -> Result<Self> {
        let json = json.into();
        let (name, args) = Args::parse(&json, &attachments)?;
        if SOCKET_IO.contains(&&*name) {
            return Err(Error::BadPayload(format!("Socket.IO reserves the name {name}")));
        }
        args.check_depth()?;
        if !attachments.is_empty() && !input::are_placed(&json, attachments.len()) {
            return Err(Error::BadPayload("a placeholder has no attachment".to_owned()));
        }
        Ok(Self { json, attachments })
    }

    /// As it came from a client, or was checked otherwise.
    pub(crate) fn received(json: String, attachments: Vec<Bytes>) -> Self {
        Self { json, attachments }
    }
}

/// See [`Encoded::of`].
pub(super) fn encode<E: ServerEvent>(event: &E) -> Result<Encoded> {
    let unwritten = |cause: Box<dyn std::error::Error + Send + Sync>| {
        Error::internal(&format!("the event {} could not be written", E::NAME), cause)
    };
    check_name::<E>()?;
    let json = serde_json::to_string(&(E::NAME, event)).map_err(|error| unwritten(error.into()))?;
    input::check_event_depth(&json).map_err(|sentence| unwritten(sentence.into()))?;
    Ok(Encoded { json, attachments: Vec::new() })
}

/// Refuses an event whose name means something to clients themselves.
pub(super) fn check_name<E: ServerEvent>() -> Result<()> {
    if SOCKET_IO.contains(&E::NAME) {
        let what = format!("the event {} could not be emitted", E::NAME);
        return Err(Error::internal(&what, "Socket.IO reserves its name"));
    }
    Ok(())
}

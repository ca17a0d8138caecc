//! An event as JSON text. It is encoded once for all its receivers.

use bytes::Bytes;

use crate::{
    error::{Error, Result},
    input,
    protocol::{self, Arguments, Payload, RESERVED_BY_SOCKET_IO, ServerEvent},
};

/// An event in the form in which it is sent: the JSON text `["name", ...]`, and the attachments.
#[derive(Debug, Clone)]
pub struct Encoded {
    pub(super) json: String,
    pub(super) attachments: Vec<Bytes>,
}

impl Encoded {
    /// Encodes an event. Its name is `E::NAME`. Errors as with [`Self::named`].
    pub fn of<E: ServerEvent>(event: &E) -> Result<Self> {
        Self::named(E::NAME, event)
    }

    /// Encodes an event. `unavailable` if Socket.IO reserves its name, or if its payload cannot be written as JSON or has
    /// more than 1,000 levels.
    pub(crate) fn named<P: Payload + ?Sized>(name: &str, payload: &P) -> Result<Self> {
        let unwritten = |cause: Box<dyn std::error::Error + Send + Sync>| {
            Error::internal(&format!("the event {name} could not be encoded"), cause)
        };
        check_name(name)?;
        let Arguments { json, attachments } =
            protocol::event(name, payload).map_err(|error| unwritten(error.into()))?;
        input::check_event_depth(&json).map_err(|sentence| unwritten(sentence.into()))?;
        Ok(Self { json, attachments })
    }

    /// An event whose JSON text was already checked, such as a client's event that is relayed.
    pub(crate) fn received(json: String, attachments: Vec<Bytes>) -> Self {
        Self { json, attachments }
    }
}

/// `unavailable` if Socket.IO reserves the event's name.
pub(super) fn check_name(name: &str) -> Result<()> {
    if RESERVED_BY_SOCKET_IO.contains(&name) {
        let what = format!("the event {name} could not be emitted");
        return Err(Error::internal(&what, "Socket.IO reserves its name"));
    }
    Ok(())
}

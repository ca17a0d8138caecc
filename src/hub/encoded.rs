//! An event as JSON text, encoded once for all its receivers.

use bytes::Bytes;

use crate::{
    error::{Error, Result},
    input,
    protocol::{Args, SOCKET_IO, ServerEvent},
};

/// An event as it is sent: the JSON text `["name", ...]`, and its attachments.
#[derive(Debug, Clone)]
pub struct Encoded {
    pub(super) json: String,
    pub(super) attachments: Vec<Bytes>,
}

impl Encoded {
    /// An event with its payload. `unavailable` where Socket.IO reserves its name, the payload cannot be written as
    /// JSON, or it has more than 1,000 levels.
    pub fn of<E: ServerEvent>(event: &E) -> Result<Self> {
        let unwritten = |cause: Box<dyn std::error::Error + Send + Sync>| {
            Error::internal(&format!("the event {} could not be written", E::NAME), cause)
        };
        check_name::<E>()?;
        let json = serde_json::to_string(&(E::NAME, event)).map_err(|error| unwritten(error.into()))?;
        input::check_event_depth(&json).map_err(|sentence| unwritten(sentence.into()))?;
        Ok(Self { json, attachments: Vec::new() })
    }

    /// From the text of a JSON array, with placeholders for the attachments. `bad-payload` where clients would take it
    /// for a broken packet: it is no JSON, has no name or a reserved one, has a placeholder without its attachment, or
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

    /// From a text that was checked: a client's event that is passed on, for example.
    pub(crate) fn received(json: String, attachments: Vec<Bytes>) -> Self {
        Self { json, attachments }
    }
}

/// `unavailable` where Socket.IO reserves the event's name.
pub(super) fn check_name<E: ServerEvent>() -> Result<()> {
    if SOCKET_IO.contains(&E::NAME) {
        let what = format!("the event {} could not be emitted", E::NAME);
        return Err(Error::internal(&what, "Socket.IO reserves its name"));
    }
    Ok(())
}

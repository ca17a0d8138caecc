//! Replies to events: `{ success, data }` or `{ success, error }`, as acknowledgements carry them.

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    error::{Code, Error, Result},
    input::{DEPTH_MAX, are_placed, is_too_deep},
};

/// What a handler's result looks like on the wire, on sockets and over HTTP alike.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum Reply<T> {
    /// It worked.
    Done {
        /// Always true.
        success: bool,
        /// What the event's row in the table says.
        data: T,
    },
    /// It did not.
    Failed {
        /// Always false.
        success: bool,
        /// Why.
        error: Failure,
    },
}

/// The `error` of a reply.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Failure {
    /// What a program switches on.
    pub code: Code,
    /// For people.
    pub message: String,
}

impl Failure {
    /// As the wire says it.
    pub fn of(error: &Error) -> Self {
        Self { code: error.code(), message: error.to_string() }
    }
}

impl<T> Reply<T> {
    /// The reply to an event that failed.
    pub fn failed(error: &Error) -> Self {
        Self::Failed { success: false, error: Failure::of(error) }
    }
}

/// A reply that is acknowledged exactly as it is, without `success` and `data`: for clients that expect the
/// answers of the Node server they used to talk to.
#[derive(Debug)]
pub struct Raw<T>(pub T);

/// A reply of several arguments or with binary attachments, acknowledged exactly as it is.
#[derive(Debug)]
pub struct Arguments {
    /// The arguments, as the text of one JSON array with placeholders for the attachments.
    pub(crate) json: String,
    /// The attachments, in the order of their placeholders.
    pub(crate) attachments: Vec<Bytes>,
}

/// What a handler may return beside an error: anything serde can write, [`Raw`], or [`Arguments`].
pub trait IntoReply: Send {
    /// The JSON array of the acknowledgement's arguments, and its attachments.
    fn into_arguments(self) -> serde_json::Result<Arguments>;
}

impl<T: Serialize + Send> IntoReply for T {
    fn into_arguments(self) -> serde_json::Result<Arguments> {
        Arguments::one(&Reply::Done { success: true, data: self })
    }
}

impl<T: Serialize + Send> IntoReply for Raw<T> {
    fn into_arguments(self) -> serde_json::Result<Arguments> {
        Arguments::one(&self.0)
    }
}

/// An error where it is no JSON array, or a placeholder has no attachment: clients would take it for a broken packet.
impl IntoReply for Arguments {
    fn into_arguments(self) -> serde_json::Result<Arguments> {
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

impl Arguments {
    /// From the text of a JSON array, with placeholders for the attachments. What clients would take for a broken packet
    /// is answered `unavailable` instead, and logged: what is no JSON array, has a placeholder without its attachment, or
    /// more than 1,000 levels.
    pub fn new(json: impl Into<String>, attachments: Vec<Bytes>) -> Self {
        Self { json: json.into(), attachments }
    }

    fn one<T: Serialize>(argument: &T) -> serde_json::Result<Self> {
        // Room for a message and its envelope: most replies are no longer.
        let mut json = Vec::with_capacity(512);
        serde_json::to_writer(&mut json, &(argument,))?;
        let json = String::from_utf8(json).map_err(serde::ser::Error::custom)?;
        Ok(Self { json, attachments: Vec::new() })
    }

    pub(crate) fn failed(error: &Error) -> Self {
        Self::one(&Reply::<()>::failed(error)).expect("a failure is plain text")
    }
}

/// What an event is acknowledged with, and the error if it failed.
pub(crate) fn acknowledgement<R: IntoReply>(result: Result<R>) -> (Arguments, Option<Error>) {
    let error = match result.map(R::into_arguments) {
        Ok(Ok(arguments)) => return (arguments, None),
        Ok(Err(cause)) => Error::internal("the reply could not be written", cause),
        Err(error) => error,
    };
    (Arguments::failed(&error), Some(error))
}

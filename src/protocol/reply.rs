//! Replies to events: `{ success, data }` or `{ success, error }`, in acknowledgements and in HTTP responses.

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    error::{Code, Error, Result},
    input::{DEPTH_MAX, are_placed, is_too_deep},
};

/// The wire format of a handler's result, for sockets and HTTP.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum Reply<T> {
    /// Success.
    Done {
        /// Always true.
        success: bool,
        /// The reply's data, as in the event's row in the table.
        data: T,
    },
    /// Failure.
    Failed {
        /// Always false.
        success: bool,
        /// The error.
        error: Failure,
    },
}

/// The `error` of a reply.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Failure {
    /// The error code, for programs.
    pub code: Code,
    /// The error message, for people.
    pub message: String,
}

impl Failure {
    /// The wire format of an error.
    pub fn of(error: &Error) -> Self {
        Self { code: error.code(), message: error.to_string() }
    }
}

impl<T> Reply<T> {
    /// The reply for a failed event.
    pub fn failed(error: &Error) -> Self {
        Self::Failed { success: false, error: Failure::of(error) }
    }
}

/// A reply that is sent as it is, without `success` and `data`: for clients that expect the acknowledgements of an
/// existing Node server.
#[derive(Debug)]
pub struct Raw<T>(pub T);

/// A reply with several arguments or binary attachments, sent as it is.
#[derive(Debug)]
pub struct Arguments {
    /// The arguments, as the text of one JSON array with placeholders for the attachments.
    pub(crate) json: String,
    /// The attachments, in the order of their placeholders.
    pub(crate) attachments: Vec<Bytes>,
}

/// The types a handler may return as a reply: anything that serde can serialize, [`Raw`], or [`Arguments`].
pub trait IntoReply: Send {
    /// The acknowledgement's arguments as a JSON array, and the attachments.
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

/// Fails if the text is no JSON array or a placeholder has no attachment: a client's parser would reject the packet
/// and disconnect.
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
    /// From the text of a JSON array, with placeholders for the attachments. A text that a client's parser would
    /// reject is answered with `unavailable` and logged: no JSON array, a placeholder without its attachment, or more
    /// than 1,000 levels.
    pub fn new(json: impl Into<String>, attachments: Vec<Bytes>) -> Self {
        Self { json: json.into(), attachments }
    }

    fn one<T: Serialize>(argument: &T) -> serde_json::Result<Self> {
        // Enough for a message with its envelope: most replies are no longer.
        let mut json = Vec::with_capacity(512);
        serde_json::to_writer(&mut json, &(argument,))?;
        let json = String::from_utf8(json).map_err(serde::ser::Error::custom)?;
        Ok(Self { json, attachments: Vec::new() })
    }

    pub(crate) fn failed(error: &Error) -> Self {
        Self::one(&Reply::<()>::failed(error)).expect("a failure is plain text")
    }
}

/// The acknowledgement of an event, and the error if the event failed.
pub(crate) fn acknowledgement<R: IntoReply>(result: Result<R>) -> (Arguments, Option<Error>) {
    let error = match result.map(R::into_arguments) {
        Ok(Ok(arguments)) => return (arguments, None),
        Ok(Err(cause)) => Error::internal("the reply could not be written", cause),
        Err(error) => error,
    };
    (Arguments::failed(&error), Some(error))
}

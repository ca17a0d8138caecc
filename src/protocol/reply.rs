use serde::Serialize;

use crate::error::{Code, Error, Result};

/// What a handler's result looks like on the wire, on sockets and over HTTP alike.
#[derive(Debug, Serialize)]
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
    /// A shape of the handler's own: see [`Raw`].
    Raw(T),
}

/// The `error` of a reply.
#[derive(Debug, Serialize)]
pub struct Failure {
    /// What a program switches on.
    pub code: Code,
    /// For people.
    pub message: String,
}

impl<T> Reply<T> {
    /// The reply to an event that failed.
    pub fn failed(error: &Error) -> Self {
        Self::Failed { success: false, error: Failure { code: error.code(), message: error.to_string() } }
    }
}

/// A reply that is acknowledged exactly as it is, without `success` and `data`: for clients that expect the
/// answers of the Node server they used to talk to.
#[derive(Debug)]
pub struct Raw<T>(pub T);

/// What a handler may return beside an error: anything serde can write, or [`Raw`].
pub trait IntoReply: Send {
    /// What is serialized.
    type Data: Serialize;

    /// Wraps it for the wire.
    fn into_reply(self) -> Reply<Self::Data>;
}

impl<T: Serialize + Send> IntoReply for T {
    type Data = T;

    fn into_reply(self) -> Reply<T> {
        Reply::Done { success: true, data: self }
    }
}

impl<T: Serialize + Send> IntoReply for Raw<T> {
    type Data = T;

    fn into_reply(self) -> Reply<T> {
        Reply::Raw(self.0)
    }
}

/// The JSON array an acknowledgement carries: the reply as its only argument.
pub(crate) fn acknowledgement<R: IntoReply>(result: Result<R>) -> (String, Option<Error>) {
    let (reply, error) = match result {
        Ok(reply) => (reply.into_reply(), None),
        Err(error) => (Reply::failed(&error), Some(error)),
    };
    match serde_json::to_string(&(reply,)) {
        Ok(text) => (text, error),
        Err(cause) => {
            let error = Error::internal("the reply could not be written", cause);
            let reply = Reply::<()>::failed(&error);
            (serde_json::to_string(&(reply,)).expect("a failure is plain text"), Some(error))
        }
    }
}

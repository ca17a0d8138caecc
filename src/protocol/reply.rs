//! Replies to events, in acknowledgements and in HTTP responses: what a handler returns, as it is or as `{ success, data }`.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use super::{
    Arguments,
    payload::{self, Payload, Raw},
};
use crate::error::{Code, Error, Result};

/// The wire format of a handler's result, for sockets and HTTP.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum Reply<T> {
    /// Success.
    Done {
        /// Always true.
        success: bool,
        /// The reply's data. The table of events in `docs/events.md` shows it for each event.
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
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Failure {
    /// The error code, for programs.
    #[schema(value_type = Code)]
    pub code: Cow<'static, str>,
    /// The error message, for people.
    pub message: String,
    /// The data of an error of the application's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

impl Failure {
    /// The wire format of an error.
    pub fn of(error: &Error) -> Self {
        Self { code: error.wire_code(), message: error.to_string(), data: error.data().cloned() }
    }
}

impl<T> Reply<T> {
    /// The reply for a failed event.
    pub fn failed(error: &Error) -> Self {
        Self::Failed { success: false, error: Failure::of(error) }
    }
}

/// What a handler may return, which is the event's acknowledgement: a `Result` of a [`Payload`], `()`, or a plain value
/// such as a text, a number, a list or JSON. The trait is not implemented for every type that implements `Serialize`,
/// because a closure that ends in `Ok(value)` would then have to name its error type.
pub trait IntoReply: Send {
    /// The acknowledgement's arguments, in the form of this server.
    #[doc(hidden)]
    fn into_reply(self, form: ReplyForm) -> Result<Arguments>;
}

impl<P: Payload + Send> IntoReply for Result<P> {
    fn into_reply(self, form: ReplyForm) -> Result<Arguments> {
        let payload = self?;
        let written = match form {
            ReplyForm::Plain => payload::arguments(&payload),
            ReplyForm::Enveloped => payload::enveloped(&payload),
        };
        written.map_err(|cause| Error::internal("the reply could not be written", cause))
    }
}

/// Plain values that a handler may return without a `Result`.
macro_rules! replies {
    ($([$($parameter:ident)?] $type:ty,)+) => {
        $(impl<$($parameter: Serialize + Send)?> IntoReply for $type {
            fn into_reply(self, form: ReplyForm) -> Result<Arguments> {
                Ok::<_, Error>(self).into_reply(form)
            }
        })+
    };
}

replies! {
    [] (), [] bool, [] &'static str, [] String,
    [] i32, [] i64, [] u8, [] u32, [] u64, [] usize, [] f64,
    [] Value, [] Box<RawValue>, [] Bytes, [] Arguments,
    [T] Vec<T>, [T] Option<T>, [T] Raw<T>,
}

/// How a server acknowledges an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyForm {
    /// Exactly what the handler returns; an error as `{ error: { code, message } }`.
    Plain,
    /// `{ success, data }` or `{ success, error }`, as the chat does.
    Enveloped,
}

impl ReplyForm {
    /// The acknowledgement of an event, and the error if the event failed.
    pub(crate) fn acknowledgement(self, result: impl IntoReply) -> (Arguments, Option<Error>) {
        match result.into_reply(self) {
            Ok(arguments) => (arguments, None),
            Err(error) => self.failure(error),
        }
    }

    /// The acknowledgement of an event that failed.
    pub(crate) fn failure(self, error: Error) -> (Arguments, Option<Error>) {
        (self.failed(&error), Some(error))
    }

    /// The arguments of the acknowledgement of an event that failed.
    pub(crate) fn failed(self, error: &Error) -> Arguments {
        let written = match self {
            Self::Plain => payload::arguments(&serde_json::json!({ "error": Failure::of(error) })),
            Self::Enveloped => payload::arguments(&Reply::<()>::failed(error)),
        };
        written.expect("a failure is plain text")
    }
}

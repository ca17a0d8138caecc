//! The error type, with variants by what the client can do.
//!
//! Everything between a frame and the store returns this [`Error`]. `anyhow` is used only for errors that people
//! read, on the terminal or in the log: in the command line (`cli`, and `auth::issue`, which only `cli` calls), and in
//! `store` for opening the database, for backups and for failed commits. An error is logged once, where it
//! is handled: in `namespace/` for events, in `cli` at start-up.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use serde_json::Value as Json;

use crate::model::Timestamp;

/// The result type of everything a handler can call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an event was refused or failed. Each variant has one stable [`Code`] on the wire.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The payload is not valid for the event. Send another one.
    #[error("{0}")]
    BadPayload(String),
    /// The event has no handler: it is no built-in event, no relay, and not registered by the application.
    #[error("no such event: {0}")]
    UnknownEvent(String),
    /// The credentials are missing or wrong. Sign in again.
    #[error("{0}")]
    Unauthorized(String),
    /// The token has expired, at the given time. Get a new one.
    #[error("{}", expired(*.0))]
    TokenExpired(Option<Timestamp>),
    /// The user is known, but not allowed to do this.
    #[error("{0}")]
    Forbidden(String),
    /// The message, membership or user does not exist, or this user may not see it.
    #[error("{0}")]
    NotFound(String),
    /// The request conflicts with stored data.
    #[error("{0}")]
    Conflict(String),
    /// Too many requests, or at too high a rate. Wait, then try again.
    #[error("{0}")]
    RateLimited(String),
    /// The payload is larger than `limits.payload-bytes`.
    #[error("{0}")]
    TooLarge(String),
    /// Not caused by the client: the store failed or its queue is full, or the server is closing. Try again. The
    /// source is logged and never sent to a client.
    #[error("{0}")]
    Unavailable(String, #[source] Option<Box<dyn std::error::Error + Send + Sync>>),
    /// An error of the application's own: see [`Error::custom`].
    #[error(transparent)]
    Custom(#[from] CustomError),
}

/// An error with a code and data of the application's own.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct CustomError {
    code: Cow<'static, str>,
    message: String,
    data: Option<Json>,
}

impl CustomError {
    /// Adds data for the client: `error.data` of an acknowledgement, `err.data.data` of a `connect_error`.
    #[must_use]
    pub fn with_data(mut self, data: impl Into<Json>) -> Self {
        self.data = Some(data.into());
        self
    }
}

impl Error {
    /// An error with a code of the application's own, such as `sold-out`. Clients get it as it is; metrics count it as
    /// `custom`.
    ///
    /// ```
    /// use serde_json::json;
    /// use sockeye::{Ctx, Error, Result};
    ///
    /// async fn buy(_: Ctx, seats: u32) -> Result<u32> {
    ///     let free = 3;
    ///     if seats > free {
    ///         return Err(Error::custom("sold-out", "too few seats").with_data(json!({ "free": free })).into());
    ///     }
    ///     Ok(seats)
    /// }
    /// ```
    pub fn custom(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> CustomError {
        CustomError { code: code.into(), message: message.into(), data: None }
    }

    /// The code as clients get it: one of [`Code`], or the application's own.
    pub(crate) fn wire_code(&self) -> Cow<'static, str> {
        match self {
            Self::Custom(error) => error.code.clone(),
            error => error.code().as_str().into(),
        }
    }

    /// The data of an error of the application's own.
    pub(crate) fn data(&self) -> Option<&Json> {
        match self {
            Self::Custom(error) => error.data.as_ref(),
            _ => None,
        }
    }

    /// A failure of the server. The source is only logged.
    pub fn internal(what: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable(what.to_owned(), Some(source.into()))
    }

    /// A temporary failure without a source, such as a full queue.
    pub fn unavailable(what: &str) -> Self {
        Self::Unavailable(what.to_owned(), None)
    }

    /// The same error; for `bad-payload`, the message begins with the event's name.
    pub(crate) fn of_event(self, name: &str) -> Self {
        match self {
            Self::BadPayload(sentence) => Self::BadPayload(format!("{name}: {sentence}")),
            error => error,
        }
    }

    /// The stable error code, for programs.
    pub fn code(&self) -> Code {
        match self {
            Self::BadPayload(_) => Code::BadPayload,
            Self::UnknownEvent(_) => Code::UnknownEvent,
            Self::Unauthorized(_) => Code::Unauthorized,
            Self::TokenExpired(_) => Code::TokenExpired,
            Self::Forbidden(_) => Code::Forbidden,
            Self::NotFound(_) => Code::NotFound,
            Self::Conflict(_) => Code::Conflict,
            Self::RateLimited(_) => Code::RateLimited,
            Self::TooLarge(_) => Code::TooLarge,
            Self::Unavailable(..) => Code::Unavailable,
            Self::Custom(_) => Code::Custom,
        }
    }
}

fn expired(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "the token has expired".to_owned(), |at| format!("the token expired at {at}"))
}

/// The error codes on the wire: in replies, in `event-error`, and as the message of a `connect_error`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is documented at the variant of `Error` of the same name")]
#[non_exhaustive]
pub enum Code {
    BadPayload,
    UnknownEvent,
    Unauthorized,
    TokenExpired,
    Forbidden,
    NotFound,
    Conflict,
    RateLimited,
    TooLarge,
    Unavailable,
    Custom,
}

impl Code {
    /// All codes of the server's own.
    pub(crate) const ALL: [Self; 10] = [
        Self::BadPayload,
        Self::UnknownEvent,
        Self::Unauthorized,
        Self::TokenExpired,
        Self::Forbidden,
        Self::NotFound,
        Self::Conflict,
        Self::RateLimited,
        Self::TooLarge,
        Self::Unavailable,
    ];

    /// The code as written on the wire, in kebab-case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadPayload => "bad-payload",
            Self::UnknownEvent => "unknown-event",
            Self::Unauthorized => "unauthorized",
            Self::TokenExpired => "token-expired",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not-found",
            Self::Conflict => "conflict",
            Self::RateLimited => "rate-limited",
            Self::TooLarge => "too-large",
            Self::Unavailable => "unavailable",
            Self::Custom => "custom",
        }
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    /// Collects the files below `folder` that contain the word `anyhow`, by their relative paths.
    fn naming_anyhow(folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                naming_anyhow(&path, found);
            } else if fs::read_to_string(&path).unwrap().contains("anyhow::") {
                let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
                found.push(path.strip_prefix(source).unwrap().to_string_lossy().into_owned());
            }
        }
    }

    #[test]
    fn anyhow_is_used_only_where_this_file_says() {
        let mut found = Vec::new();
        naming_anyhow(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        // The example in `lib.rs` shows an application, which may use it.
        let is_told = |path: &str| {
            ["lib.rs", "error.rs", "auth/jwt/issue.rs", "store.rs"].contains(&path)
                || ["cli", "store/"].iter().any(|start| path.starts_with(start))
        };
        found.retain(|path| !is_told(path));
        assert!(found.is_empty(), "{found:?}");
    }
}

//! The error type, with variants by what the client can do.
//!
//! Everything between a frame and the store returns this [`Error`]. `anyhow` is used only for errors that people
//! read, on the terminal or in the log: in the command line (`cli`, and `auth::issue` and `store::backup`, which only
//! `cli` calls), and in `store/` for opening the database and for failed commits. An error is logged once, where it
//! is handled: in `namespace/` for events, in `cli` at start-up.

use serde::{Serialize, Serializer};

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
}

impl Error {
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
}

impl Code {
    /// All codes.
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
            ["lib.rs", "error.rs", "auth/jwt/issue.rs"].contains(&path)
                || ["cli", "store/"].iter().any(|start| path.starts_with(start))
        };
        found.retain(|path| !is_told(path));
        assert!(found.is_empty(), "{found:?}");
    }
}

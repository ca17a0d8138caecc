//! What can go wrong, by what a client can do about it.
//!
//! Everything between a frame and the store returns this [`Error`]. `anyhow` carries what only a person reads, at
//! the terminal or in the log: in the command line (`cli`, and `auth::issue` and `store::backup`, which it alone
//! calls), and inside `store/` for why it could not be opened or a commit failed. An error is logged once, where it
//! is handled: in `namespace/` for events, at start-up in `cli`.

use serde::{Serialize, Serializer};

use crate::model::Timestamp;

/// The result of everything a handler can call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an event was refused or failed. Each variant is one stable [`Code`] on the wire.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The payload is not what the event takes. Send something else.
    #[error("{0}")]
    BadPayload(String),
    /// The event has no handler: it is neither one of the wire's own, nor a relay, nor registered by the application.
    #[error("no such event: {0}")]
    UnknownEvent(String),
    /// The credentials are missing or wrong. Sign in again.
    #[error("{0}")]
    Unauthorized(String),
    /// The token has expired, at the given time. Get a new one.
    #[error("{}", expired(*.0))]
    TokenExpired(Option<Timestamp>),
    /// The user is known, but may not do this.
    #[error("{0}")]
    Forbidden(String),
    /// There is no such message, membership or user, or this user may not know of it.
    #[error("{0}")]
    NotFound(String),
    /// The request contradicts what is stored.
    #[error("{0}")]
    Conflict(String),
    /// Too many requests, or too fast. Wait, then try again.
    #[error("{0}")]
    RateLimited(String),
    /// The payload is larger than `limits.payload-bytes`.
    #[error("{0}")]
    TooLarge(String),
    /// Not the client's fault: the store failed or is full, or the server is closing. Try again.
    /// The source is logged and never shown to a client.
    #[error("{0}")]
    Unavailable(String, #[source] Option<Box<dyn std::error::Error + Send + Sync>>),
}

impl Error {
    /// A failure of the server. The cause goes to the log only.
    pub fn internal(what: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable(what.to_owned(), Some(source.into()))
    }

    /// A temporary failure without a source, such as a full queue.
    pub fn unavailable(what: &str) -> Self {
        Self::Unavailable(what.to_owned(), None)
    }

    /// The same, with the event's name where its payload is wrong.
    pub(crate) fn of_event(self, name: &str) -> Self {
        match self {
            Self::BadPayload(sentence) => Self::BadPayload(format!("{name}: {sentence}")),
            error => error,
        }
    }

    /// The stable code, for programs.
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

/// The codes of the wire, in replies, in `event-error` and as the message of a `connect_error`.
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
    /// Every code there is.
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

    /// The files in which `anyhow` is named, by their paths below `folder`.
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
    fn anyhow_is_where_this_file_says() {
        let mut found = Vec::new();
        naming_anyhow(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        // The example in `lib.rs` is an application's.
        let is_told = |path: &str| {
            ["lib.rs", "error.rs", "auth/jwt/issue.rs"].contains(&path)
                || ["cli", "store/"].iter().any(|start| path.starts_with(start))
        };
        found.retain(|path| !is_told(path));
        assert!(found.is_empty(), "{found:?}");
    }
}

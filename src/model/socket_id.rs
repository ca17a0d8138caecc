//! The id of a socket.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use socketioxide_core::Sid;

/// A socket's id (`socket.id`), of 16 characters. It is a secret that only the server and the socket's client know.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SocketId(Sid);

impl SocketId {
    /// A random id.
    #[cfg(test)]
    pub(crate) fn new() -> Self {
        Self(Sid::new())
    }

    /// Parses an id. `None` if the text is no id: without the sentence for a client, whose making costs more than the
    /// parsing.
    pub(crate) fn parsed(text: &str) -> Option<Self> {
        text.parse().map(Self).ok()
    }
}

/// Parses an id from a client. The error is a sentence that says what is wrong.
impl FromStr for SocketId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| format!("{text:?} is no id of a socket"))
    }
}

impl fmt::Display for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

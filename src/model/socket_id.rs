//! The id of a socket.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use socketioxide_core::Sid;

/// A socket's id (`socket.id`), as its client knows it too: a secret between the two, of 16 characters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SocketId(Sid);

impl SocketId {
    /// A new one, at random.
    #[cfg(test)]
    pub(crate) fn new() -> Self {
        Self(Sid::new())
    }
}

/// Takes the id as a client spells it; the error is a sentence that says what is wrong.
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

//! A user: the id, and the display name.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;

use super::{checked_name, parse::keyed};

/// The id of the server itself.
const SYSTEM: &str = "system";

/// A user's id, which never changes: 1 to 128 characters, no control characters. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(test, derive(ts_rs::TS), ts(type = "string"))]
pub struct UserId(Arc<str>);

impl UserId {
    /// Parses an id from a token or a client.
    pub fn parse(text: &str) -> Result<Self, String> {
        checked_name("a user id", text)?;
        Ok(Self(text.into()))
    }

    /// A new id, which nobody can guess: a random UUID.
    pub fn random() -> Self {
        Self(Uuid::new_v4().to_string().into())
    }

    /// The id of a client that gave only a name (open mode): `name:` and the name in NFKC, lower case, with
    /// single spaces, so that "Ada", " ada" and "ADA" are one user.
    pub(crate) fn from_name(name: &str) -> Result<Self, String> {
        let folded: String = name.nfkc().flat_map(char::to_lowercase).collect();
        let folded = folded.split_whitespace().collect::<Vec<_>>().join(" ");
        if folded.is_empty() {
            return Err("a name must not be empty".to_owned());
        }
        Self::parse(&format!("name:{folded}"))
    }

    /// The id as on the wire and in the store.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the id of the server itself, which is the author of messages that backends post. No client can
    /// have it.
    pub(crate) fn is_system(&self) -> bool {
        &*self.0 == SYSTEM
    }
}

impl Serialize for UserId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for UserId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        keyed(deserializer, Self::parse)
    }
}

impl From<UserId> for String {
    fn from(id: UserId) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl std::fmt::Display for UserId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A user. One user may have many sockets: tabs, devices.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[non_exhaustive]
pub struct User {
    /// Unique; permissions depend on it.
    pub id: UserId,
    /// The display name: 1 to 128 characters, not unique.
    #[cfg_attr(test, ts(type = "string"))]
    #[schema(value_type = String)]
    pub name: Arc<str>,
}

impl User {
    /// A user with this name, without the spaces around it: 1 to 128 characters, no control characters. The error is a
    /// sentence that says what is wrong.
    pub fn new(id: UserId, name: &str) -> Result<Self, String> {
        let name = name.trim();
        checked_name("a name", name)?;
        Ok(Self { id, name: name.into() })
    }

    /// The server itself, the author of messages that name no other author.
    pub(crate) fn system() -> Self {
        Self { id: UserId(SYSTEM.into()), name: "System".into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_alone_is_the_same_user_in_every_spelling() {
        let id = UserId::from_name("  Ada   LOVELACE ").unwrap();
        assert_eq!(id.as_str(), "name:ada lovelace");
        assert_eq!(UserId::from_name("\u{ff21}da lovelace").unwrap(), id);
    }

    #[test]
    fn control_characters_and_lengths_are_refused() {
        assert!(UserId::parse("a\u{1}b").is_err());
        assert!(UserId::parse("").is_err());
        assert!(UserId::parse(&"x".repeat(129)).is_err());
        assert!(UserId::parse(&"é".repeat(128)).is_ok());
    }
}

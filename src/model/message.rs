//! A saved message, its id and its body.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::Error as _};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{RoomRef, Timestamp, User, parse::parsed};

/// A message's id: a UUID of version 7 (RFC 9562), so ids sort by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(type = "string"))]
pub struct MessageId(Uuid);

impl MessageId {
    /// A new id, greater than all that this process made before.
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }

    /// A new id that is also greater than `self`, even if the clock was set back.
    pub fn next(self) -> Self {
        let (last, new) = (self.0.as_u128(), Uuid::now_v7().as_u128());
        Self(Uuid::from_u128(new.max(last.saturating_add(1))))
    }

    /// Parses an id from a client.
    pub fn parse(text: &str) -> Result<Self, String> {
        Uuid::parse_str(text).map(Self).map_err(|_| "a message's id is a UUID".to_owned())
    }

    /// The 16 bytes that the store keeps.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// From the store's 16 bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl<'de> Deserialize<'de> for MessageId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parsed(deserializer, Self::parse)
    }
}

impl Default for MessageId {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Display for MessageId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The body of a message: a JSON object, kept byte for byte. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(ts_rs::TS), ts(type = "Record<string, unknown>"))]
pub struct Body(Arc<str>);

impl Body {
    /// The body of a deleted message.
    pub fn empty() -> Self {
        Self("{}".into())
    }

    /// From the text of a JSON object, which the caller has validated.
    pub fn from_json(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<&RawValue>(&self.0).map_err(S::Error::custom)?.serialize(serializer)
    }
}

/// A saved event, as one user sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// Unique on this server and anywhere else.
    pub id: MessageId,
    /// The room; in a direct message `dm:<the other user's id>`, as seen by the reader.
    pub room: RoomRef,
    /// Its place in its room: 1, 2, 3 ... without holes, for ever. Below 2^53.
    pub offset: u64,
    /// Its room's count of changes when it was posted, edited or deleted last. Below 2^53.
    pub revision: u64,
    /// The author, with the name of that moment.
    pub from: User,
    /// When it was saved.
    pub at: Timestamp,
    /// When it was edited last, if ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<Timestamp>,
    /// When it was deleted; the body is `{}` from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
    /// The key its sender gave, so that a retry is recognised. 1 to 128 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// The payload's own fields, byte for byte.
    pub body: Body,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_follow_one_another_even_when_the_clock_was_set_back() {
        let later = MessageId("ffffffff-0000-7000-8000-0000000000ff".parse().unwrap());
        assert_eq!(later.next().to_string(), "ffffffff-0000-7000-8000-000000000100");
        let now = MessageId::new();
        assert!(now.next().as_bytes() > now.as_bytes());
    }
}

//! A saved message, its id and its body.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::Error as _};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{RoomRef, Timestamp, User, parse::parsed};

/// A message's id: a UUID of version 7 (RFC 9562), so ids sort by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(type = "string"))]
pub struct MessageId(Uuid);

impl MessageId {
    /// A new id, greater than all ids that this process created before.
    pub fn new() -> Self {
        Self(Uuid::now_v7())
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
    /// The message's id, unique on all servers.
    pub id: MessageId,
    /// The room; in a direct message `dm:<the other user's id>`, as seen by the reader.
    pub room: RoomRef,
    /// The message's number in its room: 1, 2, 3 ... without gaps. It never changes. Below 2^53.
    pub offset: u64,
    /// The room's revision at the last change of this message: its post, edit or deletion. Below 2^53.
    pub revision: u64,
    /// The author, with the name at the time of the post.
    pub from: User,
    /// When the message was saved.
    pub at: Timestamp,
    /// When the message was last edited; absent if never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<Timestamp>,
    /// When the message was deleted; absent if it was not. The body is then `{}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
    /// The sender's key, by which a retry is recognised. 1 to 128 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// The payload's own fields, byte for byte.
    pub body: Body,
}

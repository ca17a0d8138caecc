//! Reads domain types from rows.

use anyhow::{Context, Result, anyhow};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::model::{Body, Message, MessageId, Room, RoomRef, Timestamp, User, UserId};

/// The columns of a message, with its room's number and key: what [`StoredMessage::from_row`] reads, from the first
/// column on.
macro_rules! message_columns {
    () => {
        "messages.room_offset, messages.id, messages.revision, messages.user_id, messages.user_name, messages.at,
         messages.edited_at, messages.deleted_at, messages.idempotency_key, messages.body, rooms.id, rooms.key"
    };
}

pub(super) use message_columns;

/// A message with its room.
#[derive(Debug, Clone)]
pub(super) struct StoredMessage {
    /// The room's number.
    pub(super) room_id: i64,
    pub(super) room: Room,
    /// Its `room` is as the author sees it.
    pub(super) message: Message,
}

impl StoredMessage {
    /// From the columns of [`message_columns`]; `None` if they are NULL.
    pub(super) fn from_row(row: &Row) -> Result<Option<Self>> {
        if row.get::<_, Option<i64>>(0).is_none() {
            return Ok(None);
        }
        let room = room(row.get(11))?;
        let author = user_id(row.get(3))?;
        let seen_as = room.for_reader(&author);
        Ok(Some(Self { room_id: row.get(10), message: message(row, &seen_as)?, room }))
    }
}

/// A message from its first ten columns, as a reader sees it who calls its room `seen_as`.
pub(super) fn message(row: &Row, seen_as: &RoomRef) -> Result<Message> {
    let from = User::new(user_id(row.get(3))?, row.get(4)).map_err(invalid)?;
    let key: Option<&[u8]> = row.get(8);
    let key = key.map(|key| String::from_utf8(key.to_vec())).transpose().context("an idempotency key is no text")?;
    Ok(Message {
        room: seen_as.clone(),
        offset: number(row.get(0)),
        id: MessageId::from_bytes(row.get::<_, Uuid>(1).into_bytes()),
        revision: number(row.get(2)),
        from,
        at: timestamp(row.get(5)),
        edited_at: row.get::<_, Option<i64>>(6).map(timestamp),
        deleted_at: row.get::<_, Option<i64>>(7).map(timestamp),
        idempotency_key: key,
        body: Body::from_json(row.get::<_, &str>(9)),
    })
}

/// A room from its key.
pub(super) fn room(key: &str) -> Result<Room> {
    Room::from_key(key).ok_or_else(|| anyhow!("the store holds an invalid room: {key:?}"))
}

/// A user's id.
pub(super) fn user_id(text: &str) -> Result<UserId> {
    UserId::parse(text).map_err(invalid)
}

/// The error for a stored value that does not parse. The server checks values before it stores them, so another program
/// must have written this one.
pub(super) fn invalid(sentence: String) -> anyhow::Error {
    anyhow!("the store holds an invalid value: {sentence}")
}

/// A number that is never negative.
pub(super) fn number(value: i64) -> u64 {
    value.max(0) as u64
}

pub(super) fn timestamp(millis: i64) -> Timestamp {
    Timestamp::from_millis(number(millis))
}

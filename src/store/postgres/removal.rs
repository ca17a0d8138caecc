//! What removes messages, and what finds the messages to remove.

use std::collections::HashMap;

use anyhow::Result;
use deadpool_postgres::Object;
use tokio_postgres::Row;
use uuid::Uuid;

use super::rows::{self, number, timestamp};
use crate::{
    model::{MessageId, Room, Timestamp, UserId},
    store::{
        command::Needs,
        reads::{FoundMessages, RoomContents, SCANNED, ScanPlace},
        tables::OldMessage,
    },
};

/// What a group removes from a room.
#[derive(Default)]
pub(super) struct Removal {
    /// The removed messages.
    pub(super) offsets: Vec<u64>,
    /// The room's highest removed offset and revision, if they are below these.
    pub(super) offset: u64,
    pub(super) revision: u64,
}

/// The rooms whose oldest messages are needed, and how many of each: enough for all commands of the group, since each
/// may remove as many as it asks for.
pub(super) fn wanted(needs: &Needs) -> (Vec<String>, Vec<i64>) {
    let mut wanted: HashMap<String, i64> = HashMap::new();
    for (room, limit) in &needs.oldest {
        *wanted.entry(room.key().into_owned()).or_default() += *limit as i64;
    }
    wanted.into_iter().unzip()
}

/// A room's number and one of its oldest messages.
pub(super) fn old_message(row: &Row) -> (i64, OldMessage) {
    let (offset, revision) = (number(row.get(1)), number(row.get(2)));
    (row.get(0), OldMessage { offset, revision, at: timestamp(row.get(3)), bytes: number(row.get(4)) })
}

pub(super) const CONTENTS: &str = "SELECT key, newest_offset - removed_offset, (SELECT at FROM messages
        WHERE messages.room = rooms.id AND room_offset > rooms.removed_offset ORDER BY room_offset LIMIT 1)
    FROM rooms WHERE key > $1 ORDER BY key LIMIT $2";

/// How much rooms hold, in the order of their keys, beginning after the room `after`.
pub(super) async fn contents(client: &Object, after: Option<&Room>, limit: usize) -> Result<Vec<RoomContents>> {
    let select = client.prepare_cached(CONTENTS).await?;
    let after = after.map(Room::key).unwrap_or_default();
    let rows = client.query(&select, &[&after, &(limit as i64)]).await?;
    let contents = |row: &Row| {
        let oldest: Option<Timestamp> = row.get::<_, Option<i64>>(2).map(timestamp);
        Ok(RoomContents { room: rows::room(row.get(0))?, messages: number(row.get(1)), oldest })
    };
    rows.iter().map(contents).collect()
}

/// In the order of rooms and offsets.
pub(super) const MESSAGES_OF: &str = "SELECT room, room_offset, CASE WHEN user_id = $1 THEN id END FROM messages
    WHERE (room, room_offset) > ($2, $3) ORDER BY room, room_offset LIMIT $4";

/// One step of a search for all messages of a user.
pub(super) async fn messages_of(client: &Object, user: &UserId, from: ScanPlace) -> Result<FoundMessages> {
    let select = client.prepare_cached(MESSAGES_OF).await?;
    let rows = client.query(&select, &[&user.as_str(), &from.0, &from.1, &(SCANNED as i64)]).await?;
    let id = |row: &Row| row.get::<_, Option<Uuid>>(2).map(|id| MessageId::from_bytes(id.into_bytes()));
    let next = rows.last().filter(|_| rows.len() == SCANNED).map(|row| ScanPlace(row.get(0), row.get(1)));
    Ok(FoundMessages { messages: rows.iter().filter_map(id).collect(), scanned: rows.len() as u64, next })
}

/// Number of idempotency keys of a user.
pub(super) async fn key_count(client: &Object, user: &UserId) -> Result<u64> {
    let count = client.prepare_cached("SELECT count(*) FROM idempotency_keys WHERE user_id = $1").await?;
    Ok(number(client.query_one(&count, &[&user.as_str()]).await?.get(0)))
}

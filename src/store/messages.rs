//! Queries that read messages.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    chain::{newest_offset, number_of, numbers, numbers_upwards},
    tables::newest_change,
};
use crate::{
    error::Result,
    model::{Body, Message, MessageId, Room, RoomRef, Timestamp, User, UserId},
    protocol::{Head, PAGE_DEFAULT, PAGE_MAX, Page},
};

/// The columns that [`from_row`] reads, in this order.
pub(super) const COLUMNS: &str =
    "offset, id, revision, user_id, user_name, at, edited_at, deleted_at, idempotency_key, body";

/// [`COLUMNS`] with the table's name, for joins.
fn columns_of_messages() -> String {
    COLUMNS.split(", ").map(|column| format!("messages.{column}")).collect::<Vec<_>>().join(", ")
}

/// Which messages a page holds.
#[derive(Debug, Clone, Copy)]
pub enum Direction {
    /// The newest ones.
    Last,
    /// Those directly before an offset.
    Before(u64),
    /// Those directly after an offset.
    After(u64),
}

/// The result of [`catch_up`].
#[derive(Debug)]
pub struct CaughtUp {
    /// The room's head, from the same snapshot as the messages.
    pub head: Head,
    /// In revision order; in offset order if no revision was given.
    pub messages: Vec<Message>,
    /// Whether there are more messages.
    pub more: bool,
    /// The given revision is beyond the room's: the client knows another database.
    pub reset: bool,
}

pub(super) fn from_row(row: &Row<'_>, room: &RoomRef) -> rusqlite::Result<Message> {
    let id: UserId = UserId::parse(row.get_ref(3)?.as_str()?).map_err(|text| invalid(3, text))?;
    let from = User::new(id, row.get_ref(4)?.as_str()?).map_err(|text| invalid(4, text))?;
    Ok(Message {
        room: room.clone(),
        offset: row.get(0)?,
        id: MessageId::from_bytes(row.get(1)?),
        revision: row.get(2)?,
        from,
        at: Timestamp::from_millis(row.get(5)?),
        edited_at: row.get::<_, Option<u64>>(6)?.map(Timestamp::from_millis),
        deleted_at: row.get::<_, Option<u64>>(7)?.map(Timestamp::from_millis),
        idempotency_key: row.get(8)?,
        body: Body::from_json(row.get_ref(9)?.as_str()?),
    })
}

/// A message, as its author sees it, and its room.
pub(super) fn by_id(db: &Connection, id: MessageId) -> rusqlite::Result<Option<(Room, Message)>> {
    number_of(db, id)?.map(|number| by_number(db, number)).transpose()
}

/// A message, as its author sees it, and its room.
pub(super) fn by_number(db: &Connection, number: i64) -> rusqlite::Result<(Room, Message)> {
    let sql = format!(
        "SELECT {}, rooms.key FROM messages JOIN rooms ON rooms.id = messages.room WHERE number = ?",
        columns_of_messages()
    );
    db.prepare_cached(&sql)?.query_row([number], |row| {
        let key: String = row.get("key")?;
        let author = UserId::parse(row.get_ref("user_id")?.as_str()?).map_err(|text| invalid(3, text))?;
        let room = Room::from_key(&key).ok_or_else(|| invalid(0, key))?;
        let message = from_row(row, &room.for_reader(&author))?;
        Ok((room, message))
    })
}

/// The error for a stored value that does not parse. Values are checked before they are stored, so another program
/// wrote it.
pub(super) fn invalid(column: usize, text: String) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, text.into())
}

pub(super) fn room_id(db: &Connection, room: &Room) -> rusqlite::Result<Option<i64>> {
    db.prepare_cached("SELECT id FROM rooms WHERE key = ?")?.query_row([room.key()], |row| row.get(0)).optional()
}

pub(super) fn head(db: &Connection, room: i64) -> rusqlite::Result<Head> {
    let offset = newest_offset(db, room)?;
    Ok(Head { offset, revision: offset + newest_change(db, room)? })
}

pub(super) fn head_of(db: &Connection, room: &Room) -> Result<Head, rusqlite::Error> {
    let Some(id) = room_id(db, room)? else { return Ok(Head { offset: 0, revision: 0 }) };
    head(db, id)
}

pub(super) fn page(
    db: &Connection,
    room: &Room,
    reader: &UserId,
    direction: Direction,
    limit: usize,
) -> Result<Page, rusqlite::Error> {
    let Some(id) = room_id(db, room)? else { return Ok(Page { messages: Vec::new(), more: false }) };
    let room = room.for_reader(reader);
    let newest = newest_offset(db, id)?;
    let end = match direction {
        Direction::Last => newest,
        Direction::Before(offset) => newest.min(offset.saturating_sub(1)),
        Direction::After(offset) => {
            let after = numbers_upwards(db, id, offset.min(newest) + 1..=newest);
            let (messages, more) = cut(messages_of(db, after, &room)?, limit)?;
            return Ok(Page { messages, more });
        }
    };
    // One message more than `limit` shows whether there are more.
    let before = numbers(db, id, end.saturating_sub(limit as u64)..=end)?;
    let (mut messages, more) = cut(messages_of(db, before.into_iter().map(Ok), &room)?, limit)?;
    messages.reverse();
    Ok(Page { messages, more })
}

/// Most bytes of bodies in one page. A page holds at least one message, whatever its size.
const PAGE_BYTES: usize = 1 << 20;

/// The messages with these numbers, each read lazily.
fn messages_of<'a>(
    db: &'a Connection,
    numbers: impl Iterator<Item = rusqlite::Result<i64>> + 'a,
    room: &'a RoomRef,
) -> rusqlite::Result<impl Iterator<Item = rusqlite::Result<Message>> + 'a> {
    let mut find = db.prepare_cached(&format!("SELECT {COLUMNS} FROM messages WHERE number = ?"))?;
    Ok(numbers.map(move |number| find.query_row([number?], |row| from_row(row, room))))
}

/// Up to `limit` messages and [`PAGE_BYTES`], and whether there are more.
fn cut(found: impl Iterator<Item = rusqlite::Result<Message>>, limit: usize) -> rusqlite::Result<(Vec<Message>, bool)> {
    let (mut messages, mut bytes) = (Vec::new(), 0);
    for message in found {
        let message = message?;
        bytes += message.body.as_str().len();
        if messages.len() == limit || (bytes > PAGE_BYTES && !messages.is_empty()) {
            return Ok((messages, true));
        }
        messages.push(message);
    }
    Ok((messages, false))
}

pub(super) fn catch_up(
    db: &Connection,
    room: &Room,
    reader: &UserId,
    since: Option<u64>,
) -> Result<CaughtUp, rusqlite::Error> {
    let head = head_of(db, room)?;
    match since {
        Some(since) if since <= head.revision => {
            let (messages, more) = changed_after(db, room, reader, since, head.offset)?;
            Ok(CaughtUp { head, messages, more, reset: false })
        }
        _ => {
            let Page { messages, more } = page(db, room, reader, Direction::Last, PAGE_DEFAULT)?;
            Ok(CaughtUp { head, messages, more, reset: since.is_some() })
        }
    }
}

/// The messages changed after a revision, up to the offset `newest`, in revision order, at most [`PAGE_MAX`]; and
/// whether there are more.
fn changed_after(
    db: &Connection,
    room: &Room,
    reader: &UserId,
    since: u64,
    newest: u64,
) -> rusqlite::Result<(Vec<Message>, bool)> {
    let Some(id) = room_id(db, room)? else { return Ok((Vec::new(), false)) };
    let room = room.for_reader(reader);
    // A revision counts messages and changes: `since` minus the number of changes until then is an offset.
    let changes: u64 = db
        .prepare_cached("SELECT nth FROM changes WHERE room = ? AND revision <= ? ORDER BY revision DESC LIMIT 1")?
        .query_row(params![id, since], |row| row.get(0))
        .optional()?
        .unwrap_or(0);
    let posts = messages_of(db, numbers_upwards(db, id, since - changes.min(since) + 1..=newest), &room)?;
    let is_as_posted = |message: &Message| message.edited_at.is_none() && message.deleted_at.is_none();
    let posts = cut(posts.filter(|message| message.as_ref().map_or(true, is_as_posted)), PAGE_MAX)?;
    let sql = format!(
        "SELECT {} FROM changes
         JOIN messages ON messages.number = changes.message AND messages.revision = changes.revision
         WHERE changes.room = ? AND changes.revision > ? ORDER BY changes.revision LIMIT ?",
        columns_of_messages()
    );
    let mut changed = db.prepare_cached(&sql)?;
    let changed = changed.query_map(params![id, since, PAGE_MAX + 1], |row| from_row(row, &room))?;
    let changed = cut(changed, PAGE_MAX)?;
    // Of two lists, one that was cut ends early; the result is complete only up to its last revision.
    let cut = [&posts, &changed].into_iter().filter(|(_, more)| *more);
    let complete = cut.filter_map(|(messages, _)| messages.last()).map(|last| last.revision).min();
    let mut messages: Vec<Message> = posts.0.into_iter().chain(changed.0).collect();
    messages.retain(|message| complete.is_none_or(|complete| message.revision <= complete));
    messages.sort_unstable_by_key(|message| message.revision);
    let more = complete.is_some() || messages.len() > PAGE_MAX;
    messages.truncate(PAGE_MAX);
    Ok((messages, more))
}

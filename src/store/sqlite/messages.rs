//! Queries that read messages.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{
    model::{Body, Message, MessageId, Room, RoomRef, Timestamp, User, UserId},
    protocol::{Head, PAGE_DEFAULT, PAGE_MAX, Page},
    store::reads::{CatchUp, Direction, cut, merge},
};

/// The columns that [`from_row`] reads, in this order.
pub(super) const COLUMNS: &str =
    "offset, id, revision, user_id, user_name, at, edited_at, deleted_at, idempotency_key, body";

/// [`COLUMNS`] with the table's name, for joins.
fn columns_of_messages() -> String {
    COLUMNS.split(", ").map(|column| format!("messages.{column}")).collect::<Vec<_>>().join(", ")
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

/// The message with this id, and its room. In a direct message, the message's `room` names the other user, not the
/// author.
pub(super) fn by_id(db: &Connection, id: MessageId) -> rusqlite::Result<Option<(Room, Message)>> {
    let mut find = db.prepare_cached(&by_id_sql())?;
    find.query_row([id.as_bytes()], |row| {
        let key: String = row.get("key")?;
        let author = UserId::parse(row.get_ref("user_id")?.as_str()?).map_err(|text| invalid(3, text))?;
        let room = Room::from_key(&key).ok_or_else(|| invalid(0, key))?;
        let message = from_row(row, &room.for_reader(&author))?;
        Ok((room, message))
    })
    .optional()
}

fn by_id_sql() -> String {
    let columns = columns_of_messages();
    format!("SELECT {columns}, rooms.key FROM messages JOIN rooms ON rooms.id = messages.room WHERE messages.id = ?")
}

/// The message with this offset; `None` if there is none, or it was removed.
pub(super) fn by_offset(
    db: &Connection,
    room_id: i64,
    offset: u64,
    room: &RoomRef,
) -> rusqlite::Result<Option<Message>> {
    let mut find = db.prepare_cached(&by_offset_sql())?;
    find.query_row(params![room_id, offset], |row| from_row(row, room)).optional()
}

fn by_offset_sql() -> String {
    format!("SELECT {COLUMNS} FROM messages WHERE room = ? AND offset = ?")
}

/// The error for a stored value that does not parse. The server checks values before it stores them, so another program
/// must have written this one.
pub(super) fn invalid(column: usize, text: String) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, text.into())
}

pub(super) fn room_id(db: &Connection, room: &Room) -> rusqlite::Result<Option<i64>> {
    db.prepare_cached("SELECT id FROM rooms WHERE key = ?")?.query_row([room.key()], |row| row.get(0)).optional()
}

/// A room's row, as readers need it.
struct StoredHead {
    id: i64,
    head: Head,
    removed_revision: u64,
}

fn stored_head(db: &Connection, room: &Room) -> rusqlite::Result<Option<StoredHead>> {
    let mut find = db.prepare_cached("SELECT id, offset, revision, removed_revision FROM rooms WHERE key = ?")?;
    find.query_row([room.key()], |row| {
        let head = Head { offset: row.get(1)?, revision: row.get(2)? };
        Ok(StoredHead { id: row.get(0)?, head, removed_revision: row.get(3)? })
    })
    .optional()
}

pub(super) fn page(
    db: &Connection,
    room: &Room,
    reader: &UserId,
    direction: Direction,
    limit: usize,
) -> rusqlite::Result<Page> {
    let Some(id) = room_id(db, room)? else { return Ok(Page { messages: Vec::new(), more: false }) };
    page_of(db, id, &room.for_reader(reader), direction, limit)
}

/// [`page`], of the room with this id.
fn page_of(db: &Connection, id: i64, room: &RoomRef, direction: Direction, limit: usize) -> rusqlite::Result<Page> {
    let (sql, offset) = match direction {
        Direction::Last => (page_sql("<=", "DESC"), i64::MAX as u64),
        Direction::Before(offset) => (page_sql("<", "DESC"), offset),
        Direction::After(offset) => (page_sql(">", "ASC"), offset),
    };
    let mut select = db.prepare_cached(&sql)?;
    // One message more than `limit` shows whether there are more.
    let found = select.query_map(params![id, offset.min(i64::MAX as u64), limit + 1], |row| from_row(row, room))?;
    let (mut messages, more) = cut(found, limit)?;
    if !matches!(direction, Direction::After(_)) {
        messages.reverse();
    }
    Ok(Page { messages, more })
}

fn page_sql(comparison: &str, order: &str) -> String {
    format!("SELECT {COLUMNS} FROM messages WHERE room = ? AND offset {comparison} ? ORDER BY offset {order} LIMIT ?")
}

pub(super) fn catch_up(db: &Connection, room: &Room, reader: &UserId, since: Option<u64>) -> rusqlite::Result<CatchUp> {
    let Some(stored) = stored_head(db, room)? else {
        let head = Head { offset: 0, revision: 0 };
        return Ok(CatchUp { head, messages: Vec::new(), more: false, reset: since.is_some_and(|since| since > 0) });
    };
    let room = room.for_reader(reader);
    match since {
        Some(since) if (stored.removed_revision..=stored.head.revision).contains(&since) => {
            let (messages, more) = changed_after(db, &stored, &room, since)?;
            Ok(CatchUp { head: stored.head, messages, more, reset: false })
        }
        _ => {
            let Page { messages, more } = page_of(db, stored.id, &room, Direction::Last, PAGE_DEFAULT)?;
            Ok(CatchUp { head: stored.head, messages, more, reset: since.is_some() })
        }
    }
}

const NEXT_CHANGE: &str = "SELECT nth FROM changes WHERE room = ? AND revision > ? ORDER BY revision LIMIT 1";

fn posts_sql() -> String {
    format!(
        "SELECT {COLUMNS} FROM messages WHERE room = ? AND offset > ? AND revision > ?
         AND edited_at IS NULL AND deleted_at IS NULL ORDER BY offset"
    )
}

fn changed_sql() -> String {
    let columns = columns_of_messages();
    format!(
        "SELECT {columns} FROM changes CROSS JOIN messages ON messages.room = changes.room
         AND messages.offset = changes.offset AND messages.revision = changes.revision
         WHERE changes.room = ? AND changes.revision > ? ORDER BY changes.revision LIMIT ?"
    )
}

/// The messages changed after a revision, in revision order, at most [`PAGE_MAX`]; and whether there are more.
fn changed_after(
    db: &Connection,
    stored: &StoredHead,
    room: &RoomRef,
    since: u64,
) -> rusqlite::Result<(Vec<Message>, bool)> {
    let StoredHead { id, head, .. } = stored;
    // A revision is the newest offset plus the number of changes so far. The first change after `since` tells how many
    // there were before it. If rows of `changes` were removed, this is more than there were up to `since`: then the
    // range of offsets begins too early, and the condition on the revision leaves the others out.
    let next_change = db.prepare_cached(NEXT_CHANGE)?.query_row(params![id, since], |row| row.get::<_, u64>(0));
    let changes = match next_change.optional()? {
        Some(nth) => nth.saturating_sub(1),
        None => head.revision.saturating_sub(head.offset),
    };
    let mut posts = db.prepare_cached(&posts_sql())?;
    let posts = posts.query_map(params![id, since.saturating_sub(changes), since], |row| from_row(row, room))?;
    let posts = cut(posts, PAGE_MAX)?;
    let mut changed = db.prepare_cached(&changed_sql())?;
    let changed = changed.query_map(params![id, since, PAGE_MAX + 1], |row| from_row(row, room))?;
    let changed = cut(changed, PAGE_MAX)?;
    Ok(merge(posts, changed))
}

#[cfg(test)]
mod tests;

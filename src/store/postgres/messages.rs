//! Queries that read messages.

use anyhow::Result;
use deadpool_postgres::Object;
use tokio_postgres::Row;
use uuid::Uuid;

use super::rows::{self, StoredMessage, message_columns, number};
use crate::{
    model::{Message, MessageId, Room, RoomRef, UserId},
    protocol::{Head, PAGE_DEFAULT, PAGE_MAX, Page},
    store::reads::{CatchUp, Direction, PAGE_BYTES, cut, merge},
};

pub(super) const BY_ID: &str = concat!(
    "SELECT ",
    message_columns!(),
    " FROM messages JOIN rooms ON rooms.id = messages.room WHERE messages.id = $1"
);

/// The message with this id, and its room. In a direct message, the message's `room` names the other user, not the
/// author.
pub(super) async fn by_id(client: &Object, id: MessageId) -> Result<Option<(Room, Message)>> {
    let select = client.prepare_cached(BY_ID).await?;
    let Some(row) = client.query_opt(&select, &[&Uuid::from_bytes(*id.as_bytes())]).await? else { return Ok(None) };
    Ok(StoredMessage::from_row(&row)?.map(|stored| (stored.room, stored.message)))
}

/// The columns of a message without its room.
macro_rules! columns {
    () => {
        "room_offset, id, revision, user_id, user_name, at, edited_at, deleted_at, idempotency_key, body"
    };
}

/// A page of the room `$1`: the messages on one side of the offset `$2`, at most `$3`. What is beyond `$4` bytes is left
/// out, except for the first message that is: it shows that there are more.
macro_rules! page_sql {
    ($comparison:literal, $order:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM (SELECT *, sum(octet_length(body)) OVER (ORDER BY room_offset ",
            $order,
            ") - octet_length(body) AS bytes_before, row_number() OVER (ORDER BY room_offset ",
            $order,
            ") AS place FROM (SELECT ",
            columns!(),
            " FROM messages WHERE room = (SELECT id FROM rooms WHERE key = $1) AND room_offset ",
            $comparison,
            " $2 ORDER BY room_offset ",
            $order,
            " LIMIT $3) AS page) AS page WHERE bytes_before <= $4 OR place <= 2 ORDER BY room_offset ",
            $order
        )
    };
}

pub(super) const PAGE_BEFORE: &str = page_sql!("<", "DESC");
pub(super) const PAGE_AFTER: &str = page_sql!(">", "ASC");

pub(super) async fn page(
    client: &Object,
    room: &Room,
    reader: &UserId,
    direction: Direction,
    limit: usize,
) -> Result<Page> {
    let (sql, offset) = match direction {
        Direction::Last => (PAGE_BEFORE, u64::MAX),
        Direction::Before(offset) => (PAGE_BEFORE, offset),
        Direction::After(offset) => (PAGE_AFTER, offset),
    };
    let select = client.prepare_cached(sql).await?;
    let offset = offset.min(i64::MAX as u64) as i64;
    // One message more than `limit` shows whether there are more.
    let (limit_of_rows, bytes) = (limit as i64 + 1, PAGE_BYTES as i64);
    let rows = client.query(&select, &[&room.key(), &offset, &limit_of_rows, &bytes]).await?;
    let seen_as = room.for_reader(reader);
    let (mut messages, more) = cut(rows.iter().map(|row| rows::message(row, &seen_as)), limit)?;
    if !matches!(direction, Direction::After(_)) {
        messages.reverse();
    }
    Ok(Page { messages, more })
}

/// The head of the room `$1`, and the posts and the changed messages after the revision `$2`: at most `$3` of each.
///
/// A revision is the newest offset plus the number of changes so far. The first change after `$2` tells how many there
/// were before it. If rows of `changes` were removed, this is more than there were: then the range of offsets begins too
/// early, and the condition on the revision leaves the others out.
pub(super) const CHANGED_AFTER: &str = concat!(
    "SELECT ",
    columns!(),
    ", head.newest_offset, head.head_revision, head.removed_revision, found.is_post
     FROM (SELECT id AS room, newest_offset, revision AS head_revision, removed_revision, coalesce(
            (SELECT nth - 1 FROM changes WHERE room = rooms.id AND revision > $2 ORDER BY revision LIMIT 1),
            revision - newest_offset) AS changes_before
        FROM rooms WHERE key = $1) AS head
     LEFT JOIN LATERAL (
        (SELECT true AS is_post, ",
    columns!(),
    " FROM messages WHERE messages.room = head.room AND room_offset > greatest($2 - head.changes_before, 0)
            AND revision > $2 AND edited_at IS NULL AND deleted_at IS NULL ORDER BY room_offset LIMIT $3)
        UNION ALL
        (SELECT false AS is_post, messages.room_offset, messages.id, messages.revision, messages.user_id,
            messages.user_name, messages.at, messages.edited_at, messages.deleted_at, messages.idempotency_key,
            messages.body
         FROM changes JOIN messages ON messages.room = changes.room AND messages.room_offset = changes.room_offset
            AND messages.revision = changes.revision
         WHERE changes.room = head.room AND changes.revision > $2 ORDER BY changes.revision LIMIT $3)
     ) AS found ON $2 BETWEEN head.removed_revision AND head.head_revision
     ORDER BY found.revision"
);

/// The head of the room `$1` and its newest messages, at most `$2`, newest first.
pub(super) const HEAD_AND_NEWEST: &str = concat!(
    "SELECT ",
    columns!(),
    ", head.newest_offset, head.head_revision
     FROM (SELECT id AS room, newest_offset, revision AS head_revision FROM rooms WHERE key = $1) AS head
     LEFT JOIN LATERAL (SELECT ",
    columns!(),
    " FROM messages WHERE messages.room = head.room ORDER BY room_offset DESC LIMIT $2) AS found ON true
     ORDER BY found.room_offset DESC"
);

pub(super) async fn catch_up(client: &Object, room: &Room, reader: &UserId, since: Option<u64>) -> Result<CatchUp> {
    let seen_as = room.for_reader(reader);
    if let Some(since) = since
        && let Some(found) = changed_after(client, room, &seen_as, since).await?
    {
        return Ok(found);
    }
    let select = client.prepare_cached(HEAD_AND_NEWEST).await?;
    let rows = client.query(&select, &[&room.key(), &(PAGE_DEFAULT as i64 + 1)]).await?;
    let Some(first) = rows.first() else {
        let head = Head { offset: 0, revision: 0 };
        return Ok(CatchUp { head, messages: Vec::new(), more: false, reset: since.is_some_and(|since| since > 0) });
    };
    let head = head(first);
    let (mut messages, more) = cut(rows.iter().filter_map(|row| message(row, &seen_as)), PAGE_DEFAULT)?;
    messages.reverse();
    Ok(CatchUp { head, messages, more, reset: since.is_some() })
}

/// What changed after the revision `since`; `None` if the room is not stored or cannot tell.
async fn changed_after(client: &Object, room: &Room, seen_as: &RoomRef, since: u64) -> Result<Option<CatchUp>> {
    let select = client.prepare_cached(CHANGED_AFTER).await?;
    let revision = since.min(i64::MAX as u64) as i64;
    let rows = client.query(&select, &[&room.key(), &revision, &(PAGE_MAX as i64 + 1)]).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let (head, removed_revision) = (head(first), number(first.get(12)));
    if !(removed_revision..=head.revision).contains(&since) {
        return Ok(None);
    }
    let (mut posts, mut changed) = (Vec::new(), Vec::new());
    for row in &rows {
        if let Some(message) = message(row, seen_as) {
            let list = if row.get(13) { &mut posts } else { &mut changed };
            list.push(message);
        }
    }
    let (messages, more) = merge(cut(posts.into_iter(), PAGE_MAX)?, cut(changed.into_iter(), PAGE_MAX)?);
    Ok(Some(CatchUp { head, messages, more, reset: false }))
}

fn head(row: &Row) -> Head {
    Head { offset: number(row.get(10)), revision: number(row.get(11)) }
}

/// The message of a row; `None` if the room has none.
fn message(row: &Row, seen_as: &RoomRef) -> Option<Result<Message>> {
    row.get::<_, Option<i64>>(0).map(|_| rows::message(row, seen_as))
}

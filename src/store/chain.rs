//! Finding messages by offset and by id. `number` is the row number in order of arrival over all rooms, so that a
//! commit writes few pages; `previous` is the number of the previous message of the same room. Two partial indexes
//! hold every 32nd message: one by room and offset, one by id.

use std::ops::RangeInclusive;

use rusqlite::{Connection, OptionalExtension, params};

use crate::model::MessageId;

/// One of so many messages is in the index by offset. The queries below and the migration contain the same number.
const MARKED: u64 = 32;

/// The offset of the room's newest message; 0 in an empty room.
pub(super) fn newest_offset(db: &Connection, room: i64) -> rusqlite::Result<u64> {
    let mut newest =
        db.prepare_cached("SELECT offset FROM messages WHERE number = (SELECT newest FROM rooms WHERE id = ?)")?;
    Ok(newest.query_row([room], |row| row.get(0)).optional()?.unwrap_or(0))
}

/// The numbers of a room's messages with these offsets, in descending order.
pub(super) fn numbers(db: &Connection, room: i64, offsets: RangeInclusive<u64>) -> rusqlite::Result<Vec<i64>> {
    let mut walk = db.prepare_cached(
        "WITH RECURSIVE chain (number, offset, previous) AS (
           SELECT number, offset, previous FROM messages WHERE number = coalesce(
             (SELECT number FROM messages WHERE room = ?1 AND offset >= ?3 AND offset % 32 = 0 ORDER BY offset LIMIT 1),
             (SELECT newest FROM rooms WHERE id = ?1))
           UNION ALL
           SELECT messages.number, messages.offset, messages.previous
             FROM chain JOIN messages ON messages.number = chain.previous WHERE chain.offset > ?2
         ) SELECT number FROM chain WHERE offset BETWEEN ?2 AND ?3",
    )?;
    walk.query_map(params![room, offsets.start(), offsets.end()], |row| row.get(0))?.collect()
}

/// The numbers of a room's messages with these offsets, in ascending order. Queries run lazily, one block at a time.
pub(super) fn numbers_upwards(
    db: &Connection,
    room: i64,
    offsets: RangeInclusive<u64>,
) -> impl Iterator<Item = rusqlite::Result<i64>> {
    let (mut next, last) = offsets.into_inner();
    let mut block = Vec::new();
    std::iter::from_fn(move || {
        while block.is_empty() && next <= last {
            let end = next.next_multiple_of(MARKED).min(last);
            match numbers(db, room, next..=end) {
                Ok(found) => block = found,
                Err(error) => return Some(Err(error)),
            }
            next = end + 1;
        }
        block.pop().map(Ok)
    })
}

/// The number of the message with this id.
pub(super) fn number_of(db: &Connection, id: MessageId) -> rusqlite::Result<Option<i64>> {
    let mut before =
        db.prepare_cached("SELECT number FROM messages WHERE id <= ? AND number % 32 = 0 ORDER BY id DESC LIMIT 1")?;
    let before: i64 = before.query_row([id.as_bytes()], |row| row.get(0)).optional()?.unwrap_or(0);
    let mut find = db.prepare_cached("SELECT number FROM messages WHERE number BETWEEN ?1 AND ?1 + 31 AND id = ?2")?;
    find.query_row(params![before, id.as_bytes()], |row| row.get(0)).optional()
}

/// Number and id of the newest message of all rooms.
pub(super) fn newest(db: &Connection) -> rusqlite::Result<Option<(i64, MessageId)>> {
    let mut newest = db.prepare_cached("SELECT number, id FROM messages ORDER BY number DESC LIMIT 1")?;
    newest.query_row([], |row| Ok((row.get(0)?, MessageId::from_bytes(row.get(1)?)))).optional()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        metrics::Metrics,
        model::{Body, Message, Room, RoomName, Timestamp, User, UserId},
        store::{files, tables::Tables},
    };

    /// Three rooms of 400, 200 and 100 messages that arrive interleaved.
    fn database() -> Connection {
        let mut db = Connection::open_in_memory().unwrap();
        files::migrate(&mut db).unwrap();
        let metrics = Metrics::off();
        let mut tables = Tables::new(&db, &metrics);
        let from = User::new(UserId::parse("ada").unwrap(), "Ada").unwrap();
        for name in ["a", "b", "a", "c", "a", "b", "a"].into_iter().cycle().take(700) {
            let room = Room::Named(RoomName::parse(name).unwrap());
            let state = tables.room_or_new(&room).unwrap();
            let (number, id) = tables.next().unwrap();
            let message = Message {
                id,
                room: room.for_reader(&from.id),
                offset: state.offset + 1,
                revision: state.revision() + 1,
                from: from.clone(),
                at: Timestamp::now(),
                edited_at: None,
                deleted_at: None,
                idempotency_key: None,
                body: Body::empty(),
            };
            let state = tables.insert(number, state, &message).unwrap();
            tables.remember(&room, state);
            // Clears the cache now and then, as a rollback or a full cache does.
            if number % 97 == 0 {
                tables.keep_newest().unwrap();
                tables.forget();
            }
        }
        tables.keep_newest().unwrap();
        drop(tables);
        db
    }

    fn all<T: rusqlite::types::FromSql>(db: &Connection, sql: &str, room: i64) -> Vec<T> {
        let mut select = db.prepare(sql).unwrap();
        select.query_map([room], |row| row.get(0)).unwrap().collect::<rusqlite::Result<_>>().unwrap()
    }

    #[test]
    fn numbers_of_every_offset_range_of_a_room_are_found() {
        let db = database();
        for (room, count) in [(1, 400), (2, 200), (3, 100)] {
            let numbers_in_order: Vec<i64> =
                all(&db, "SELECT number FROM messages WHERE room = ? ORDER BY offset", room);
            assert_eq!(newest_offset(&db, room).unwrap(), count);
            assert_eq!(numbers_in_order.len() as u64, count);
            for low in 1..=count {
                let from: Vec<i64> = numbers_upwards(&db, room, low..=count).map(Result::unwrap).collect();
                assert_eq!(from, numbers_in_order[low as usize - 1..]);
                for high in [low, low + 1, low + 31, low + 50, count, count + 50] {
                    let mut range = numbers(&db, room, low..=high).unwrap();
                    range.reverse();
                    assert_eq!(range, numbers_in_order[low as usize - 1..high.min(count) as usize]);
                }
            }
        }
        assert_eq!(numbers(&db, 4, 0..=9).unwrap(), [] as [i64; 0]);
    }

    #[test]
    fn every_stored_id_is_found_and_unknown_ids_are_not() {
        let db = database();
        let ids: Vec<[u8; 16]> = all(&db, "SELECT id FROM messages WHERE number > ? ORDER BY number", 0);
        assert!(ids.is_sorted());
        for (id, number) in ids.into_iter().zip(1..) {
            assert_eq!(number_of(&db, MessageId::from_bytes(id)).unwrap(), Some(number));
        }
        assert_eq!(number_of(&db, MessageId::from_bytes([0; 16])).unwrap(), None);
        assert_eq!(number_of(&db, MessageId::new()).unwrap(), None);
    }
}

//! Queries that read rooms.

use rusqlite::{Connection, OptionalExtension};

use super::messages::invalid;
use crate::{
    model::{Room, RoomName},
    protocol::Head,
    store::reads::{RoomNameQuery, StoredRoom, names_with_prefix},
};

pub(super) fn names(db: &Connection, which: &RoomNameQuery, limit: usize) -> rusqlite::Result<Vec<RoomName>> {
    let (start, is_left_out) = which.start();
    let from = if is_left_out { "key > ?" } else { "key >= ?" };
    let mut select = db.prepare_cached(&format!("SELECT key FROM rooms WHERE {from} ORDER BY key LIMIT ?"))?;
    let keys = select.query_map((start, limit), |row| row.get::<_, String>(0))?;
    names_with_prefix(keys, &which.prefix, |text| invalid(0, text))
}

/// Head and member count of each room; `None` for a room that is not stored.
pub(super) fn stored(db: &Connection, names: &[RoomName]) -> rusqlite::Result<Vec<Option<StoredRoom>>> {
    let mut find =
        db.prepare_cached("SELECT offset, revision, member_count, offset - removed_offset FROM rooms WHERE key = ?")?;
    let stored = |name: &RoomName| {
        let room = Room::Named(name.clone());
        find.query_row([room.key()], |row| {
            let head = Head { offset: row.get(0)?, revision: row.get(1)? };
            Ok(StoredRoom { head, member_count: row.get(2)?, message_count: row.get(3)? })
        })
        .optional()
    };
    names.iter().map(stored).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(db: &Connection, prefix: &str, after: Option<&str>, limit: usize) -> Vec<String> {
        let after = after.map(|name| RoomName::parse(name).unwrap());
        let found = names(db, &RoomNameQuery { prefix: prefix.to_owned(), after }, limit).unwrap();
        found.into_iter().map(String::from).collect()
    }

    #[test]
    fn room_names_are_sorted_and_without_direct_messages() {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(
            "CREATE TABLE rooms (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE);
             INSERT INTO rooms (key) VALUES (char(1) || 'dm:1:a:b'), (' x'), ('tea'), ('team'), ('tea-2'), ('é'), ('b');",
        )
        .unwrap();
        assert_eq!(find(&db, "", None, 9), [" x", "b", "tea", "tea-2", "team", "é"]);
        assert_eq!(find(&db, "", Some("tea"), 2), ["tea-2", "team"]);
        assert_eq!(find(&db, "tea", None, 2), ["tea", "tea-2"]);
        assert_eq!(find(&db, "tea", Some("tea-2"), 9), ["team"]);
        assert_eq!(find(&db, "tea", Some("a"), 9), ["tea", "tea-2", "team"]);
        assert_eq!(find(&db, "tea", Some("z"), 9), [] as [&str; 0]);
        assert_eq!(find(&db, "\u{1}", None, 9), [] as [&str; 0]);
    }
}

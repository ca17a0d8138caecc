//! Queries that read rooms.

use rusqlite::{Connection, OptionalExtension};

use super::messages::{self, invalid};
use crate::{
    model::{Room, RoomName},
    protocol::Head,
};

/// Lower bound for the keys of named rooms. Keys of direct messages begin with U+0001 and sort below it.
const FIRST: &str = " ";

/// Which room names to list. The list is sorted by name.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// Prefix of the names.
    pub prefix: String,
    /// Only names that sort after this one.
    pub after: Option<RoomName>,
}

/// The stored state of a room.
#[derive(Debug, Clone, Copy)]
pub struct Kept {
    /// Offset of the newest message, and revision.
    pub head: Head,
    /// Number of members.
    pub member_count: u64,
}

pub(super) fn names(db: &Connection, which: &Names, limit: usize) -> rusqlite::Result<Vec<RoomName>> {
    let prefix = which.prefix.as_str();
    let first = prefix.max(FIRST);
    let (from, bound) = match &which.after {
        Some(after) if after.as_str() >= first => ("key > ?", after.as_str()),
        _ => ("key >= ?", first),
    };
    let mut select = db.prepare_cached(&format!("SELECT key FROM rooms WHERE {from} ORDER BY key LIMIT ?"))?;
    let mut names = Vec::new();
    for key in select.query_map((bound, limit), |row| row.get::<_, String>(0))? {
        let key = key?;
        if !key.starts_with(prefix) {
            break;
        }
        names.push(RoomName::parse(&key).map_err(|text| invalid(0, text))?);
    }
    Ok(names)
}

/// Head and member count of each room; `None` for a room that is not stored.
pub(super) fn kept(db: &Connection, names: &[RoomName]) -> rusqlite::Result<Vec<Option<Kept>>> {
    let mut find = db.prepare_cached("SELECT id, member_count FROM rooms WHERE key = ?")?;
    let kept = |name: &RoomName| {
        let room = Room::Named(name.clone());
        let found = find.query_row([room.key()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let Some((id, member_count)) = found else { return Ok(None) };
        Ok(Some(Kept { head: messages::head(db, id)?, member_count }))
    };
    names.iter().map(kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(db: &Connection, prefix: &str, after: Option<&str>, limit: usize) -> Vec<String> {
        let after = after.map(|name| RoomName::parse(name).unwrap());
        let found = names(db, &Names { prefix: prefix.to_owned(), after }, limit).unwrap();
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

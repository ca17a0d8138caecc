//! The index of the search: an FTS5 table without the messages' texts. The writing thread keeps it, in the commits of the
//! messages.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};

use crate::{
    model::{Body, Message, UserId},
    store::search::Fields,
};

const TABLES: &str = include_str!("../../../migrations/sqlite/search.sql");

const DROP_TABLES: &str = "DROP TRIGGER IF EXISTS message_words_removed;
    DROP TABLE IF EXISTS message_words;
    DROP TABLE IF EXISTS search_index;";

/// The number at which a slice of messages begins that ends at a number.
pub(super) const SLICE_START: &str = "SELECT coalesce(min(number), 0) FROM
    (SELECT number FROM messages WHERE number <= ? ORDER BY number DESC LIMIT ?)";

pub(super) const SLICE: &str =
    "SELECT number, room, user_id, body FROM messages WHERE number BETWEEN ? AND ? ORDER BY number";

/// Creates an empty index of these fields, unless there is one. An index of other fields is removed. Returns whether there
/// is nothing left to index.
pub(super) fn create(db: &mut Connection, fields: Option<&Fields>) -> rusqlite::Result<bool> {
    let existing = existing(db)?;
    let wanted = fields.map(Fields::name);
    if existing != wanted {
        replace(db, wanted.as_deref())?;
    }
    match wanted {
        Some(_) => db.query_row("SELECT unindexed = 0 FROM search_index", [], |row| row.get(0)),
        None => Ok(true),
    }
}

/// The name of the index; `None` without one.
pub(super) fn existing(db: &Connection) -> rusqlite::Result<Option<String>> {
    match db.table_exists(Some("main"), "search_index")? {
        true => db.query_row("SELECT fields FROM search_index", [], |row| row.get(0)).optional(),
        false => Ok(None),
    }
}

/// Removes the index.
pub(super) fn remove(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch(DROP_TABLES)
}

/// Removes the index, and creates one with this name, if any.
fn replace(db: &mut Connection, wanted: Option<&str>) -> rusqlite::Result<()> {
    let transaction = db.transaction()?;
    remove(&transaction)?;
    if let Some(name) = wanted {
        transaction.execute_batch(TABLES)?;
        let begin = "INSERT INTO search_index SELECT ?, coalesce(max(number), 0) FROM messages";
        transaction.execute(begin, [name])?;
    }
    transaction.commit()
}

/// The writing thread's part of the index.
pub(super) struct WordIndex {
    fields: Fields,
    /// As in the table `search_index`; `None` before it was read.
    unindexed: Option<i64>,
    /// The words that the transaction has to write, by the numbers of the messages. FTS5 writes rows in ascending order
    /// at once, and in any other order one by one.
    pending: BTreeMap<i64, Pending>,
}

struct Pending {
    words: String,
    /// Whether the message was posted in this transaction.
    is_new: bool,
}

impl WordIndex {
    pub(super) fn new(fields: Fields) -> Self {
        Self { fields, unindexed: None, pending: BTreeMap::new() }
    }

    /// Forgets what was not committed.
    pub(super) fn clear(&mut self) {
        self.pending.clear();
        self.unindexed = None;
    }

    /// Adds the words of a new message.
    pub(super) fn insert(
        &mut self,
        db: &Connection,
        number: i64,
        room: i64,
        message: &Message,
    ) -> rusqlite::Result<()> {
        // The number of a removed message may be given again.
        if number > self.unindexed(db)? {
            let words = self.fields.words(&message.body, room, &message.from.id);
            self.pending.insert(number, Pending { words, is_new: true });
        }
        Ok(())
    }

    /// Replaces the words of a message.
    pub(super) fn replace(&mut self, db: &Connection, room: i64, message: &Message) -> rusqlite::Result<()> {
        let mut find = db.prepare_cached("SELECT number FROM messages WHERE room = ? AND offset = ?")?;
        let Some(number) = find.query_row(params![room, message.offset], |row| row.get(0)).optional()? else {
            return Ok(());
        };
        // A message that is not indexed yet is indexed later, as it is then.
        if number > self.unindexed(db)? {
            let words = self.fields.words(&message.body, room, &message.from.id);
            let is_new = self.pending.get(&number).is_some_and(|pending| pending.is_new);
            self.pending.insert(number, Pending { words, is_new });
        }
        Ok(())
    }

    /// Writes the words. Called at the end of each transaction.
    pub(super) fn write(&mut self, db: &Connection) -> rusqlite::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let mut insert = db.prepare_cached("INSERT INTO message_words (rowid, words) VALUES (?, ?)")?;
        for (number, Pending { words, is_new }) in &self.pending {
            if !is_new {
                db.prepare_cached("DELETE FROM message_words WHERE rowid = ?")?.execute([number])?;
                // It may have been removed after its change.
                if !db.prepare_cached("SELECT 1 FROM messages WHERE number = ?")?.exists([number])? {
                    continue;
                }
            }
            if !words.is_empty() {
                insert.execute(params![number, words])?;
            }
        }
        self.pending.clear();
        Ok(())
    }

    fn unindexed(&mut self, db: &Connection) -> rusqlite::Result<i64> {
        if let Some(unindexed) = self.unindexed {
            return Ok(unindexed);
        }
        let unindexed = db.query_row("SELECT unindexed FROM search_index", [], |row| row.get(0))?;
        self.unindexed = Some(unindexed);
        Ok(unindexed)
    }

    /// Indexes the newest messages that are not, at most `limit`. Returns whether some are left.
    pub(super) fn index_older(&mut self, db: &Connection, limit: usize) -> rusqlite::Result<bool> {
        let last = self.unindexed(db)?;
        if last == 0 {
            return Ok(false);
        }
        let mut find = db.prepare_cached(SLICE_START)?;
        let first: i64 = find.query_row(params![last, limit], |row| row.get(0))?;
        let mut select = db.prepare_cached(SLICE)?;
        let mut rows = select.query(params![first, last])?;
        let mut insert = db.prepare_cached("INSERT INTO message_words (rowid, words) VALUES (?, ?)")?;
        while let Some(row) = rows.next()? {
            let author = UserId::parse(row.get_ref(2)?.as_str()?);
            let author = author.map_err(|text| super::messages::invalid(2, text))?;
            let words = self.fields.words(&Body::from_json(row.get_ref(3)?.as_str()?), row.get(1)?, &author);
            if !words.is_empty() {
                insert.execute(params![row.get::<_, i64>(0)?, words])?;
            }
        }
        let rest = (first - 1).max(0);
        db.prepare_cached("UPDATE search_index SET unindexed = ?")?.execute([rest])?;
        self.unindexed = Some(rest);
        Ok(rest > 0)
    }
}

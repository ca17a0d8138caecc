//! What is copied from an old schema: one step for each table, in slices by the table's key.

use rusqlite::{
    Connection, params,
    types::{ToSqlOutput, Value},
};

/// The tables of each old schema.
pub(super) const TABLES: [&str; 6] = ["messages", "users", "members", "changes", "idempotency_keys", "rooms"];

const MESSAGE: &str = "room, offset, revision, user_id, user_name, at, edited_at, deleted_at, idempotency_key, body";

/// The key of the last row that was copied: one or two columns. NULL before the first row.
pub(super) type Key = [Value; 2];

/// How one table is copied.
pub(super) struct Step {
    pub(super) table: &'static str,
    /// The columns in the new table; those of the key are the first.
    columns: String,
    /// A table or a query with these columns.
    from: String,
    /// A key before all others.
    before_first: Vec<Value>,
}

/// The steps in their order. Rooms are the last, since their rows need those of their messages.
pub(super) fn steps(version: u32) -> [Step; TABLES.len()] {
    let step = |table, columns: &str, from: &str, before_first: Vec<Value>| Step {
        table,
        columns: columns.to_owned(),
        from: from.to_owned(),
        before_first,
    };
    let (text, number) = (Value::Text(String::new()), Value::Integer(i64::MIN));
    let is_numbered = version == 3;
    let messages = match is_numbered {
        true => step("messages", &format!("number, id, {MESSAGE}"), "old.messages", vec![number.clone()]),
        // By id, which is the order of arrival.
        false => step("messages", &format!("id, {MESSAGE}"), "old.messages", vec![Value::Blob(Vec::new())]),
    };
    // Version 3 names a message by its number. A row whose message was removed by hand is left out.
    let (changes, keys) = match is_numbered {
        true => (
            "(SELECT t.room, t.revision, t.nth, m.offset
              FROM old.changes t CROSS JOIN old.messages m ON m.number = t.message)",
            "(SELECT t.user_id, t.key, m.room, m.offset, t.digest, t.at
              FROM old.idempotency_keys t CROSS JOIN old.messages m ON m.number = t.message)",
        ),
        false => ("old.changes", "old.idempotency_keys"),
    };
    let member_count = match version {
        1 => "(SELECT count(*) FROM old.members WHERE room = r.id)",
        _ => "r.member_count",
    };
    // A revision is the number of posts and changes.
    let rooms = format!(
        "(SELECT id, key, member_count, newest AS offset, newest + changes AS revision, at AS committed_at FROM (
           SELECT r.id, r.key, {member_count} AS member_count,
             coalesce((SELECT max(offset) FROM main.messages WHERE room = r.id), 0) AS newest,
             coalesce((SELECT nth FROM old.changes WHERE room = r.id ORDER BY revision DESC LIMIT 1), 0) AS changes,
             (SELECT at FROM main.messages WHERE room = r.id ORDER BY offset DESC LIMIT 1) AS at
           FROM old.rooms r))"
    );
    [
        messages,
        step("users", "id, name, last_seen", "old.users", vec![text.clone()]),
        step("members", "user_id, room, read, joined_at", "old.members", vec![text.clone(), number.clone()]),
        step("changes", "room, revision, nth, offset", changes, vec![number.clone(), number.clone()]),
        step("idempotency_keys", "user_id, key, room, offset, digest, at", keys, vec![text.clone(), text]),
        step("rooms", "id, key, member_count, offset, revision, committed_at", &rooms, vec![number]),
    ]
}

impl Step {
    /// Copies the rows after a key, at most `limit` of them. Returns their number and the key of the last one.
    pub(super) fn copy_slice(&self, db: &Connection, after: Key, limit: usize) -> rusqlite::Result<(usize, Key)> {
        let mut select = db.prepare_cached(&self.select())?;
        let mut insert = db.prepare_cached(&self.insert())?;
        let mut last = match after {
            [Value::Null, _] => [0, 1].map(|column| self.before_first.get(column).cloned().unwrap_or(Value::Null)),
            after => after,
        };
        let mut copied = 0;
        let mut rows = select.query(params![last[0], last[1], limit])?;
        while let Some(row) = rows.next()? {
            for column in 0..self.column_count() {
                insert.raw_bind_parameter(column + 1, ToSqlOutput::Borrowed(row.get_ref(column)?))?;
            }
            insert.raw_execute()?;
            copied += 1;
            if copied == limit {
                last = [row.get(0)?, row.get(1)?];
            }
        }
        Ok((copied, last))
    }

    fn select(&self) -> String {
        let key: Vec<_> = self.columns.split(", ").take(self.before_first.len()).collect();
        let key = key.join(", ");
        let after = if self.before_first.len() == 2 { "(?1, ?2)" } else { "(?1)" };
        format!("SELECT {} FROM {} WHERE ({key}) > {after} ORDER BY {key} LIMIT ?3", self.columns, self.from)
    }

    fn insert(&self) -> String {
        let values = vec!["?"; self.column_count()].join(", ");
        format!("INSERT INTO main.{} ({}) VALUES ({values})", self.table, self.columns)
    }

    fn column_count(&self) -> usize {
        self.columns.split(", ").count()
    }
}

/// How many rows of version 3 name a message that somebody has removed by hand. They are not copied.
pub(super) fn without_message(db: &Connection, version: u32) -> rusqlite::Result<u64> {
    if version != 3 {
        return Ok(0);
    }
    db.query_row(
        "SELECT (SELECT count(*) FROM old.changes WHERE message NOT IN (SELECT number FROM old.messages))
           + (SELECT count(*) FROM old.idempotency_keys WHERE message NOT IN (SELECT number FROM old.messages))",
        [],
        |row| row.get(0),
    )
}

//! Rows as they are copied: the tables, their columns, and values that both engines have.

use serde::{Deserialize, Serialize};

/// What a column holds, and how each engine keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `INTEGER` and `bigint`.
    Number,
    /// `TEXT` and `text`.
    Text,
    /// The id of a message: `BLOB` and `uuid`.
    Id,
    /// A text that may contain U+0000: `TEXT` and `bytea`.
    AnyText,
    /// `BLOB` and `bytea`.
    Bytes,
}

/// A value of a row, or of a row's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    Null,
    Number(i64),
    Text(String),
    /// For [`Kind::Id`] and [`Kind::Bytes`].
    Bytes(Vec<u8>),
}

impl Value {
    /// Adds the value to what a digest is made of. No two lists of values have the same bytes.
    pub(super) fn write_to(&self, bytes: &mut Vec<u8>) {
        let (kind, content): (u8, &[u8]) = match self {
            Self::Null => (0, &[]),
            Self::Number(number) => (1, &number.to_le_bytes()),
            Self::Text(text) => (2, text.as_bytes()),
            Self::Bytes(content) => (3, content),
        };
        bytes.push(kind);
        bytes.extend((content.len() as u64).to_le_bytes());
        bytes.extend(content);
    }
}

/// A column. SQLite and PostgreSQL have one name for it, but for `offset`, which is a word of PostgreSQL's SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    pub name: &'static str,
    pub kind: Kind,
}

impl Column {
    /// The column's name in PostgreSQL. `table` is its table.
    pub fn postgres(self, table: &str) -> &'static str {
        match (table, self.name) {
            ("rooms", "offset") => "newest_offset",
            (_, "offset") => "room_offset",
            (_, name) => name,
        }
    }
}

const fn number(name: &'static str) -> Column {
    Column { name, kind: Kind::Number }
}

const fn text(name: &'static str) -> Column {
    Column { name, kind: Kind::Text }
}

/// Columns by which rows are read in slices. No two rows of the table have the same values there.
pub type Order = &'static [Column];

/// A table that is copied.
#[derive(Debug)]
pub struct Table {
    pub name: &'static str,
    pub columns: &'static [Column],
    /// The order in which rows are copied out of SQLite, and out of PostgreSQL.
    pub sqlite_order: Order,
    pub postgres_order: Order,
    /// The order in which rows are compared, the same in both engines.
    pub common_order: Order,
    /// The column that is the room's number.
    pub room: Option<&'static str>,
    /// The column of numbers that the database gives and never gives twice.
    pub generated: Option<&'static str>,
}

const ID: Order = &[number("id")];
const USER_ID: Order = &[text("id")];
const OF_ROOM: Order = &[number("room"), number("revision")];
const OF_KEY: Order = &[text("user_id"), Column { name: "key", kind: Kind::AnyText }];
const OF_MEMBER: Order = &[text("user_id"), number("room")];
const OUTBOX_NUMBER: Order = &[number("number")];

/// All tables but those that each engine makes for itself: the search's index, and what is written of the schema.
pub const TABLES: &[Table] = &[
    Table {
        name: "rooms",
        columns: &[
            number("id"),
            text("key"),
            number("member_count"),
            number("offset"),
            number("revision"),
            number("removed_offset"),
            number("removed_revision"),
            text("committed_by"),
            number("committed_at"),
        ],
        sqlite_order: ID,
        postgres_order: ID,
        common_order: ID,
        room: Some("id"),
        generated: Some("id"),
    },
    Table {
        name: "users",
        columns: &[text("id"), text("name"), number("last_seen")],
        sqlite_order: USER_ID,
        postgres_order: USER_ID,
        common_order: USER_ID,
        room: None,
        generated: None,
    },
    Table {
        name: "messages",
        columns: &[
            number("room"),
            number("offset"),
            Column { name: "id", kind: Kind::Id },
            number("revision"),
            text("user_id"),
            text("user_name"),
            number("at"),
            number("edited_at"),
            number("deleted_at"),
            Column { name: "idempotency_key", kind: Kind::AnyText },
            text("body"),
        ],
        // The order of arrival: SQLite numbers them in the order in which they are inserted.
        sqlite_order: &[number("number")],
        postgres_order: &[Column { name: "id", kind: Kind::Id }],
        common_order: &[number("room"), number("offset")],
        room: Some("room"),
        generated: None,
    },
    Table {
        name: "changes",
        columns: &[number("room"), number("revision"), number("nth"), number("offset")],
        sqlite_order: OF_ROOM,
        postgres_order: OF_ROOM,
        common_order: OF_ROOM,
        room: Some("room"),
        generated: None,
    },
    Table {
        name: "idempotency_keys",
        columns: &[
            text("user_id"),
            Column { name: "key", kind: Kind::AnyText },
            number("room"),
            number("offset"),
            Column { name: "digest", kind: Kind::Bytes },
            number("at"),
        ],
        sqlite_order: OF_KEY,
        postgres_order: OF_KEY,
        common_order: OF_KEY,
        room: Some("room"),
        generated: None,
    },
    Table {
        name: "members",
        columns: &[text("user_id"), number("room"), number("read"), number("joined_at")],
        sqlite_order: OF_MEMBER,
        postgres_order: OF_MEMBER,
        common_order: OF_MEMBER,
        room: Some("room"),
        generated: None,
    },
    Table {
        name: "outbox",
        columns: &[
            number("number"),
            text("target"),
            text("payload"),
            number("created_at"),
            number("attempts"),
            number("due_at"),
            text("state"),
        ],
        sqlite_order: OUTBOX_NUMBER,
        postgres_order: OUTBOX_NUMBER,
        common_order: OUTBOX_NUMBER,
        room: None,
        generated: Some("number"),
    },
];

impl Table {
    /// The position of a column.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

/// Some rows of a table, in an order of its columns.
#[derive(Debug, Default)]
pub struct Slice {
    /// The values of the table's columns.
    pub rows: Vec<Vec<Value>>,
    /// The key of the last row; `None` if there is no row.
    pub last: Option<Vec<Value>>,
}

/// How far a copy is. The destination keeps it, and each slice is committed together with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The state of the source when the copy was begun, as [`Ends`](super::Ends) tells it.
    pub source: String,
    /// The position in [`TABLES`] of the table that is being copied; their number when all are.
    pub table: usize,
    /// The key of the last row of this table that was copied.
    pub after: Option<Vec<Value>>,
    /// Rows that are copied.
    pub done: u64,
}

/// Why a destination is refused. A copy that is finished is refused too.
pub const NOT_EMPTY: &str = "the destination is not empty: nothing is copied over what is there";

/// What servers say of a database that holds a part of a copy.
pub const UNFINISHED: &str = "a copy into this database is not finished: run `sockeye copy-store` again";

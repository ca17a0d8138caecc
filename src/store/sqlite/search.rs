//! The query that searches messages.

use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, params};

use super::messages::{self, COLUMNS, invalid};
use crate::{
    model::{MessageId, Room, UserId},
    store::search::{Fields, Found, Progress, Search},
};

/// The numbers of the messages that have the words, the newest first.
pub(super) const HITS: &str =
    "SELECT rowid FROM message_words WHERE message_words MATCH ? AND rowid < ? ORDER BY rowid DESC";

/// The newest message that is not newer than an id. Ids increase in the order of arrival, unless a clock was set back.
pub(super) const PLACE: &str = "SELECT id, number FROM messages WHERE id <= ? ORDER BY id DESC LIMIT 1";

/// How long a search may take. Frequent words that are rare together can make the index gather very many rows.
const SEARCH_TIME: Duration = Duration::from_secs(2);
/// SQLite's steps between two looks at the clock.
const STEPS: i32 = 10_000;
/// Messages that are looked at before a search asks the index.
const SAMPLE: usize = 256;
/// A word is frequent if one of so many messages has it.
const FREQUENT: usize = 40;
/// Maximum number of messages that are looked at without the index, and of bytes of their bodies.
const SCAN_MAX: usize = 10_000;
const SCAN_BYTES: usize = 4_000_000;

pub(super) fn by_number_sql() -> String {
    format!("SELECT {COLUMNS}, room FROM messages WHERE number = ?")
}

pub(super) fn newest_sql() -> String {
    format!("SELECT {COLUMNS}, room, number FROM messages WHERE number < ? ORDER BY number DESC")
}

pub(super) fn newest_of_room_sql() -> String {
    format!("SELECT {COLUMNS}, room, number FROM messages WHERE room = ? ORDER BY offset DESC")
}

/// [`search`], or `None` if it takes longer than [`SEARCH_TIME`].
pub(super) fn search_in_time(db: &Connection, fields: &Fields, wanted: &Search) -> rusqlite::Result<Option<Found>> {
    let until = Instant::now() + SEARCH_TIME;
    db.progress_handler(STEPS, Some(move || Instant::now() > until))?;
    let found = search(db, fields, wanted);
    db.progress_handler(0, None::<fn() -> bool>)?;
    match found {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => Ok(None),
        found => found.map(Some),
    }
}

fn search(db: &Connection, fields: &Fields, search: &Search) -> rusqlite::Result<Found> {
    let room = match &search.room {
        None => None,
        Some(room) => match messages::room_id(db, room)? {
            None => return Ok(Found::default()),
            id => id,
        },
    };
    let before = match search.before {
        None => i64::MAX,
        Some(id) => place(db, id)?,
    };
    let mut progress = Progress::new(search);
    let Some(before) = look_at_newest(db, fields, search, room, before, &mut progress)? else {
        return Ok(progress.incomplete());
    };
    let mut by_number = db.prepare_cached(&by_number_sql())?;
    let mut hits = db.prepare_cached(HITS)?;
    let mut hits = hits.query(params![expression(search, room), before])?;
    while let Some(hit) = hits.next()? {
        let mut row = by_number.query([hit.get::<_, i64>(0)?])?;
        if let Some(row) = row.next()?
            && !look_at(db, search, row, &mut progress)?
        {
            return Ok(progress.incomplete());
        }
    }
    Ok(progress.complete())
}

/// Looks at the newest messages themselves, for as long as many of them have the words: the index would first gather all
/// messages with words that begin as frequent ones do. Returns the number below which the index is to go on; `None` if
/// the search may look at no more.
fn look_at_newest(
    db: &Connection,
    fields: &Fields,
    search: &Search,
    room: Option<i64>,
    before: i64,
    progress: &mut Progress<'_>,
) -> rusqlite::Result<Option<i64>> {
    let mut select;
    let mut rows = match room {
        None => {
            select = db.prepare_cached(&newest_sql())?;
            select.query([before])?
        }
        // A place in all rooms is no place in one.
        Some(_) if before != i64::MAX => return Ok(Some(before)),
        Some(room) => {
            select = db.prepare_cached(&newest_of_room_sql())?;
            select.query([room])?
        }
    };
    let (mut seen, mut hits, mut bytes, mut below) = (0, 0, 0, before);
    while let Some(row) = rows.next()? {
        let is_rare = seen >= SAMPLE && hits * FREQUENT < seen;
        if is_rare || seen == SCAN_MAX || bytes > SCAN_BYTES {
            return Ok(Some(below));
        }
        below = row.get(11)?;
        let (author, body) = (row.get_ref(3)?.as_str()?, row.get_ref(9)?.as_str()?);
        (seen, bytes) = (seen + 1, bytes + body.len());
        if search.from.as_ref().is_none_or(|from| from.as_str() == author) && fields.have(body, &search.terms) {
            hits += 1;
            if !look_at(db, search, row, progress)? {
                return Ok(None);
            }
        }
    }
    // These were all messages.
    Ok(Some(0))
}

/// Looks at a hit. False if the search may look at no more.
fn look_at(db: &Connection, search: &Search, row: &Row<'_>, progress: &mut Progress<'_>) -> rusqlite::Result<bool> {
    if !progress.look(MessageId::from_bytes(row.get(1)?)) {
        return Ok(false);
    }
    let room: i64 = row.get(10)?;
    let room = progress.readable(room, || {
        let mut key = db.prepare_cached("SELECT key FROM rooms WHERE id = ?")?;
        let key: String = key.query_row([room], |row| row.get(0))?;
        Room::from_key(&key).ok_or_else(|| invalid(10, key))
    })?;
    let Some(room) = room else { return Ok(true) };
    let author = UserId::parse(row.get_ref(3)?.as_str()?).map_err(|text| invalid(3, text))?;
    Ok(progress.add(messages::from_row(row, &search.seen_as(&room, &author))?))
}

/// The number at and after which messages are not older than an id.
fn place(db: &Connection, id: MessageId) -> rusqlite::Result<i64> {
    let found = db.prepare_cached(PLACE)?.query_row([id.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)));
    Ok(match found.optional()? {
        None => 0,
        Some((found, number)) if MessageId::from_bytes(found) == id => number,
        Some((_, number)) => number + 1,
    })
}

/// The words as FTS5's query. Each is in quotes, so that none of its signs has a meaning.
fn expression(search: &Search, room: Option<i64>) -> String {
    let quoted = |word: &str| format!("\"{}\"", word.replace('"', "\"\""));
    let mut parts: Vec<String> = search.filters(room).map(|word| quoted(&word)).collect();
    parts.extend(search.terms.iter().map(|term| {
        let star = if term.is_prefix { "*" } else { "" };
        format!("{}{star}", quoted(&term.word))
    }));
    parts.join(" AND ")
}

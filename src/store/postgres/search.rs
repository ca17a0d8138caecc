//! The queries that search messages.

use std::collections::HashMap;

use anyhow::Result;
use deadpool_postgres::Object;
use tokio_postgres::{Row, types::Type};
use uuid::Uuid;

use super::rows::{self, StoredMessage, message_columns};
use crate::{
    model::{MessageId, Room},
    store::search::{Found, Progress, Search},
};

/// Messages whose bodies are read at a time.
const CHUNK: usize = 25;

/// The hits `$1` among the newest messages that are older than `$2`. A frequent word has enough hits there, and the index
/// would find all that it has.
pub(super) const RECENT_HITS: &str = "SELECT messages.id, messages.room, rooms.key
    FROM (SELECT id, words FROM message_words WHERE id < $2 ORDER BY id DESC LIMIT 2000) AS recent
    JOIN messages ON messages.id = recent.id
    JOIN rooms ON rooms.id = messages.room
    WHERE recent.words @@ $1::text::tsquery AND messages.deleted_at IS NULL ORDER BY recent.id DESC";

/// The newest hits `$1` that are older than `$2`, at most `$3`. They are found by the index, whatever the planner thinks of
/// their number.
pub(super) const HITS: &str = "WITH hits AS MATERIALIZED
        (SELECT id FROM message_words WHERE words @@ $1::text::tsquery AND id < $2)
    SELECT messages.id, messages.room, rooms.key
    FROM (SELECT id FROM hits ORDER BY id DESC LIMIT $3) AS newest
    JOIN messages ON messages.id = newest.id
    JOIN rooms ON rooms.id = messages.room
    WHERE messages.deleted_at IS NULL ORDER BY newest.id DESC";

pub(super) const BY_IDS: &str = concat!(
    "SELECT ",
    message_columns!(),
    " FROM messages JOIN rooms ON rooms.id = messages.room WHERE messages.id = ANY($1) AND messages.deleted_at IS NULL"
);

pub(super) async fn search(client: &Object, search: &Search) -> Result<Found> {
    let room = match &search.room {
        None => None,
        Some(room) => {
            let find = client.prepare_cached("SELECT id FROM rooms WHERE key = $1").await?;
            match client.query_opt(&find, &[&room.key()]).await? {
                None => return Ok(Found::default()),
                Some(row) => Some(row.get(0)),
            }
        }
    };
    let query = tsquery(search, room);
    let before = search.before.map_or(Uuid::max(), |id| Uuid::from_bytes(*id.as_bytes()));
    let mut progress = Progress::new(search);
    // Not prepared: the plan depends on the words.
    let recent = client.query_typed(RECENT_HITS, &[(&query, Type::TEXT), (&before, Type::UUID)]).await?;
    if !look_at(client, search, &recent, &mut progress).await? {
        return Ok(progress.incomplete());
    }
    let before = recent.last().map_or(before, |last| last.get(0));
    // One more shows whether there are more.
    let limit = progress.rest() as i64 + 1;
    let hits = [(&query as _, Type::TEXT), (&before as _, Type::UUID), (&limit as _, Type::INT8)];
    let hits = client.query_typed(HITS, &hits).await?;
    Ok(match look_at(client, search, &hits, &mut progress).await? {
        true => progress.complete(),
        false => progress.incomplete(),
    })
}

/// Looks at hits. False if not at all of them.
async fn look_at(client: &Object, search: &Search, hits: &[Row], progress: &mut Progress<'_>) -> Result<bool> {
    for chunk in hits.chunks(CHUNK) {
        let mut readable: HashMap<Uuid, Room> = HashMap::new();
        for hit in chunk {
            if let Some(room) = progress.readable(hit.get(1), || rows::room(hit.get(2)))? {
                readable.insert(hit.get(0), room);
            }
        }
        let mut messages = HashMap::new();
        if !readable.is_empty() {
            let select = client.prepare_cached(BY_IDS).await?;
            let ids: Vec<&Uuid> = readable.keys().collect();
            for row in client.query(&select, &[&ids]).await? {
                if let Some(stored) = StoredMessage::from_row(&row)? {
                    messages.insert(stored.message.id, stored);
                }
            }
        }
        for hit in chunk {
            let id = MessageId::from_bytes(*hit.get::<_, Uuid>(0).as_bytes());
            if !progress.look(id) {
                return Ok(false);
            }
            let Some(StoredMessage { room, mut message, .. }) = messages.remove(&id) else { continue };
            message.room = search.seen_as(&room, &message.from.id);
            if !progress.add(message) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// The words as a `tsquery`. Each is in quotes, so that none of its signs has a meaning.
fn tsquery(search: &Search, room: Option<i64>) -> String {
    let quoted = |word: &str| format!("'{}'", word.replace('\\', "\\\\").replace('\'', "''"));
    let mut parts: Vec<String> = search.filters(room).map(|word| quoted(&word)).collect();
    parts.extend(search.terms.iter().map(|term| {
        let star = if term.is_prefix { ":*" } else { "" };
        format!("{}{star}", quoted(&term.word))
    }));
    parts.join(" & ")
}

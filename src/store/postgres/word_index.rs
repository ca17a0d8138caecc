//! The index of the search: a table with a `tsvector` for each message. The connection that writes keeps it, in the
//! transactions of the messages.

use anyhow::Context;
use tokio_postgres::{Client, Transaction};
use uuid::Uuid;

use crate::{
    model::{Body, MessageId, UserId},
    store::search::Fields,
};

const TABLES: &str = include_str!("../../../migrations/postgres/search.sql");

/// Creates the tables if they are missing, and empties an index of other fields.
pub(super) async fn create(transaction: &Transaction<'_>, fields: Option<&Fields>) -> anyhow::Result<()> {
    let table = transaction.query_one("SELECT to_regclass('search_index') IS NOT NULL", &[]).await?;
    if !table.get::<_, bool>(0) {
        transaction.batch_execute(TABLES).await.context("the index of the search cannot be created")?;
    }
    let existing = transaction.query_opt("SELECT fields FROM search_index", &[]).await?;
    let existing: Option<String> = existing.map(|row| row.get(0));
    let wanted = fields.map(Fields::name);
    if existing == wanted {
        return Ok(());
    }
    transaction.batch_execute("TRUNCATE message_words, search_index").await?;
    if let Some(name) = wanted {
        let insert = "INSERT INTO search_index (fields, unindexed) VALUES ($1, $2)";
        transaction.execute(insert, &[&name, &Uuid::max()]).await?;
    }
    Ok(())
}

/// The name of the index; `None` without one, also if there are no tables yet.
pub(super) async fn existing(client: &Client) -> anyhow::Result<Option<String>> {
    let table = client.query_one("SELECT to_regclass('search_index') IS NOT NULL", &[]).await?;
    if !table.get::<_, bool>(0) {
        return Ok(None);
    }
    let existing = client.query_opt("SELECT fields FROM search_index", &[]).await?;
    Ok(existing.map(|row| row.get(0)))
}

/// A message that may not be indexed yet.
pub(super) struct Unindexed {
    pub(super) id: MessageId,
    pub(super) room: i64,
    pub(super) author: UserId,
    pub(super) body: Body,
}

/// The words of messages that may have none yet.
pub(super) struct IndexedSlice {
    pub(super) words: Vec<(MessageId, String)>,
    /// Messages with lower ids may not be indexed; `None` if all are.
    pub(super) unindexed: Option<MessageId>,
}

impl IndexedSlice {
    /// Makes the words of messages that are in descending order.
    pub(super) fn of(fields: &Fields, messages: &[Unindexed]) -> Self {
        let words = messages.iter().map(|message| {
            let words = fields.words(&message.body, message.room, &message.author);
            (message.id, words)
        });
        Self {
            words: words.filter(|(_, words)| !words.is_empty()).collect(),
            unindexed: messages.last().map(|last| last.id),
        }
    }
}

//! What a copy must not forget.

use std::collections::BTreeSet;

use super::*;
use crate::store::tests::{Engine, TestStore};

#[tokio::test(flavor = "multi_thread")]
async fn every_column_of_every_table_is_copied() {
    let store = TestStore::new(Engine::Postgres);
    store.store.close().await;
    let client = connection::connect(&alone(&store.config).unwrap()).await.unwrap();
    let sql = "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = $1";
    let there = client.query(sql, &[&store.config.schema]).await.unwrap();
    let there: BTreeSet<String> = there.iter().map(|row| row.get(0)).collect();
    let copied = TABLES
        .iter()
        .flat_map(|table| table.columns.iter().map(|column| format!("{}.{}", table.name, column.postgres(table.name))));
    let mut copied: BTreeSet<String> = copied.collect();
    // Facts about the schema itself, and the search's index, which the next start makes.
    copied.extend(["store.name", "store.value"].map(str::to_owned));
    copied.extend(["search_index.fields", "search_index.unindexed"].map(str::to_owned));
    copied.extend(["message_words.id", "message_words.words"].map(str::to_owned));
    assert_eq!(there, copied);
}

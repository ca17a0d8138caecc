//! What a copy must not forget, and what it finds.

use std::collections::BTreeSet;

use super::*;
use crate::{
    config::SearchConfig,
    store::{
        CopyStep,
        copy::copy_in_small_slices,
        tests::{Engine, TestStore},
    },
};

#[tokio::test(flavor = "multi_thread")]
async fn every_column_of_every_table_is_copied() {
    let store = TestStore::new(Engine::Sqlite).reopen_with(SearchConfig::default()).await;
    store.store.close().await;
    let db = files::open_reader(&store.config.path).unwrap();
    let sql = "SELECT t.name || '.' || c.name FROM sqlite_schema t, pragma_table_info(t.name) c
         WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'";
    let mut select = db.prepare(sql).unwrap();
    let there: BTreeSet<String> = select.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    let copied = TABLES.iter().flat_map(|table| table.columns.iter().map(|column| (table.name, column.name)));
    let mut copied: BTreeSet<String> = copied.map(|(table, column)| format!("{table}.{column}")).collect();
    // The order of arrival, which a copy keeps in another way.
    copied.insert("messages.number".to_owned());
    assert_eq!(there, copied);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_differs_is_refused() {
    let changes = [
        ("UPDATE messages SET body = '{}' WHERE offset = 2", "the room \"tea\" differs from its copy"),
        ("UPDATE members SET read = 7", "the room \"tea\" differs from its copy"),
        ("DELETE FROM messages WHERE offset = 2", "the source has 3 messages, and the copy 2"),
        ("UPDATE users SET name = 'Eve'", "the users or the outbox differ"),
        (
            "UPDATE messages SET room = 9; UPDATE members SET room = 9; UPDATE rooms SET id = 9",
            "the room \"tea\" was not copied",
        ),
    ];
    for (change, refusal) in changes {
        let source = TestStore::new(Engine::Sqlite);
        source.name("ada", "Ada").await;
        for text in ["1", "2", "3"] {
            source.post("tea", "ada", text).await;
        }
        source.store.close().await;
        let folder = tempfile::tempdir().unwrap();
        let destination = StoreConfig { path: folder.path().to_owned(), ..StoreConfig::default() };
        let copied = copy_in_small_slices(&source.config, &destination, |step| {
            if let CopyStep::Comparing { .. } = step {
                Connection::open(database(folder.path()))?.execute_batch(change)?;
            }
            Ok(())
        });
        let error = copied.await.unwrap_err();
        assert!(error.contains(refusal), "{change}: {error}");
        assert!(SqliteEnd::destination(&destination).unwrap().progress().unwrap().is_some(), "servers take it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_copied_while_its_server_runs() {
    let source = TestStore::new(Engine::Sqlite);
    source.post("tea", "ada", "1").await;
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("monday.db");
    super::super::backup(&source.config.path, &backup).unwrap();
    let from = StoreConfig { path: backup.clone(), ..StoreConfig::default() };
    let to = StoreConfig { path: folder.path().join("copy"), ..StoreConfig::default() };
    assert_eq!(copy_in_small_slices(&from, &to, |_| Ok(())).await.unwrap().rooms, 1);
    // The database of a running server is no backup.
    let from = StoreConfig { path: database(&source.config.path), ..StoreConfig::default() };
    let error = copy_in_small_slices(&from, &to, |_| Ok(())).await.unwrap_err();
    assert!(error.contains("is in use by a server"), "{error}");
    // A backup of an old schema, and a file that is none.
    Connection::open(&backup).unwrap().pragma_update(None, "user_version", 3).unwrap();
    std::fs::write(folder.path().join("notes.txt"), "these are no messages, but quite a few bytes").unwrap();
    for (file, refusal) in [("monday.db", "is of the schema 3"), ("notes.txt", "cannot be read as a database")] {
        let from = StoreConfig { path: folder.path().join(file), ..StoreConfig::default() };
        let error = copy_in_small_slices(&from, &to, |_| Ok(())).await.unwrap_err();
        assert!(error.contains(refusal), "{error}");
    }
}

//! SQLite's file becomes shorter when messages are removed, beside other writes.

use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use super::engines::{Engine, TestStore, named, post};
use crate::store::EmptyRoom;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_space_of_removed_messages_is_given_back_while_others_write() {
    let store = TestStore::new(Engine::Sqlite);
    let file = store.config.path.join("sockeye.db");
    let db = Connection::open_with_flags(&file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let pages = || db.pragma_query_value(None, "page_count", |row| row.get::<_, u64>(0)).unwrap();
    let posts: Vec<_> = (0..2_000).map(|_| store.queue(post("tea", "ada", &"x".repeat(3_000)))).collect();
    for post in posts {
        post.await.unwrap().unwrap();
    }
    let before = pages();
    assert!(before > 1_500, "{before}");
    while !store.write(EmptyRoom { room: named("tea"), limit: 500 }).await.unwrap().is_empty {}
    let deadline = Instant::now() + Duration::from_secs(30);
    while pages() > before / 4 {
        assert!(Instant::now() < deadline, "still {} pages", pages());
        store.post("other", "ada", "y").await;
    }
    assert!(store.store.is_ready().await, "the file is still the one that was opened");
    drop(db);
    let store = store.reopen().await;
    assert!(file.metadata().unwrap().len() < before * 4_096 / 4);
    let db = Connection::open(&file).unwrap();
    let check: String = db.pragma_query_value(None, "integrity_check", |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    store.store.close().await;
}

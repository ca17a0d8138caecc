//! Copies of a store: from each engine into each, stopped in the middle, and refused.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use anyhow::bail;
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use super::{
    engines::{Engine, TestStore, body, id, named, new_schema, post, post_once, shared_url},
    outbox::Owes,
};
use crate::{
    config::{SearchConfig, StoreConfig},
    metrics::Metrics,
    model::{Direct, Room, Timestamp},
    store::{
        CopyStep, DeleteMessage, Direction, EditMessage, EmptyRoom, MarkRead, RemoveMessages, RoomNameQuery,
        SaveLastSeen, SaveMessage, Search, Store,
        commands::{SettleOwed, TakeOwed},
        copy::{Copied, copy_in_small_slices},
        tables::Settlement,
    },
    supervise::Background,
};

const ROOMS: [&str; 4] = ["tea", "cake", "emptied", "quiet"];
const USERS: [&str; 4] = ["ada", "bob", "émile", "zoë"];
/// A key with a character that PostgreSQL's texts cannot have.
const KEY: &str = "key \0 1";

/// An empty place of a store.
fn place(engine: Engine) -> (StoreConfig, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut config = StoreConfig { path: folder.path().to_owned(), ..StoreConfig::default() };
    if engine == Engine::Postgres {
        (config.url, config.schema) = (shared_url(), new_schema());
    }
    (config, folder)
}

fn direct() -> Room {
    Room::Direct(Direct::between(id("ada"), id("bob")))
}

/// Writes something into every table, and closes the store.
async fn fill(store: TestStore) -> TestStore {
    for user in USERS {
        store.name(user, &format!("{user} \u{1f9a6} \"'\\")).await;
        store.join(user, "quiet").await.unwrap();
    }
    store.write(SaveLastSeen { user: id("zoë"), at: Timestamp::from_millis(1_700_000_000_000) }).await.unwrap();
    for number in 0..30 {
        let (room, user) = (ROOMS[number % 3], USERS[number % 4]);
        let message = store.post(room, user, &format!("number {number} \u{0} \u{1f9a6} 語")).await;
        if number % 5 == 0 {
            let edit = EditMessage { id: message.id, by: None, body: body(&format!("edited {number}")) };
            store.write(edit).await.unwrap();
        }
        if number % 7 == 0 {
            store.write(DeleteMessage { id: message.id, by: None }).await.unwrap();
        }
    }
    store.write(SaveMessage { room: direct(), ..post("tea", "ada", "between us") }).await.unwrap();
    store.write(post_once("tea", "ada", "once", KEY)).await.unwrap();
    store.write(MarkRead { user: id("ada"), room: named("cake"), offset: 4 }).await.unwrap();
    let oldest = RemoveMessages { room: named("tea"), before: None, most: Some(6), limit: 100 };
    store.write(oldest).await.unwrap();
    store.write(EmptyRoom { room: named("emptied"), limit: 100 }).await.unwrap();
    for payload in ["1", "2", "3"] {
        store.write(Owes { target: "hook", payload, is_refused: false }).await.unwrap();
    }
    // The last number is not in the table any more, and must not be given again.
    let owed = store.write(taken()).await.unwrap();
    let settled = owed.iter().map(|owed| match &*owed.payload {
        "1" => (owed.number, Settlement::Retry(Timestamp::from_millis(1))),
        _ => (owed.number, Settlement::Delivered),
    });
    store.write(SettleOwed { settled: settled.collect() }).await.unwrap();
    store.store.close().await;
    store
}

fn taken() -> TakeOwed {
    TakeOwed { target: "hook".to_owned(), limit: 9, turn: Duration::ZERO }
}

/// Everything that clients and backends can read.
async fn everything(store: &Store) -> Json {
    let mut all = Vec::new();
    for room in ROOMS.map(named).into_iter().chain([direct()]) {
        all.push(json!(store.page(room.clone(), id("ada"), Direction::After(0), 200).await.unwrap()));
        for since in [None, Some(0), Some(3), Some(9), Some(1_000)] {
            let found = store.catch_up(room.clone(), id("bob"), since).await.unwrap();
            all.push(json!([found.head, found.messages, found.more, found.reset]));
        }
        all.push(json!(store.members_after(room, None, 100).await.unwrap()));
    }
    for user in USERS {
        all.push(json!(store.memberships(id(user)).await.unwrap()));
        all.push(json!(store.user(id(user)).await.unwrap()));
        all.push(json!(store.key_count(id(user)).await.unwrap()));
    }
    all.push(json!(store.room_names(RoomNameQuery::default(), 100).await.unwrap()));
    Json::Array(all)
}

async fn found(store: &TestStore, text: &str) -> usize {
    let search = Search::new(text, 50, None).unwrap();
    store.store.search(search).await.unwrap().messages.len()
}

async fn a_copy_has_everything_and_goes_on(from: Engine, to: Engine) {
    let source = fill(TestStore::new(from)).await;
    let (destination, _folder) = place(to);
    let copied = copy_in_small_slices(&source.config, &destination, |_| Ok(())).await.unwrap();
    assert_eq!(copied.rooms, 5);
    let (old, new) = (TestStore::open(source.config.clone()), TestStore::open(destination));
    assert_eq!(everything(&old.store).await, everything(&new.store).await);
    // A retry is recognised, offsets and revisions go on, and a new room gets a number of its own.
    assert!(!new.write(post_once("tea", "ada", "once", KEY)).await.unwrap().is_new);
    for room in ["tea", "cake", "emptied", "new"] {
        let (before, after) = (old.post(room, "ada", "next").await, new.post(room, "ada", "next").await);
        assert_eq!((before.offset, before.revision), (after.offset, after.revision), "{room}");
    }
    assert_eq!(new.all("new").await.len(), 1);
    // What was owed is, and numbers are not given twice.
    new.write(Owes { target: "hook", payload: "4", is_refused: false }).await.unwrap();
    let owed = new.write(taken()).await.unwrap();
    let owed: Vec<_> = owed.into_iter().map(|owed| (owed.number, owed.payload, owed.attempts)).collect();
    assert_eq!(owed, [(1, "1".to_owned(), 1), (4, "4".to_owned(), 0)]);
    // The index of the search was made anew.
    let deadline = Instant::now() + Duration::from_secs(30);
    while found(&new, "number").await < found(&old, "number").await {
        assert!(Instant::now() < deadline, "messages are not indexed");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(found(&old, "number").await > 5);
    old.store.close().await;
    new.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_copied_into_postgres() {
    a_copy_has_everything_and_goes_on(Engine::Sqlite, Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_is_copied_into_a_folder() {
    a_copy_has_everything_and_goes_on(Engine::Postgres, Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_is_copied_into_another() {
    a_copy_has_everything_and_goes_on(Engine::Postgres, Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_copied_into_another() {
    a_copy_has_everything_and_goes_on(Engine::Sqlite, Engine::Sqlite).await;
}

/// A copy that stops after so many slices.
async fn copy_until(from: &StoreConfig, to: &StoreConfig, slices: usize) -> Result<Copied, String> {
    let mut left = slices;
    let report = |step| {
        if matches!(step, CopyStep::Copied(_) | CopyStep::Compared(_)) {
            left = left.checked_sub(1).ok_or_else(|| anyhow::anyhow!("stopped"))?;
        }
        Ok(())
    };
    copy_in_small_slices(from, to, report).await
}

/// Why a store cannot be opened.
fn refusal(config: &StoreConfig) -> String {
    let Err(error) = Store::open(config, &SearchConfig::default(), &Metrics::off(), &mut Background::default()) else {
        panic!("it opens")
    };
    let chain = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

async fn a_stopped_copy_goes_on_where_it_was(from: Engine, to: Engine) {
    let source = fill(TestStore::new(from)).await;
    let (destination, _folder) = place(to);
    let mut stops = 0;
    // Each attempt copies one slice, and then one more than the attempt before.
    let copied = loop {
        match copy_until(&source.config, &destination, 1 + stops).await {
            Ok(copied) => break copied,
            Err(error) => assert_eq!(error, "stopped"),
        }
        assert!(refusal(&destination).contains("is not finished"), "{}", refusal(&destination));
        let again = copy_in_small_slices(&destination, &place(Engine::Sqlite).0, |_| Ok(())).await;
        assert!(again.unwrap_err().contains("a part of a copy"));
        stops += 1;
    };
    assert!(stops > 3, "{stops}");
    let done = Cell::new(0);
    let (other, _other_folder) = place(to);
    let whole = copy_in_small_slices(&source.config, &other, |step| {
        if let CopyStep::Copied(rows) = step {
            done.set(done.get() + rows);
        }
        Ok(())
    });
    assert_eq!(copied, whole.await.unwrap());
    assert_eq!(copied.rows, done.get());
    let (old, new) = (TestStore::open(source.config.clone()), TestStore::open(destination));
    assert_eq!(everything(&old.store).await, everything(&new.store).await);
    old.store.close().await;
    new.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_copy_of_a_folder_goes_on_where_it_was() {
    a_stopped_copy_goes_on_where_it_was(Engine::Sqlite, Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_copy_of_a_schema_goes_on_where_it_was() {
    a_stopped_copy_goes_on_where_it_was(Engine::Postgres, Engine::Sqlite).await;
}

async fn a_copy_begins_anew_if_its_source_has_changed(from: Engine, to: Engine) {
    let source = fill(TestStore::new(from)).await;
    let (destination, _folder) = place(to);
    assert_eq!(copy_until(&source.config, &destination, 6).await, Err("stopped".to_owned()));
    let changed = TestStore::open(source.config.clone());
    changed.post("tea", "ada", "after the first slices").await;
    changed.store.close().await;
    // The rooms, which were copied first, are told of it too.
    let first = Cell::new(None);
    let copied = copy_in_small_slices(&source.config, &destination, |step| {
        if let CopyStep::Copying { done, .. } = step {
            first.set(Some(done));
        }
        Ok(())
    });
    copied.await.unwrap();
    assert_eq!(first.get(), Some(0));
    let (old, new) = (TestStore::open(source.config.clone()), TestStore::open(destination));
    assert_eq!(everything(&old.store).await, everything(&new.store).await);
    old.store.close().await;
    new.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_begins_anew_if_its_folder_has_changed() {
    a_copy_begins_anew_if_its_source_has_changed(Engine::Sqlite, Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_begins_anew_if_its_schema_has_changed() {
    a_copy_begins_anew_if_its_source_has_changed(Engine::Postgres, Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_copied_is_refused() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let source = fill(TestStore::new(engine)).await;
        let copy = async |from: &StoreConfig, to: &StoreConfig| {
            copy_in_small_slices(from, to, |_| bail!("it is copied")).await.unwrap_err()
        };
        assert_eq!(copy(&source.config, &source.config).await, "the destination is the source");
        // Nothing is where it is copied from.
        let (empty, _folder) = place(engine);
        let (to, _to_folder) = place(Engine::Sqlite);
        let error = copy(&empty, &to).await;
        assert!(error.starts_with("the source cannot be opened: "), "{error}");
        assert!(
            error.contains("holds no database") || error.contains("cannot be found") || error.contains("has no tables"),
            "{error}"
        );
        // Another store is where it is copied to, and stays.
        let other = fill(TestStore::new(engine)).await;
        let error = copy(&source.config, &other.config).await;
        assert!(error.contains("the destination is not empty"), "{error}");
        let other = other.reopen().await;
        assert!(!other.all("tea").await.is_empty());
        // A server uses one of the two.
        for error in [copy(&source.config, &other.config).await, copy(&other.config, &to).await] {
            assert!(error.contains("is in use by"), "{error}");
        }
        assert!(found(&other, "number").await > 5, "its index stays");
        other.store.close().await;
    }
}

//! Databases of old schemas, which are migrated at the start.

use std::{fs, path::Path, process::Stdio};

use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use crate::{
    client::Client,
    harness::{Binary, TestServer, soon},
};

fn folder_with(fixture: &str) -> tempfile::TempDir {
    let data = tempfile::tempdir().unwrap();
    Connection::open(data.path().join("sockeye.db")).unwrap().execute_batch(fixture).unwrap();
    data
}

fn offsets(page: &Value) -> Vec<u64> {
    page["messages"].as_array().unwrap().iter().map(|message| message["offset"].as_u64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_schema_version_2_is_migrated_completely() {
    let data = folder_with(include_str!("../fixtures/version-2.sql"));
    let server = TestServer::on(data, |_| (), |server| server).await;
    let mut ada = Client::named(server.address, "Ada").await;

    let rooms = ada.done("list-rooms", json!({})).await;
    assert_eq!(rooms["rooms"][0]["head"], json!({ "offset": 100, "revision": 102 }));
    assert_eq!(rooms["rooms"][0]["unread"], 5, "every second one is her own");
    for (asked, expected, more) in [
        (json!({}), 51..101, true),
        (json!({ "before": 40, "limit": 10 }), 30..40, true),
        (json!({ "before": 1 }), 0..0, false),
        (json!({ "after": 60, "limit": 40 }), 61..101, false),
        (json!({ "after": 0, "limit": 99 }), 1..100, true),
        (json!({ "after": 100 }), 0..0, false),
    ] {
        for room in ["lobby", "tea", "coffee"] {
            let mut asked = asked.clone();
            asked["room"] = json!(room);
            let page = ada.done("load-messages", asked.clone()).await;
            assert_eq!(offsets(&page), expected.clone().collect::<Vec<u64>>(), "{asked}");
            assert_eq!(page["more"], more, "{asked}");
        }
    }
    let caught_up = ada.done("join-room", json!({ "room": "lobby", "since": 98 })).await;
    assert_eq!(offsets(&caught_up), [99, 100, 5, 64]);

    let first = ada.done("send-message", json!({ "n": 70, "idempotencyKey": "once" })).await;
    assert_eq!((&first["offset"], &first["body"]), (&json!(70), &json!({ "n": 70 })));
    let next = ada.done("send-message", json!({ "n": 101 })).await;
    assert_eq!((&next["offset"], &next["revision"]), (&json!(101), &json!(103)));
    for (id, offset, revision) in [(&first["id"], 70, 104), (&next["id"], 101, 105)] {
        let edited = ada.done("edit-message", json!({ "id": id, "n": "edited" })).await;
        assert_eq!((&edited["offset"], &edited["revision"]), (&json!(offset), &json!(revision)));
    }
    let caught_up = ada.done("join-room", json!({ "room": "lobby", "since": 101 })).await;
    assert_eq!(offsets(&caught_up), [64, 70, 101]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_schema_version_1_still_opens() {
    let data = folder_with(include_str!("../fixtures/version-1.sql"));
    let server = TestServer::on(data, |_| (), |server| server).await;
    let mut ada = Client::named(server.address, "Ada").await;
    let page = ada.done("load-messages", json!({ "room": "lobby" })).await;
    assert_eq!(page["messages"][0]["body"], json!({ "text": "from version 1" }));
    assert_eq!(page["messages"][1]["deletedAt"], "2026-11-21T08:00:02.000Z");
    let next = ada.done("send-message", json!({ "text": "from now" })).await;
    assert_eq!((&next["offset"], &next["revision"]), (&json!(3), &json!(4)));
    let lobby: Value = serde_json::from_str(&server.get("/api/rooms/lobby", &[]).await.body).unwrap();
    assert_eq!(lobby["data"]["memberCount"], 1, "those who were members then are counted now");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_schema_version_3_is_migrated_completely() {
    let data = folder_with(include_str!("../fixtures/version-3.sql"));
    let server = TestServer::on(data, |_| (), |server| server).await;
    let mut ada = Client::named(server.address, "Ada").await;

    let rooms = ada.done("list-rooms", json!({})).await;
    let of = |name: &str| rooms["rooms"].as_array().unwrap().iter().find(|room| room["room"] == name).unwrap().clone();
    assert_eq!(of("tea")["head"], json!({ "offset": 41, "revision": 44 }));
    assert_eq!(of("empty")["head"], json!({ "offset": 0, "revision": 0 }));
    assert_eq!(of("dm:name:bob")["unread"], 1);
    assert_eq!(rooms["rooms"][0]["room"], "tea", "the room with the newest message is the first");
    for (room, count) in [("lobby", 40), ("tea", 41), ("coffee", 3), ("dm:name:bob", 2)] {
        let page = ada.done("load-messages", json!({ "room": room, "limit": 200 })).await;
        assert_eq!(offsets(&page), (1..=count).collect::<Vec<_>>());
    }
    let caught_up = ada.done("join-room", json!({ "room": "tea", "since": 38 })).await;
    assert_eq!(offsets(&caught_up), [39, 40, 6, 5, 41]);
    assert_eq!(caught_up["messages"][3]["body"], json!({ "n": "five again" }));

    let again = json!({ "room": "tea", "n": 7, "idempotencyKey": "once" });
    let first = ada.done("send-message", again).await;
    assert_eq!((&first["offset"], &first["revision"]), (&json!(7), &json!(7)));
    let next = ada.done("send-message", json!({ "room": "tea", "n": 42 })).await;
    assert_eq!((&next["offset"], &next["revision"]), (&json!(42), &json!(45)));
    let edited = ada.done("edit-message", json!({ "id": first["id"], "n": "seven" })).await;
    assert_eq!((&edited["offset"], &edited["revision"]), (&json!(7), &json!(46)));
    let mut bob = Client::named(server.address, "Bob").await;
    let rooms = bob.done("list-rooms", json!({})).await;
    let tea = rooms["rooms"].as_array().unwrap().iter().find(|room| room["room"] == "tea").unwrap().clone();
    assert_eq!(tea["read"], 20);
}

/// Messages of the large database, and its rooms.
const MANY: u64 = 200_000;
const ROOMS: u64 = 50;

/// A database of schema 3 with [`MANY`] messages.
fn large_database() -> tempfile::TempDir {
    let data = folder_with(include_str!("../fixtures/version-3.sql"));
    Connection::open(data.path().join("sockeye.db"))
        .unwrap()
        .execute_batch(&format!(
            "DELETE FROM messages; DELETE FROM changes; DELETE FROM idempotency_keys; DELETE FROM members; DELETE FROM rooms;
             WITH RECURSIVE counted (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM counted WHERE i < {ROOMS})
             INSERT INTO rooms SELECT i, 'room ' || i, 0, {MANY} - {ROOMS} + i FROM counted;
             WITH RECURSIVE counted (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM counted WHERE i < {MANY} - 1)
             INSERT INTO messages
             SELECT i + 1, iif(i < {ROOMS}, NULL, i + 1 - {ROOMS}), i % {ROOMS} + 1, i / {ROOMS} + 1,
               unhex(printf('019aa5a1%024x', i)), i / {ROOMS} + 1, 'name:ada', 'Ada', 1795248000000 + i, NULL, NULL, NULL,
               printf('{{\"n\":%d}}', i)
             FROM counted;"
        ))
        .unwrap();
    data
}

/// Rows that are copied so far and all rows, from the new file; `None` before it has its tables.
fn progress(data: &Path) -> Option<(u64, u64)> {
    let new = data.join("sockeye.db.new");
    let db = Connection::open_with_flags(new, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
    db.query_row("SELECT done, total FROM migration", [], |row| Ok((row.get(0)?, row.get(1)?))).ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_is_killed_continues_where_it_was() {
    let data = large_database();
    let before = fs::metadata(data.path().join("sockeye.db")).unwrap().len();
    let mut last = 0;
    for at_least in [20_000, 60_000, 100_000] {
        let mut command = Binary::command();
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data.path());
        let mut server = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        soon(async {
            while progress(data.path()).is_none_or(|(done, _)| done < at_least) {
                tokio::task::yield_now().await;
            }
        })
        .await;
        server.kill().await.unwrap();
        let (done, total) = progress(data.path()).expect("the migration is not complete");
        assert!(last < done && done < total, "{last}, {done} of {total}");
        assert_eq!(fs::metadata(data.path().join("sockeye.db")).unwrap().len(), before);
        last = done;
    }
    let server = Binary::serve(data.path(), &[]).await;
    let log = server.log();
    let first = log.lines().find(|line| line.contains("migrating the database")).expect(&log);
    let rows: u64 = first.split("rows=").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(rows > last, "{first}");
    let mut ada = Client::named(server.address, "Ada").await;
    for room in [1, 17, ROOMS] {
        let newest = ada.done("load-messages", json!({ "room": format!("room {room}"), "limit": 1 })).await;
        assert_eq!(offsets(&newest), [MANY / ROOMS]);
        assert_eq!(newest["messages"][0]["body"], json!({ "n": MANY - ROOMS + room - 1 }));
    }
    server.kill_9().await;
    let db = Connection::open(data.path().join("sockeye.db")).unwrap();
    let count: u64 = db.query_row("SELECT count(*) FROM messages", [], |row| row.get(0)).unwrap();
    assert_eq!(count, MANY);
    assert!(!data.path().join("sockeye.db.new").exists());
}

//! The database files: removed, replaced or unreadable, while the server runs and at its start.

use std::{
    fs,
    os::unix::fs::{FileExt, PermissionsExt},
    path::Path,
    process::Command,
};

use serde_json::json;

use crate::{
    client::Client,
    harness::{Binary, TestServer, get, run, soon},
};

/// The drain waits for the last client to disconnect.
const LONG: &str = "server.drain=600s";

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

async fn backup(folder: &Path, file: &Path) {
    let arguments = ["backup", file.to_str().unwrap(), "--data", folder.to_str().unwrap()];
    let said = run(&arguments, &[], &folder.parent().unwrap().to_owned()).await;
    assert_eq!(said.code, 0, "{}", said.errors);
}

/// The texts in the lobby of a server started on this folder.
async fn texts(folder: &Path) -> Vec<String> {
    let server = Binary::serve(folder, &[]).await;
    let mut reader = Client::named(server.address, "reader").await;
    let page = reader.done("load-messages", json!({ "room": "lobby" })).await;
    server.kill_9().await;
    page["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["body"]["text"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_lost_its_database_files_acknowledges_nothing_more_and_ends() {
    type Harm = fn(&Path, &Path);
    let harms: [(&str, Harm, &str); 10] = [
        ("folder removed", |data, _| fs::remove_dir_all(data).unwrap(), "removed or moved"),
        ("folder moved", |data, _| fs::rename(data, data.with_file_name("moved")).unwrap(), "removed or moved"),
        (
            "folder replaced",
            |data, _| {
                fs::rename(data, data.with_file_name("moved")).unwrap();
                fs::create_dir(data).unwrap();
                fs::copy(data.with_file_name("moved/sockeye.db"), data.join("sockeye.db")).unwrap();
            },
            "replaced by another file",
        ),
        ("database removed", |data, _| fs::remove_file(data.join("sockeye.db")).unwrap(), "removed or moved"),
        ("log removed", |data, _| fs::remove_file(data.join("sockeye.db-wal")).unwrap(), "removed or moved"),
        (
            "database replaced",
            |data, copy| fs::rename(copy, data.join("sockeye.db")).unwrap(),
            "replaced by another file",
        ),
        (
            "overwritten with a copy",
            |data, copy| {
                fs::copy(copy, data.join("sockeye.db")).unwrap();
            },
            "overwritten",
        ),
        (
            "overwritten with a copy that SQLite made",
            |data, _| {
                let (database, plain) = (data.join("sockeye.db"), data.with_file_name("plain"));
                rusqlite::Connection::open(&database).unwrap().backup("main", &plain, None).unwrap();
                fs::copy(plain, database).unwrap();
            },
            "overwritten",
        ),
        (
            "overwritten with nonsense",
            |data, _| {
                let file = fs::File::options().write(true).open(data.join("sockeye.db")).unwrap();
                file.write_all_at(&[7; 8192], 0).unwrap();
            },
            "overwritten",
        ),
        ("emptied", |data, _| fs::write(data.join("sockeye.db"), "").unwrap(), "overwritten"),
    ];
    for (what, harm, how) in harms {
        let parent = tempfile::tempdir().unwrap();
        let (data, copy) = (parent.path().join("data"), parent.path().join("copy"));
        let server = Binary::serve(&data, &[LONG]).await;
        let address = server.address;
        let mut ada = Client::named(address, "Ada").await;
        ada.done("send-message", json!({ "text": "before" })).await;
        backup(&data, &copy).await;
        assert_eq!(get(address, "/ready", &[]).await.status, 200, "{what}");

        harm(&data, &copy);
        assert_eq!(get(address, "/ready", &[]).await.status, 503, "{what}");
        assert_eq!(ada.refused("send-message", json!({ "text": "after" })).await, "unavailable", "{what}");
        let other = ["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()];
        if cfg!(target_os = "linux") || data.join("sockeye.lock").exists() {
            let second = run(&other, &[], &parent.path().to_owned()).await;
            assert_eq!(second.code, 2, "{what}: {}", second.errors);
            assert!(second.errors.contains("in use by another server"), "{what}: {}", second.errors);
        }
        ada.event("server-closing").await;
        drop(ada);
        let (code, log) = server.ended().await;
        assert_eq!(code, 1, "{what}: {log}");
        assert!(log.contains("lost its database") && log.contains(how), "{what}: {log}");
        assert!(!log.contains("panicked"), "{what}: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_server_notices_the_loss_of_its_database() {
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("data");
    let server = Binary::serve(&data, &[]).await;
    fs::remove_dir_all(&data).unwrap();
    let (code, log) = server.ended().await;
    assert_eq!(code, 1);
    assert!(log.contains("data/sockeye.db was removed or moved while the server ran"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_restored_under_a_running_server_is_intact_for_the_next_one() {
    for is_in_place in [true, false] {
        let parent = tempfile::tempdir().unwrap();
        let (data, copy) = (parent.path().join("data"), parent.path().join("copy"));
        let server = Binary::serve(&data, &[]).await;
        let mut ada = Client::named(server.address, "Ada").await;
        ada.done("send-message", json!({ "text": "kept" })).await;
        backup(&data, &copy).await;
        ada.done("send-message", json!({ "text": "after the copy" })).await;
        let database = data.join("sockeye.db");
        if is_in_place {
            fs::copy(&copy, &database).unwrap();
        } else {
            fs::rename(&copy, &database).unwrap();
        }
        assert_eq!(server.ended().await.0, 1);
        assert!(data.join("sockeye.db-wal-of-lost-database").exists(), "nothing is thrown away");
        assert_eq!(texts(&data).await, ["kept"], "in place: {is_in_place}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_folder_contains_every_acknowledged_message() {
    let parent = tempfile::tempdir().unwrap();
    let (data, moved) = (parent.path().join("data"), parent.path().join("moved"));
    let server = Binary::serve(&data, &[]).await;
    let mut ada = Client::named(server.address, "Ada").await;
    ada.done("send-message", json!({ "text": "kept" })).await;
    fs::rename(&data, &moved).unwrap();
    assert_eq!(server.ended().await.0, 1);
    assert_eq!(texts(&moved).await, ["kept"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_reads_are_counted_and_make_the_server_not_ready() {
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("data");
    let server = Binary::serve(&data, &["limits.events-per-second=0"]).await;
    let mut ada = Client::named(server.address, "Ada").await;
    for _ in 0..20 {
        ada.done("send-message", json!({ "text": "x".repeat(10_000) })).await;
    }
    drop(ada);
    server.kill_9().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let metrics = listener.local_addr().unwrap();
    let folder = data.clone();
    let server = TestServer::with(move |config| config.store.path = folder, |server| server.metrics_on(listener)).await;
    let mut bob = Client::named(server.address, "Bob").await;
    assert_eq!(server.get("/ready", &[]).await.status, 200);
    // All pages but the first, which contains the header.
    let database = data.join("sockeye.db");
    let len = database.metadata().unwrap().len();
    let file = fs::File::options().write(true).open(&database).unwrap();
    file.write_all_at(&vec![7; len as usize - 4096], 4096).unwrap();
    drop(file);
    assert_eq!(bob.refused("load-messages", json!({ "room": "lobby" })).await, "unavailable");
    assert_eq!(server.get("/ready", &[]).await.status, 503);
    let text = get(metrics, "/metrics", &[]).await.body;
    assert!(text.contains("sockeye_read_failures_total 1"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn database_files_are_readable_only_by_the_servers_user() {
    let parent = tempfile::tempdir().unwrap();
    let (data, copy) = (parent.path().join("data"), parent.path().join("copy"));
    let server = Binary::serve(&data, &[]).await;
    let mut ada = Client::named(server.address, "Ada").await;
    ada.done("send-message", json!({ "text": "secret" })).await;
    backup(&data, &copy).await;
    assert_eq!(mode(&data), 0o700);
    for file in ["sockeye.db", "sockeye.db-wal", "sockeye.db-shm", "sockeye.lock"] {
        assert_eq!(mode(&data.join(file)), 0o600, "{file}");
    }
    assert_eq!(mode(&copy), 0o600);
    server.kill_9().await;

    // Permissions of existing files are not changed, but logged.
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(data.join("sockeye.db"), fs::Permissions::from_mode(0o644)).unwrap();
    let mut server = Binary::serve(&data, &[]).await;
    assert_eq!(mode(&data.join("sockeye.db")), 0o644);
    server.child.start_kill().unwrap();
    let log = server.log();
    assert!(log.contains("every user of this machine may read the messages") && log.contains("sockeye.db"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_server_truncates_the_wal() {
    let server = TestServer::start().await;
    let mut ada = Client::named(server.address, "Ada").await;
    for _ in 0..4 {
        ada.done("send-message", json!({ "text": "x".repeat(900_000) })).await;
    }
    let log = server.data.path().join("sockeye.db-wal");
    assert!(log.metadata().unwrap().len() > 3_000_000);
    soon(async {
        while log.metadata().unwrap().len() > 0 {
            server.get("/health", &[]).await;
        }
    })
    .await;
    ada.done("send-message", json!({ "text": "goes on" })).await;
    assert_eq!(server.get("/ready", &[]).await.status, 200);
}

/// A file system of one or two megabytes that is full; unmounted on drop.
struct FullDisk(tempfile::TempDir);

impl FullDisk {
    /// `None` if this user may not mount one.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(folder.path());
        mount.status().is_ok_and(|status| status.success()).then(|| Self(folder))
    }

    fn fill(&self) {
        let file = fs::File::create(self.0.path().join("filler")).unwrap();
        let mut at = 0;
        while file.write_all_at(&[0; 4096], at).is_ok() {
            at += 4096;
        }
    }
}

impl Drop for FullDisk {
    fn drop(&mut self) {
        assert!(Command::new("umount").arg(self.0.path()).status().unwrap().success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_reported_as_such_at_start() {
    for has_run in [true, false] {
        let Some(disk) = FullDisk::mount() else {
            assert!(std::env::var_os("CI").is_none(), "this user may not mount a disk");
            eprintln!("SKIPPED: a full disk at the start, since this user may not mount one");
            return;
        };
        let data = disk.0.path().join("data");
        if has_run {
            let server = Binary::serve(&data, &[]).await;
            Client::named(server.address, "Ada").await.done("send-message", json!({ "text": "kept" })).await;
            server.kill_9().await;
            for file in ["sockeye.db-wal", "sockeye.db-shm"] {
                fs::remove_file(data.join(file)).unwrap();
            }
        }
        disk.fill();
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()];
        let said = run(&arguments, &[], &std::env::temp_dir()).await;
        assert_ne!(said.code, 0);
        let sentence = format!("the disk of {} is full", data.display());
        assert!(said.errors.contains(&sentence), "has run: {has_run}: {}", said.errors);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_without_space_on_the_disk_leaves_the_database_as_it_was() {
    let Some(disk) = FullDisk::mount() else {
        assert!(std::env::var_os("CI").is_none(), "this user may not mount a disk");
        eprintln!("SKIPPED: a migration on a full disk, since this user may not mount one");
        return;
    };
    let data = disk.0.path().join("data");
    fs::create_dir(&data).unwrap();
    let database = data.join("sockeye.db");
    let db = rusqlite::Connection::open(&database).unwrap();
    db.execute_batch(include_str!("../fixtures/version-3.sql")).unwrap();
    db.execute_batch("UPDATE messages SET body = json_object('text', hex(zeroblob(7000)))").unwrap();
    drop(db);
    let before = fs::read(&database).unwrap();
    assert!(before.len() > 1_100_000, "the copy does not fit: {}", before.len());
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()];
    for _ in 0..2 {
        let said = run(&arguments, &[], &std::env::temp_dir()).await;
        assert_ne!(said.code, 0);
        assert!(said.errors.contains("unchanged; the disk is full"), "{}", said.errors);
        assert!(fs::read(&database).unwrap() == before);
    }
    let larger = tempfile::tempdir().unwrap();
    for file in ["sockeye.db", "sockeye.db.new"] {
        fs::copy(data.join(file), larger.path().join(file)).unwrap();
    }
    assert_eq!(texts(larger.path()).await.len(), 40);
}

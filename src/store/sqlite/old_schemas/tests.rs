//! Tests of the migration: stopped after every slice, damaged files, and what the new file has.

use std::collections::BTreeMap;

use rusqlite::types::Value;

use super::*;

const FIXTURES: [&str; 3] = [
    include_str!("../../../../tests/fixtures/version-1.sql"),
    include_str!("../../../../tests/fixtures/version-2.sql"),
    include_str!("../../../../tests/fixtures/version-3.sql"),
];

fn folder_with(fixture: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    Connection::open(database(folder.path())).unwrap().execute_batch(fixture).unwrap();
    folder
}

/// Migrates with slices of a few rows, and stops after some slices. Returns the progress after each slice.
fn migrate_slices(folder: &Path, most: usize) -> (anyhow::Result<()>, Vec<u64>) {
    let mut done = Vec::new();
    let result = migrate(folder, 7, &mut |progress| {
        done.push(progress.done);
        ensure!(done.len() < most, "stopped by the test");
        Ok(())
    });
    (result, done)
}

/// The rows of each table, as text.
fn rows(folder: &Path) -> BTreeMap<String, Vec<String>> {
    let db = Connection::open(database(folder)).unwrap();
    let rows_of = |table: &str| {
        let mut select = db.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = select.column_count();
        let row = |row: &rusqlite::Row<'_>| {
            let values: Vec<Value> = (0..columns).map(|column| row.get(column)).collect::<rusqlite::Result<_>>()?;
            Ok(format!("{values:?}"))
        };
        select.query_map([], row).unwrap().map(Result::unwrap).collect()
    };
    steps::TABLES.iter().map(|table| ((*table).to_owned(), rows_of(table))).collect()
}

fn file_names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn query<T: rusqlite::types::FromSql>(folder: &Path, sql: &str) -> T {
    Connection::open(database(folder)).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn a_migration_that_is_stopped_after_any_slice_continues_and_copies_every_row() {
    for (fixture, version) in FIXTURES.iter().zip(1..) {
        let fixture = &fixture.replace("unixepoch() * 1000", "1795248000000");
        let at_once = folder_with(fixture);
        let before = rows(at_once.path());
        migrate(at_once.path(), SLICE_ROWS, &mut |_| Ok(())).unwrap();
        let expected = rows(at_once.path());
        for table in ["messages", "users", "members", "changes", "idempotency_keys", "rooms"] {
            assert_eq!(expected[table].len(), before[table].len(), "{table} of version {version}");
        }
        assert_eq!(file_names(at_once.path()), ["sockeye.db"]);
        assert_eq!(query::<u32>(at_once.path(), "PRAGMA user_version"), schema::NEWEST);
        assert_eq!(query::<u32>(at_once.path(), "PRAGMA auto_vacuum"), 2, "incremental");
        assert_eq!(query::<String>(at_once.path(), "PRAGMA integrity_check"), "ok");

        let old_file = fs::read(database(folder_with(fixture).path())).unwrap();
        for slices in 1.. {
            let folder = folder_with(fixture);
            let (stopped, done) = migrate_slices(folder.path(), slices);
            let is_complete = stopped.is_ok();
            if !is_complete {
                assert_eq!(done.len(), slices);
                assert_eq!(fs::read(database(folder.path())).unwrap().len(), old_file.len());
                let (finished, rest) = migrate_slices(folder.path(), usize::MAX);
                finished.unwrap();
                let all: Vec<u64> = done.into_iter().chain(rest).collect();
                assert!(all.is_sorted(), "no row is copied twice: {all:?}");
            }
            assert!(rows(folder.path()) == expected, "version {version}, stopped after {slices} slices");
            assert_eq!(file_names(folder.path()), ["sockeye.db"]);
            // A slice more than the migration has.
            if is_complete {
                break;
            }
        }
    }
}

#[test]
fn rooms_get_their_offset_and_revision() {
    let folder = folder_with(FIXTURES[2]);
    migrate(folder.path(), SLICE_ROWS, &mut |_| Ok(())).unwrap();
    let room = |key: &str| {
        let row = format!("SELECT printf('%d %d %d', offset, revision, member_count) FROM rooms WHERE key = '{key}'");
        query::<String>(folder.path(), &row)
    };
    assert_eq!(["lobby", "tea", "coffee", "empty"].map(room), ["40 40 2", "41 44 2", "3 4 2", "0 0 1"]);
    let changed = "SELECT group_concat(revision || ':' || offset, ' ') FROM changes WHERE room = 2";
    assert_eq!(query::<String>(folder.path(), changed), "41:5 42:6 43:5");
}

#[test]
fn a_copy_of_another_state_of_the_database_is_begun_anew() {
    let folder = folder_with(FIXTURES[2]);
    migrate_slices(folder.path(), 5).0.unwrap_err();
    let db = Connection::open(database(folder.path())).unwrap();
    db.execute("UPDATE messages SET body = '{\"late\":1}' WHERE number = 1", []).unwrap();
    drop(db);
    let (finished, done) = migrate_slices(folder.path(), usize::MAX);
    finished.unwrap();
    assert_eq!(done[0], 7);
    assert_eq!(query::<String>(folder.path(), "SELECT body FROM messages WHERE number = 1"), "{\"late\":1}");
}

#[test]
fn messages_in_the_log_of_a_killed_server_are_copied() {
    let (running, killed) = (folder_with(FIXTURES[2]), tempfile::tempdir().unwrap());
    let db = Connection::open(database(running.path())).unwrap();
    db.pragma_update(None, "journal_mode", "WAL").unwrap();
    db.execute("UPDATE messages SET body = '{\"late\":1}' WHERE number = 1", []).unwrap();
    for file in ["sockeye.db", "sockeye.db-wal"] {
        fs::copy(running.path().join(file), killed.path().join(file)).unwrap();
    }
    migrate(killed.path(), SLICE_ROWS, &mut |_| Ok(())).unwrap();
    assert_eq!(query::<String>(killed.path(), "SELECT body FROM messages WHERE number = 1"), "{\"late\":1}");
}

#[test]
fn rows_that_name_a_removed_message_are_left_out() {
    let folder = folder_with(FIXTURES[2]);
    let db = Connection::open(database(folder.path())).unwrap();
    db.execute("DELETE FROM messages WHERE number IN (SELECT message FROM changes WHERE room = 2)", []).unwrap();
    drop(db);
    migrate(folder.path(), SLICE_ROWS, &mut |_| Ok(())).unwrap();
    assert_eq!(query::<u32>(folder.path(), "SELECT count(*) FROM changes"), 1);
    assert_eq!(query::<u32>(folder.path(), "SELECT revision FROM rooms WHERE key = 'tea'"), 44);
}

#[test]
fn a_damaged_database_is_unchanged_and_the_error_says_what_to_do() {
    let folder = folder_with(FIXTURES[2]);
    let db = Connection::open(database(folder.path())).unwrap();
    db.execute("UPDATE messages SET offset = 2 WHERE room = 1 AND offset = 3", []).unwrap();
    drop(db);
    let before = fs::read(database(folder.path())).unwrap();
    for _ in 0..2 {
        let error = format!("{:#}", migrate_slices(folder.path(), usize::MAX).0.unwrap_err());
        assert!(error.contains("unchanged") && error.contains("restore a backup"), "{error}");
        assert!(fs::read(database(folder.path())).unwrap() == before);
    }
}

#[test]
fn the_new_file_has_the_permissions_and_the_link_of_the_old_one() {
    let (folder, target) = (tempfile::tempdir().unwrap(), folder_with(FIXTURES[0]));
    let file = target.path().join("elsewhere.db");
    fs::rename(database(target.path()), &file).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink(&file, database(folder.path())).unwrap();
    migrate(folder.path(), SLICE_ROWS, &mut |_| Ok(())).unwrap();
    assert!(database(folder.path()).is_symlink());
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(query::<u32>(folder.path(), "PRAGMA user_version"), schema::NEWEST);
    assert_eq!(file_names(target.path()), ["elsewhere.db"]);
}

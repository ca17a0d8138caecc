//! Tests of reading messages: every range of offsets, what removed rows leave, and the plans of the queries.

use super::*;
use crate::{
    metrics::Metrics,
    model::RoomName,
    store::{
        DeleteMessage, EditMessage, SaveMessage,
        command::Command,
        sqlite::{
            members, removal, schema, search,
            tables::{self, SqliteTables},
            word_index,
        },
    },
};

fn room(name: &str) -> Room {
    Room::Named(RoomName::parse(name).unwrap())
}

fn ada() -> User {
    User::new(UserId::parse("ada").unwrap(), "Ada").unwrap()
}

fn empty_database() -> Connection {
    let mut db = Connection::open_in_memory().unwrap();
    schema::create(&mut db).unwrap();
    db
}

fn run<C: Command>(tables: &mut SqliteTables, command: &C) -> C::Output {
    let done = command.apply(tables).unwrap_or_else(|_| panic!("the command is carried out"));
    tables.write_rooms().unwrap();
    done
}

fn post(tables: &mut SqliteTables, name: &str, key: Option<&str>) -> Message {
    let save = SaveMessage {
        room: room(name),
        from: ada(),
        body: Body::empty(),
        idempotency_key: key.map(str::to_owned),
        members: Vec::new(),
        rooms_per_user: usize::MAX,
    };
    run(tables, &save).message
}

fn offsets(messages: &[Message]) -> Vec<u64> {
    messages.iter().map(|message| message.offset).collect()
}

fn page_offsets(db: &Connection, name: &str, direction: Direction, limit: usize) -> (Vec<u64>, bool) {
    let page = page(db, &room(name), &ada().id, direction, limit).unwrap();
    (offsets(&page.messages), page.more)
}

/// Offsets of the messages that changed after `since`, and whether the client must begin anew.
fn caught_up(db: &Connection, name: &str, since: u64) -> (Vec<u64>, bool) {
    let caught_up = catch_up(db, &room(name), &ada().id, Some(since)).unwrap();
    (offsets(&caught_up.messages), caught_up.reset)
}

#[test]
fn pages_have_every_range_of_a_room_also_around_removed_messages() {
    let db = empty_database();
    let metrics = Metrics::off();
    let mut tables = SqliteTables::new(&db, &metrics);
    for (number, name) in ["a", "b", "a", "c", "a"].into_iter().cycle().take(100).enumerate() {
        post(&mut tables, name, None);
        // A rollback or a full cache clears the cache.
        if number % 17 == 0 {
            tables.clear_cache();
        }
    }
    let gaps = [1, 2, 20, 21, 22, 60];
    for offset in gaps {
        db.execute("DELETE FROM messages WHERE room = 1 AND offset = ?", [offset]).unwrap();
    }
    let stored: Vec<u64> = (1..=60).filter(|offset| !gaps.contains(offset)).collect();
    for limit in [1, 7, 100] {
        for at in 0..=62 {
            let after: Vec<u64> = stored.iter().copied().filter(|offset| *offset > at).collect();
            let expected = (after.iter().copied().take(limit).collect(), after.len() > limit);
            assert_eq!(page_offsets(&db, "a", Direction::After(at), limit), expected);
            let before: Vec<u64> = stored.iter().copied().filter(|offset| *offset < at).collect();
            let expected = (before[before.len().saturating_sub(limit)..].to_vec(), before.len() > limit);
            assert_eq!(page_offsets(&db, "a", Direction::Before(at), limit), expected);
        }
    }
    assert_eq!(page_offsets(&db, "a", Direction::Last, 2), (vec![58, 59], true));
    assert_eq!(page_offsets(&db, "a", Direction::Before(u64::MAX), 1), (vec![59], true));
    assert_eq!(page_offsets(&db, "b", Direction::Last, 100), ((1..=20).collect(), false));
    assert_eq!(page_offsets(&db, "nowhere", Direction::Last, 9), (vec![], false));
}

/// Four messages; the first and the third are edited, and the fourth is deleted: revisions 5, 6 and 7.
fn changed_room(tables: &mut SqliteTables) -> Vec<Message> {
    let messages: Vec<_> = (0..4).map(|_| post(tables, "a", None)).collect();
    for edited in [0, 2] {
        run(tables, &EditMessage { id: messages[edited].id, by: None, body: Body::empty() });
    }
    run(tables, &DeleteMessage { id: messages[3].id, by: None });
    messages
}

#[test]
fn catching_up_from_any_revision_has_each_changed_message_once() {
    let db = empty_database();
    let metrics = Metrics::off();
    let mut tables = SqliteTables::new(&db, &metrics);
    changed_room(&mut tables);
    post(&mut tables, "a", None);
    for (since, expected) in [
        (0, vec![2, 1, 3, 4, 5]),
        (1, vec![2, 1, 3, 4, 5]),
        (2, vec![1, 3, 4, 5]),
        (4, vec![1, 3, 4, 5]),
        (5, vec![3, 4, 5]),
        (6, vec![4, 5]),
        (7, vec![5]),
        (8, vec![]),
    ] {
        assert_eq!(caught_up(&db, "a", since), (expected, false), "since {since}");
    }
    assert_eq!(caught_up(&db, "a", 9), (vec![1, 2, 3, 4, 5], true), "another database");
    assert_eq!(caught_up(&db, "nowhere", 0), (vec![], false));
    assert_eq!(caught_up(&db, "nowhere", 1), (vec![], true));
}

#[test]
fn a_client_from_before_a_removed_message_is_told_to_begin_anew() {
    let db = empty_database();
    let metrics = Metrics::off();
    let mut tables = SqliteTables::new(&db, &metrics);
    let messages = changed_room(&mut tables);
    // As retention removes the first message: its last revision is 5.
    db.execute_batch(
        "DELETE FROM messages WHERE offset = 1; DELETE FROM changes WHERE offset = 1;
         UPDATE rooms SET removed_offset = 1, removed_revision = 5;",
    )
    .unwrap();
    tables.clear_cache();
    for since in 0..5 {
        assert_eq!(caught_up(&db, "a", since), (vec![2, 3, 4], true), "since {since}");
    }
    assert_eq!(caught_up(&db, "a", 5), (vec![3, 4], false));
    assert_eq!(caught_up(&db, "a", 7), (vec![], false));
    assert_eq!(post(&mut tables, "a", None).revision, 8);
    assert_eq!(caught_up(&db, "a", 5), (vec![3, 4, 5], false), "rows of changes are missing, messages are not");
    assert!(by_id(&db, messages[0].id).unwrap().is_none());
    assert_eq!(by_id(&db, messages[1].id).unwrap().unwrap().1.offset, 2);
}

#[test]
fn a_room_without_messages_keeps_its_offset_and_revision() {
    let db = empty_database();
    let metrics = Metrics::off();
    let mut tables = SqliteTables::new(&db, &metrics);
    changed_room(&mut tables);
    let retried = post(&mut tables, "a", Some("key"));
    db.execute_batch(
        "DELETE FROM messages; DELETE FROM changes; UPDATE rooms SET removed_offset = 5, removed_revision = 8;",
    )
    .unwrap();
    tables.clear_cache();
    assert_eq!(caught_up(&db, "a", 7), (vec![], true));
    assert_eq!(caught_up(&db, "a", 8), (vec![], false));
    assert_eq!(page_offsets(&db, "a", Direction::Last, 9), (vec![], false));
    let again = post(&mut tables, "a", Some("key"));
    assert_eq!((again.offset, again.revision), (6, 9), "the retry of a removed message is a new one");
    assert_ne!(again.id, retried.id);
    assert_eq!(post(&mut tables, "a", Some("key")).offset, 6);
    assert_eq!(caught_up(&db, "a", 8), (vec![6], false));
}

#[test]
fn ids_need_not_be_in_the_order_of_arrival() {
    let db = empty_database();
    let metrics = Metrics::off();
    let mut tables = SqliteTables::new(&db, &metrics);
    let first = post(&mut tables, "a", None);
    db.execute("UPDATE messages SET id = ?", [[0xff; 16]]).unwrap();
    let second = post(&mut tables, "a", None);
    assert_eq!(by_id(&db, MessageId::from_bytes([0xff; 16])).unwrap().unwrap().1.offset, 1);
    assert_eq!(by_id(&db, second.id).unwrap().unwrap().1.offset, 2);
    assert!(by_id(&db, first.id).unwrap().is_none());
}

#[test]
fn no_query_scans_messages() {
    let db = empty_database();
    let queries = [
        by_id_sql(),
        by_offset_sql(),
        page_sql("<=", "DESC"),
        page_sql("<", "DESC"),
        page_sql(">", "ASC"),
        posts_sql(),
        changed_sql(),
        NEXT_CHANGE.to_owned(),
        tables::UPDATE.to_owned(),
        members::UNREAD.to_owned(),
        members::NEWEST.to_owned(),
        removal::OLDEST.to_owned(),
        removal::REMOVE.to_owned(),
        removal::REMOVE_KEYS.to_owned(),
        removal::REMOVE_CHANGES.to_owned(),
        removal::CONTENTS.to_owned(),
        removal::MESSAGES_OF.to_owned(),
        search::by_number_sql(),
        search::newest_sql(),
        search::newest_of_room_sql(),
        search::PLACE.to_owned(),
        word_index::SLICE.to_owned(),
        word_index::SLICE_START.to_owned(),
    ];
    for sql in queries {
        let mut explain = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let plan: Vec<String> =
            explain.raw_query().mapped(|row| row.get("detail")).collect::<rusqlite::Result<_>>().unwrap();
        assert!(plan.iter().any(|step| step.starts_with("SEARCH")), "{sql}: {plan:?}");
        let is_slow = |step: &String| step.starts_with("SCAN messages") || step.contains("TEMP B-TREE");
        assert!(!plan.iter().any(is_slow), "{sql}: {plan:?}");
    }
}

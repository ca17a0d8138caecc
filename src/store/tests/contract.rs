//! What callers rely on, whichever engine it is.

use super::engines::{Engine, TestStore, body, contract, id, named, post, post_once, user};
use crate::{
    error::{Code, Error},
    model::{Direct, Message, MessageId, Room, RoomName, RoomRef, Timestamp},
    protocol::Head,
    store::{
        Author, Command, DeleteMessage, Direction, EditMessage, Join, Leave, MarkRead, RoomNameQuery, SaveLastSeen,
        SaveMessage, command::Needs, failure::Failure, tables::Tables,
    },
};

fn edit(id: MessageId, text: &str) -> EditMessage {
    EditMessage { id, by: None, body: body(text) }
}

fn delete(id: MessageId) -> DeleteMessage {
    DeleteMessage { id, by: None }
}

fn author(user: &str) -> Option<Author> {
    Some(Author { user: id(user), may_read: Box::new(|_| true) })
}

fn offsets(messages: &[Message]) -> Vec<u64> {
    messages.iter().map(|message| message.offset).collect()
}

fn revisions(messages: &[Message]) -> Vec<u64> {
    messages.iter().map(|message| message.revision).collect()
}

fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> Code {
    result.unwrap_err().code()
}

/// A command that panics.
struct Panics;

impl Command for Panics {
    type Output = ();

    fn needs(&self, _: &mut Needs) {}

    fn apply(&self, _: &mut dyn Tables) -> Result<(), Failure> {
        panic!("as a bug would")
    }
}

contract! {
    async fn a_message_is_kept_as_it_was_posted(store: TestStore) {
        let text = "line\n\"quoted\" \u{0} \u{1f600} é";
        let sent = store.write(post_once("tea", "ada", text, "key \u{0} é")).await.unwrap();
        assert!(sent.is_new);
        let store = store.reopen().await;
        let all = store.all("tea").await;
        assert_eq!(all, std::slice::from_ref(&sent.message));
        assert_eq!((all[0].offset, all[0].revision), (1, 1));
        assert_eq!(all[0].idempotency_key.as_deref(), Some("key \u{0} é"));
        let (room, found) = store.store.message(sent.message.id).await.unwrap().unwrap();
        assert_eq!((room, found), (named("tea"), sent.message));
        assert!(store.store.message(MessageId::new()).await.unwrap().is_none());
        store.store.close().await;
    }

    async fn offsets_have_no_holes_and_callbacks_run_in_their_order(store: TestStore) {
        let rooms = ["a", "b", "c"];
        let order = std::sync::Arc::new(parking_lot::Mutex::new(Vec::new()));
        let (done, mut finished) = tokio::sync::mpsc::unbounded_channel();
        for number in 0..600 {
            let (order, done) = (order.clone(), done.clone());
            store.store.write(post(rooms[number % 3], "ada", &number.to_string()), move |result, _| {
                let message = result.unwrap().message;
                order.lock().push((message.room, message.offset));
                done.send(()).unwrap();
            });
        }
        for _ in 0..600 {
            finished.recv().await.unwrap();
        }
        for room in rooms {
            let all = store.all(room).await;
            assert_eq!(offsets(&all), (1..=200).collect::<Vec<_>>());
            assert_eq!(revisions(&all), offsets(&all));
            let seen = RoomRef::parse(room).unwrap();
            let order = order.lock();
            let told: Vec<u64> = order.iter().filter(|(of, _)| *of == seen).map(|(_, offset)| *offset).collect();
            assert_eq!(told, offsets(&all));
        }
    }

    async fn a_page_holds_the_messages_on_one_side_of_an_offset(store: TestStore) {
        for number in 1..=5 {
            store.post("tea", "ada", &number.to_string()).await;
        }
        for (direction, limit, expected, more) in [
            (Direction::Last, 3, &[3, 4, 5][..], true),
            (Direction::Last, 5, &[1, 2, 3, 4, 5], false),
            (Direction::Before(4), 2, &[2, 3], true),
            (Direction::Before(4), 3, &[1, 2, 3], false),
            (Direction::Before(1), 3, &[], false),
            (Direction::After(2), 2, &[3, 4], true),
            (Direction::After(2), 3, &[3, 4, 5], false),
            (Direction::After(u64::MAX), 3, &[], false),
            (Direction::Before(u64::MAX), 1, &[5], true),
        ] {
            let page = store.store.page(named("tea"), id("bob"), direction, limit).await.unwrap();
            assert_eq!((&offsets(&page.messages)[..], page.more), (expected, more), "{direction:?} {limit}");
        }
        let nothing = store.store.page(named("empty"), id("bob"), Direction::Last, 3).await.unwrap();
        assert!(nothing.messages.is_empty() && !nothing.more);
    }

    async fn a_page_ends_before_it_is_larger_than_a_megabyte(store: TestStore) {
        let large = "x".repeat(400_000);
        for _ in 0..4 {
            store.post("tea", "ada", &large).await;
        }
        store.post("tea", "ada", &"y".repeat(1_500_000)).await;
        let page = async |direction| {
            let page = store.store.page(named("tea"), id("bob"), direction, 200).await.unwrap();
            (offsets(&page.messages), page.more)
        };
        assert_eq!(page(Direction::After(0)).await, (vec![1, 2], true));
        assert_eq!(page(Direction::Before(5)).await, (vec![3, 4], true));
        assert_eq!(page(Direction::Last).await, (vec![5], true));
        let caught = store.store.catch_up(named("tea"), id("bob"), Some(0)).await.unwrap();
        assert_eq!((offsets(&caught.messages), caught.more), (vec![1, 2], true));
    }

    async fn a_client_that_was_away_gets_what_changed(store: TestStore) {
        let mut posted = Vec::new();
        for number in 1..=4 {
            posted.push(store.post("tea", "ada", &number.to_string()).await);
        }
        store.write(edit(posted[1].id, "edited")).await.unwrap();
        store.write(delete(posted[0].id)).await.unwrap();
        store.post("tea", "ada", "5").await;
        let catch_up = async |since| store.store.catch_up(named("tea"), id("bob"), since).await.unwrap();
        let caught = catch_up(Some(3)).await;
        assert_eq!(caught.head, Head { offset: 5, revision: 7 });
        assert_eq!(offsets(&caught.messages), [4, 2, 1, 5]);
        assert_eq!(revisions(&caught.messages), [4, 5, 6, 7]);
        assert!(!caught.reset && !caught.more);
        assert_eq!(caught.messages[1].body, body("edited"));
        assert_eq!(caught.messages[2].body.as_str(), "{}");
        assert!(catch_up(Some(7)).await.messages.is_empty());
        let beyond = catch_up(Some(8)).await;
        assert!(beyond.reset);
        assert_eq!(offsets(&beyond.messages), [1, 2, 3, 4, 5]);
        let first = catch_up(None).await;
        assert_eq!((offsets(&first.messages), first.reset), (vec![1, 2, 3, 4, 5], false));
        let unknown = store.store.catch_up(named("empty"), id("bob"), Some(3)).await.unwrap();
        assert_eq!((unknown.head, unknown.reset), (Head { offset: 0, revision: 0 }, true));
        let new = store.store.catch_up(named("empty"), id("bob"), Some(0)).await.unwrap();
        assert!(!new.reset && new.messages.is_empty());
    }

    async fn a_long_absence_is_made_good_page_by_page(store: TestStore) {
        let posts: Vec<_> = (0..450).map(|number| store.queue(post("tea", "ada", &number.to_string()))).collect();
        let mut ids = Vec::new();
        for post in posts {
            ids.push(post.await.unwrap().unwrap().message.id);
        }
        let edits: Vec<_> = ids.iter().step_by(2).map(|id| store.queue(edit(*id, "edited"))).collect();
        for edit in edits {
            edit.await.unwrap().unwrap();
        }
        let (mut since, mut seen) = (100, std::collections::BTreeMap::new());
        loop {
            let caught = store.store.catch_up(named("tea"), id("bob"), Some(since)).await.unwrap();
            assert!(!caught.reset);
            assert!(caught.messages.iter().all(|message| message.revision > since));
            since = caught.messages.last().map_or(since, |last| last.revision);
            seen.extend(caught.messages.into_iter().map(|message| (message.offset, message)));
            if !caught.more {
                assert_eq!(since, caught.head.revision);
                break;
            }
        }
        for message in store.all("tea").await {
            let changed = message.offset > 100 || message.edited_at.is_some();
            assert_eq!(seen.get(&message.offset), changed.then_some(&message));
        }
    }

    async fn a_refused_command_does_not_disturb_the_others_of_its_commit(store: TestStore) {
        let first = store.post("tea", "ada", "1").await;
        let good = store.queue(post("tea", "ada", "2"));
        let bad = store.queue(EditMessage { id: first.id, by: author("bob"), body: body("not mine") });
        let panics = store.queue(Panics);
        let unknown = store.queue(delete(MessageId::new()));
        let hidden = Author { user: id("ada"), may_read: Box::new(|_| false) };
        let hidden = store.queue(DeleteMessage { id: first.id, by: Some(hidden) });
        assert_eq!(code(bad.await.unwrap()), Code::Forbidden);
        assert_eq!(code(unknown.await.unwrap()), Code::NotFound);
        assert_eq!(code(hidden.await.unwrap()), Code::NotFound);
        assert_eq!(code(panics.await.unwrap()), Code::Unavailable);
        assert_eq!(good.await.unwrap().unwrap().message.offset, 2);
        assert_eq!(store.post("tea", "ada", "3").await.offset, 3);
    }

    async fn messages_are_edited_and_deleted(store: TestStore) {
        let posted = store.post("tea", "ada", "1").await;
        let change = EditMessage { id: posted.id, by: author("ada"), body: body("2") };
        let (room, edited) = store.write(change).await.unwrap();
        assert_eq!((room, edited.revision, edited.offset), (named("tea"), 2, 1));
        assert!(edited.edited_at.is_some());
        // Both in one commit.
        let (edit_again, removal) = (store.queue(edit(posted.id, "3")), store.queue(delete(posted.id)));
        assert_eq!(edit_again.await.unwrap().unwrap().1.revision, 3);
        let (room, tombstone) = removal.await.unwrap().unwrap();
        assert_eq!((room, tombstone.revision, tombstone.body.as_str()), (Some(named("tea")), 4, "{}"));
        assert_eq!(code(store.write(edit(posted.id, "4")).await), Code::Conflict);
        assert!(store.write(delete(posted.id)).await.unwrap().0.is_none());
        assert_eq!(store.all("tea").await, [tombstone]);
    }

    async fn a_retry_is_answered_with_the_saved_message(store: TestStore) {
        // Also if both are in one commit.
        let (first, second) =
            (store.queue(post_once("tea", "ada", "1", "k")), store.queue(post_once("tea", "ada", "1", "k")));
        let (first, second) = (first.await.unwrap().unwrap(), second.await.unwrap().unwrap());
        assert!(first.is_new && !second.is_new);
        assert_eq!(first.message, second.message);
        let (_, edited) = store.write(edit(first.message.id, "edited")).await.unwrap();
        let retry = store.write(post_once("tea", "ada", "1", "k")).await.unwrap();
        assert_eq!((retry.message, retry.is_new), (edited, false));
        assert_eq!(code(store.write(post_once("tea", "ada", "2", "k")).await), Code::Conflict);
        assert_eq!(code(store.write(post_once("other", "ada", "1", "k")).await), Code::Conflict);
        assert!(store.write(post_once("tea", "bob", "1", "k")).await.unwrap().is_new);
        let store = store.reopen().await;
        assert!(!store.write(post_once("tea", "ada", "1", "k")).await.unwrap().is_new);
        assert_eq!(store.all("tea").await.len(), 2);
    }

    async fn memberships_count_and_are_limited(store: TestStore) {
        let join = |room: &str| Join { user: id("ada"), room: named(room), rooms_per_user: 2 };
        assert!(store.write(join("a")).await.unwrap());
        assert!(!store.write(join("a")).await.unwrap());
        assert!(store.write(join("b")).await.unwrap());
        assert_eq!(code(store.write(join("c")).await), Code::Forbidden);
        assert!(!store.write(join("b")).await.unwrap(), "a membership that is there is not refused");
        let refused = SaveMessage { rooms_per_user: 2, ..post("c", "ada", "1") };
        assert_eq!(code(store.write(refused).await), Code::Forbidden);
        assert!(store.all("c").await.is_empty());
        store.write(Leave { user: id("ada"), room: named("a") }).await.unwrap();
        // Leaves and joins of one commit see each other.
        let (left, joined) = (store.queue(Leave { user: id("ada"), room: named("b") }), store.queue(join("c")));
        left.await.unwrap().unwrap();
        assert!(joined.await.unwrap().unwrap());
        assert!(store.write(join("d")).await.unwrap());
        store.join("bob", "c").await.unwrap();
        let names = ["a", "c", "none"].map(|name| RoomName::parse(name).unwrap());
        let stored = store.store.rooms(names.to_vec()).await.unwrap();
        let counts: Vec<_> = stored.iter().map(|room| room.map(|room| room.member_count)).collect();
        assert_eq!(counts, [Some(0), Some(2), None]);
        store.write(Leave { user: id("ada"), room: named("never") }).await.unwrap();
    }

    async fn read_marks_and_unread_messages(store: TestStore) {
        for number in 1..=4 {
            store.post("tea", "ada", &number.to_string()).await;
        }
        assert_eq!(code(store.write(mark("bob", "tea", 2)).await), Code::NotFound);
        assert_eq!(code(store.write(mark("bob", "none", 2)).await), Code::NotFound);
        store.join("bob", "tea").await.unwrap();
        let moved = store.write(mark("bob", "tea", 2)).await.unwrap();
        assert_eq!((moved.offset, moved.has_moved), (2, true));
        let back = store.write(mark("bob", "tea", 1)).await.unwrap();
        assert_eq!((back.offset, back.has_moved), (2, false));
        let all = store.all("tea").await;
        store.write(delete(all[2].id)).await.unwrap();
        store.post("tea", "bob", "mine").await;
        let memberships = store.store.memberships(id("bob")).await.unwrap();
        assert_eq!(memberships.len(), 1);
        assert_eq!((memberships[0].read, memberships[0].unread), (2, 1));
        assert_eq!(memberships[0].head, Head { offset: 5, revision: 6 });
        let moved = store.write(mark("bob", "tea", 99)).await.unwrap();
        assert_eq!(moved.offset, 5);
        // Leaving forgets the mark.
        store.write(Leave { user: id("bob"), room: named("tea") }).await.unwrap();
        store.join("bob", "tea").await.unwrap();
        assert_eq!(store.store.memberships(id("bob")).await.unwrap()[0].read, 0);
    }

    async fn direct_messages_have_the_other_user_as_their_room(store: TestStore) {
        store.name("bob", "Bob B.").await;
        let direct = Room::Direct(Direct::between(id("ada"), id("bob")));
        let send = SaveMessage { room: direct.clone(), members: vec![id("ada"), id("bob")], ..post("x", "ada", "hi") };
        let sent = store.write(send).await.unwrap().message;
        assert_eq!(sent.room, RoomRef::With(id("bob")));
        let seen = store.store.page(direct.clone(), id("bob"), Direction::Last, 5).await.unwrap();
        assert_eq!(seen.messages[0].room, RoomRef::With(id("ada")));
        let ada = store.store.memberships(id("ada")).await.unwrap();
        assert_eq!(ada[0].with.as_ref().map(|user| &*user.name), Some("Bob B."));
        let bob = store.store.memberships(id("bob")).await.unwrap();
        assert_eq!(bob[0].with.as_ref().map(|user| &*user.name), Some("ada"));
        assert_eq!(bob[0].unread, 1);
        assert_eq!(store.store.message(sent.id).await.unwrap().unwrap().0, direct);
        // They do not count as rooms, and are not listed.
        assert!(store.write(Join { user: id("ada"), room: named("a"), rooms_per_user: 1 }).await.unwrap());
        let listed = store.store.room_names(RoomNameQuery::default(), 10).await.unwrap();
        assert_eq!(listed, [RoomName::parse("a").unwrap()]);
    }

    async fn lists_of_rooms_and_users_are_in_order(store: TestStore) {
        for room in ["tea", "team", "tea-2", "é", "b"] {
            store.join("ada", room).await.unwrap();
        }
        let rooms = async |prefix: &str, after: Option<&str>, limit| -> Vec<String> {
            let after = after.map(|name| RoomName::parse(name).unwrap());
            let found = store.store.room_names(RoomNameQuery { prefix: prefix.to_owned(), after }, limit).await;
            found.unwrap().into_iter().map(String::from).collect()
        };
        assert_eq!(rooms("", None, 9).await, ["b", "tea", "tea-2", "team", "é"]);
        assert_eq!(rooms("tea", Some("tea"), 9).await, ["tea-2", "team"]);
        assert_eq!(rooms("", Some("b"), 2).await, ["tea", "tea-2"]);
        for (user, name) in [("u1", "Zoe"), ("u2", "adam"), ("u3", "Bea")] {
            store.name(user, name).await;
            store.join(user, "b").await.unwrap();
        }
        store.write(SaveLastSeen { user: id("u1"), at: Timestamp::from_millis(1_234) }).await.unwrap();
        store.write(SaveLastSeen { user: id("nobody"), at: Timestamp::from_millis(1) }).await.unwrap();
        let users = store.store.users(named("b"), vec![user("stranger"), user("u2")]).await.unwrap();
        let names: Vec<_> = users.users.iter().map(|user| (&*user.user.name, user.online)).collect();
        assert_eq!(names, [("stranger", true), ("u2", true), ("Bea", false), ("Zoe", false), ("ada", false)]);
        assert_eq!(users.user_count, 5);
        assert_eq!(users.users[3].last_seen, Some(Timestamp::from_millis(1_234)));
        let alone = store.store.users(named("none"), vec![user("stranger")]).await.unwrap();
        assert_eq!((alone.users.len(), alone.user_count), (1, 1));
        let ids = |users: Vec<crate::protocol::RoomUser>| -> Vec<String> {
            users.into_iter().map(|user| user.user.id.into()).collect()
        };
        assert_eq!(ids(store.store.members_after(named("b"), None, 2).await.unwrap()), ["ada", "u1"]);
        assert_eq!(ids(store.store.members_after(named("b"), Some(id("u1")), 9).await.unwrap()), ["u2", "u3"]);
        assert_eq!(ids(store.store.users_after(Some(id("u1")), 9).await.unwrap()), ["u2", "u3"]);
        assert!(store.store.user(id("nobody")).await.unwrap().is_none());
        assert_eq!(&*store.store.user_named(id("nobody")).await.unwrap().name, "nobody");
        store.name("u1", "Zoë").await;
        let renamed = store.store.user(id("u1")).await.unwrap().unwrap();
        assert_eq!((&*renamed.user.name, renamed.last_seen), ("Zoë", Some(Timestamp::from_millis(1_234))));
    }

    async fn everything_is_there_after_a_restart(store: TestStore) {
        let first = store.post("tea", "ada", "1").await;
        store.write(edit(first.id, "2")).await.unwrap();
        store.write(mark("ada", "tea", 1)).await.unwrap();
        let store = store.reopen().await;
        let next = store.post("tea", "ada", "3").await;
        assert_eq!((next.offset, next.revision), (2, 3));
        let memberships = store.store.memberships(id("ada")).await.unwrap();
        assert_eq!((memberships[0].read, memberships[0].head), (1, Head { offset: 2, revision: 3 }));
        assert!(store.store.is_ready().await);
        store.store.close().await;
        assert_eq!(code(store.write(post("tea", "ada", "4")).await), Code::Unavailable);
        assert_eq!(code(store.store.message(first.id).await), Code::Unavailable);
    }
}

fn mark(user: &str, room: &str, offset: u64) -> MarkRead {
    MarkRead { user: id(user), room: named(room), offset }
}

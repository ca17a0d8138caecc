//! What is left after messages were removed, a room emptied, a user erased: the same with both engines.

use super::engines::{Engine, TestStore, body, contract, id, named, post, post_once};
use crate::{
    model::{Direct, Message, Room, Timestamp},
    protocol::Head,
    store::{
        DeleteMessage, EditMessage, EmptyRoom, EndMemberships, EraseMessages, ForgetUser, MarkRead, RemoveMessages,
        SaveLastSeen, SaveMessage, ScanPlace,
    },
};

fn offsets(messages: &[Message]) -> Vec<u64> {
    messages.iter().map(|message| message.offset).collect()
}

/// All but the newest messages of a room.
fn all_but(most: u64, room: &str, limit: usize) -> RemoveMessages {
    RemoveMessages { room: named(room), before: None, most: Some(most), limit }
}

/// All ids of a user's messages.
async fn search(store: &TestStore, user: &str) -> Vec<crate::model::MessageId> {
    let (mut from, mut all) = (ScanPlace::default(), Vec::new());
    loop {
        let found = store.store.messages_of(id(user), from).await.unwrap();
        all.extend(found.messages);
        match found.next {
            Some(next) => from = next,
            None => return all,
        }
    }
}

contract! {
    async fn a_key_whose_message_is_gone_may_be_used_again(store: TestStore) {
        for round in 0..3 {
            // In one commit, as the commands of a busy server.
            let keyed = store.queue(post_once("tea", "ada", "1", "key"));
            let emptied = store.queue(EmptyRoom { room: named("tea"), limit: 9 });
            let other = store.queue(post("other", "bob", "1"));
            assert!(keyed.await.unwrap().unwrap().is_new, "round {round}");
            emptied.await.unwrap().unwrap();
            assert_eq!(other.await.unwrap().unwrap().message.offset, round + 1);
        }
        // Its message loses the key first, and goes then.
        let message = store.write(post_once("tea", "ada", "1", "key")).await.unwrap().message;
        let erased = EraseMessages { messages: vec![message.id], user: id("ada") };
        store.write(erased).await.unwrap();
        store.write(EmptyRoom { room: named("tea"), limit: 9 }).await.unwrap();
        assert!(store.write(post_once("tea", "ada", "1", "key")).await.unwrap().is_new);
    }

    async fn the_oldest_messages_are_removed_in_slices_and_nothing_else_changes(store: TestStore) {
        for number in 1..=10 {
            store.post("tea", "ada", &number.to_string()).await;
            store.post("other", "ada", &number.to_string()).await;
        }
        let first = store.write(all_but(4, "tea", 4)).await.unwrap();
        assert_eq!((first.messages, first.more), (4, true));
        let second = store.write(all_but(4, "tea", 4)).await.unwrap();
        assert_eq!((second.messages, second.more), (2, false));
        let third = store.write(all_but(4, "tea", 4)).await.unwrap();
        assert_eq!((third.messages, third.more), (0, false));
        assert_eq!(offsets(&store.all("tea").await), [7, 8, 9, 10]);
        assert_eq!(store.all("other").await.len(), 10);
        let none = store.write(all_but(4, "unknown", 4)).await.unwrap();
        assert_eq!((none.messages, none.more), (0, false));
        assert_eq!(store.post("tea", "ada", "11").await.offset, 11);
        let contents = store.store.contents(None, 10).await.unwrap();
        let counts: Vec<_> = contents.iter().map(|of| (of.room.clone(), of.messages)).collect();
        assert_eq!(counts, [(named("other"), 10), (named("tea"), 5)]);
        assert_eq!(contents[1].oldest, Some(store.all("tea").await[0].at));
        let rest = store.store.contents(Some(named("other")), 10).await.unwrap();
        assert_eq!(rest.len(), 1);
    }

    async fn only_messages_that_are_old_enough_are_removed(store: TestStore) {
        let posted = store.post("tea", "ada", "1").await;
        let before = |at: u64| RemoveMessages {
            room: named("tea"), before: Some(Timestamp::from_millis(at)), most: None, limit: 9
        };
        let at = posted.at.as_millis();
        assert_eq!(store.write(before(at)).await.unwrap().messages, 0);
        assert_eq!(store.write(before(at + 1)).await.unwrap().messages, 1);
        assert!(store.all("tea").await.is_empty());
    }

    async fn a_slice_of_large_messages_is_small(store: TestStore) {
        for _ in 0..4 {
            store.post("tea", "ada", &"x".repeat(200_000)).await;
        }
        let first = store.write(all_but(1, "tea", 100)).await.unwrap();
        assert_eq!((first.messages, first.more), (1, true));
        let second = store.write(all_but(1, "tea", 100)).await.unwrap();
        assert_eq!((second.messages, second.more), (1, true));
    }

    async fn a_client_whose_answer_would_have_a_hole_begins_anew(store: TestStore) {
        for number in 1..=6 {
            store.post("tea", "ada", &number.to_string()).await;
        }
        let second = store.all("tea").await[1].id;
        store.write(EditMessage { id: second, by: None, body: body("edited") }).await.unwrap();
        store.write(all_but(5, "tea", 9)).await.unwrap();
        let catch_up = async |since| store.store.catch_up(named("tea"), id("bob"), Some(since)).await.unwrap();
        assert!(catch_up(0).await.reset);
        for since in 1..=7 {
            assert!(!catch_up(since).await.reset, "{since}");
        }
        // The second message has changed last at revision 7.
        store.write(all_but(4, "tea", 9)).await.unwrap();
        let caught = catch_up(6).await;
        assert_eq!((caught.reset, offsets(&caught.messages)), (true, vec![3, 4, 5, 6]));
        assert!(!catch_up(7).await.reset);
        store.post("tea", "ada", "7").await;
        let caught = catch_up(7).await;
        assert_eq!((caught.reset, offsets(&caught.messages)), (false, vec![7]));
    }

    async fn unread_counts_and_read_marks_are_those_of_what_is_left(store: TestStore) {
        store.join("bob", "tea").await.unwrap();
        for number in 1..=6 {
            store.post("tea", "ada", &number.to_string()).await;
        }
        store.write(MarkRead { user: id("bob"), room: named("tea"), offset: 2 }).await.unwrap();
        store.write(all_but(3, "tea", 9)).await.unwrap();
        let memberships = store.store.memberships(id("bob")).await.unwrap();
        assert_eq!((memberships[0].read, memberships[0].unread), (2, 3));
        let moved = store.write(MarkRead { user: id("bob"), room: named("tea"), offset: 3 }).await.unwrap();
        assert_eq!((moved.offset, moved.has_moved), (3, true));
        assert_eq!(store.store.memberships(id("bob")).await.unwrap()[0].unread, 3);
    }

    async fn the_retry_of_a_removed_message_is_a_new_message(store: TestStore) {
        let first = store.write(post_once("tea", "ada", "1", "k")).await.unwrap().message;
        assert_eq!(store.store.key_count(id("ada")).await.unwrap(), 1);
        store.write(EmptyRoom { room: named("tea"), limit: 9 }).await.unwrap();
        assert_eq!(store.store.key_count(id("ada")).await.unwrap(), 0);
        assert!(store.store.message(first.id).await.unwrap().is_none());
        let again = store.write(post_once("tea", "ada", "1", "k")).await.unwrap();
        assert!(again.is_new);
        assert_eq!(again.message.offset, 2);
    }

    async fn an_emptied_room_keeps_its_offset_and_answers_every_client_with_reset(store: TestStore) {
        for number in 1..=5 {
            store.post("tea", "ada", &number.to_string()).await;
        }
        let first = store.write(EmptyRoom { room: named("tea"), limit: 3 }).await.unwrap();
        assert_eq!((first.messages, first.is_empty), (3, false));
        let second = store.write(EmptyRoom { room: named("tea"), limit: 3 }).await.unwrap();
        assert_eq!((second.messages, second.is_empty), (2, true));
        let store = store.reopen().await;
        for since in 0..=5 {
            let caught = store.store.catch_up(named("tea"), id("bob"), Some(since)).await.unwrap();
            assert_eq!((caught.reset, caught.messages.len()), (true, 0), "{since}");
            assert_eq!(caught.head, Head { offset: 5, revision: 6 });
        }
        let next = store.post("tea", "ada", "6").await;
        assert_eq!((next.offset, next.revision), (6, 7));
        let caught = store.store.catch_up(named("tea"), id("bob"), Some(6)).await.unwrap();
        assert_eq!((caught.reset, offsets(&caught.messages)), (false, vec![6]));
        let unknown = store.write(EmptyRoom { room: named("unknown"), limit: 3 }).await.unwrap();
        assert!(unknown.is_empty);
    }

    async fn removals_of_one_commit_go_on_where_the_others_ended(store: TestStore) {
        for number in 1..=5 {
            store.post("tea", "ada", &number.to_string()).await;
        }
        let slices: Vec<_> = (0..3).map(|_| store.queue(EmptyRoom { room: named("tea"), limit: 2 })).collect();
        let mut emptied = Vec::new();
        for slice in slices {
            let slice = slice.await.unwrap().unwrap();
            emptied.push((slice.messages, slice.is_empty));
        }
        assert_eq!(emptied, [(2, false), (2, false), (1, true)]);
        assert!(store.all("tea").await.is_empty());
    }

    async fn removals_see_the_other_commands_of_their_commit(store: TestStore) {
        let first = store.post("tea", "ada", "1").await;
        let posts: Vec<_> = (2..=4).map(|number| store.queue(post("tea", "ada", &number.to_string()))).collect();
        let edited = store.queue(EditMessage { id: first.id, by: None, body: body("edited") });
        let removed = store.queue(all_but(3, "tea", 9));
        let gone = store.queue(DeleteMessage { id: first.id, by: None });
        let again = store.queue(all_but(1, "tea", 9));
        let emptied = store.queue(EmptyRoom { room: named("new"), limit: 9 });
        let made = store.queue(post("new", "ada", "1"));
        let emptied_again = store.queue(EmptyRoom { room: named("new"), limit: 9 });
        for post in posts {
            post.await.unwrap().unwrap();
        }
        assert_eq!(edited.await.unwrap().unwrap().1.revision, 5);
        assert_eq!(removed.await.unwrap().unwrap().messages, 1);
        assert!(gone.await.unwrap().is_err());
        assert_eq!(again.await.unwrap().unwrap().messages, 2);
        assert!(emptied.await.unwrap().unwrap().is_empty);
        made.await.unwrap().unwrap();
        assert_eq!(emptied_again.await.unwrap().unwrap().messages, 1);
        assert_eq!(offsets(&store.all("tea").await), [4]);
        assert!(store.all("new").await.is_empty());
        let caught = store.store.catch_up(named("tea"), id("bob"), Some(4)).await.unwrap();
        assert!(caught.reset, "the first message was edited at revision 5 before it was removed");
        assert_eq!(store.post("new", "ada", "2").await.revision, 3);
    }

    async fn the_messages_of_an_erased_user_are_tombstones_of_the_system(store: TestStore) {
        let mine = store.write(post_once("tea", "ada", "secret", "k")).await.unwrap().message;
        let theirs = store.post("tea", "bob", "kept").await;
        let deleted = store.post("tea", "ada", "deleted before").await;
        store.write(DeleteMessage { id: deleted.id, by: None }).await.unwrap();
        let found = search(&store, "ada").await;
        assert_eq!(found, [mine.id, deleted.id]);
        let wrong = [theirs.id, crate::model::MessageId::new()];
        let ids = found.into_iter().chain(wrong).collect();
        let erased = store.write(EraseMessages { user: id("ada"), messages: ids }).await.unwrap();
        let erased: Vec<_> = erased.iter().map(|erased| (erased.message.offset, erased.newer)).collect();
        assert_eq!(erased, [(1, 2), (3, 0)]);
        assert!(search(&store, "ada").await.is_empty());
        let all = store.all("tea").await;
        assert_eq!(all[1], theirs);
        for tombstone in [&all[0], &all[2]] {
            assert!(tombstone.from.id.is_system() && tombstone.deleted_at.is_some());
            assert_eq!((&*tombstone.from.name, tombstone.body.as_str()), ("System", "{}"));
            assert_eq!(tombstone.idempotency_key, None);
        }
        // A client that was away hears of them.
        let caught = store.store.catch_up(named("tea"), id("bob"), Some(4)).await.unwrap();
        assert_eq!((caught.reset, caught.messages), (false, vec![all[0].clone(), all[2].clone()]));
    }

    async fn an_erased_user_has_no_name_no_keys_and_no_memberships(store: TestStore) {
        store.name("ada", "Ada L.").await;
        store.name("bob", "Bob").await;
        store.write(SaveLastSeen { user: id("ada"), at: Timestamp::from_millis(7) }).await.unwrap();
        for key in ["a", "b", "c"] {
            store.write(post_once("tea", "ada", "1", key)).await.unwrap();
        }
        store.write(post_once("tea", "bob", "1", "a")).await.unwrap();
        let direct = Room::Direct(Direct::between(id("ada"), id("bob")));
        let send = SaveMessage { room: direct.clone(), members: vec![id("ada"), id("bob")], ..post("x", "ada", "hi") };
        store.write(send).await.unwrap();
        let rooms = vec![(id("ada"), named("tea")), (id("ada"), direct.clone()), (id("ada"), named("none"))];
        store.write(EndMemberships(rooms)).await.unwrap();
        store.write(ForgetUser { user: id("ada"), keys: 2 }).await.unwrap();
        assert_eq!(store.store.key_count(id("ada")).await.unwrap(), 1);
        store.write(ForgetUser { user: id("ada"), keys: 2 }).await.unwrap();
        assert_eq!(store.store.key_count(id("ada")).await.unwrap(), 0);
        assert_eq!(store.store.key_count(id("bob")).await.unwrap(), 1);
        assert!(store.store.user(id("ada")).await.unwrap().is_none());
        assert!(store.store.memberships(id("ada")).await.unwrap().is_empty());
        assert_eq!(store.store.memberships(id("bob")).await.unwrap().len(), 2);
        // The name is saved again when the user comes back.
        store.name("ada", "Ada L.").await;
        assert_eq!(&*store.store.user_named(id("ada")).await.unwrap().name, "Ada L.");
    }
}

/// SQLite gives the number of the newest message again if that was removed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_of_messages_that_their_own_commit_removes_are_not_kept() {
    let store = TestStore::new(Engine::Sqlite);
    let posts: Vec<_> = (0..5).map(|_| store.queue(post("tea", "ada", "word"))).collect();
    let emptied = store.queue(EmptyRoom { room: named("tea"), limit: 9 });
    for post in posts {
        post.await.unwrap().unwrap();
    }
    assert!(emptied.await.unwrap().unwrap().is_empty);
    let db = rusqlite::Connection::open(store.config.path.join("sockeye.db")).unwrap();
    let words: u64 = db.query_row("SELECT count(*) FROM message_words", [], |row| row.get(0)).unwrap();
    assert_eq!(words, 0);
}

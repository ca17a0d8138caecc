//! The search, with both engines.

use super::{
    engines::{Engine, TestStore, body, contract, id, named, post, user},
    postgres::connect,
};
use crate::{
    config::SearchConfig,
    model::{Body, Direct, Message, MessageId, Room},
    store::{DeleteMessage, EditMessage, EmptyRoom, Found, Reader, SaveMessage, Search, commands::IndexMessages},
};

fn fields(names: &[&str]) -> SearchConfig {
    SearchConfig { fields: names.iter().map(ToString::to_string).collect() }
}

/// A user who may read these rooms, and their own direct messages.
fn reader(name: &str, rooms: &'static [&'static str]) -> Option<Reader> {
    let user = id(name);
    let may_read = {
        let user = user.clone();
        move |room: &Room| match room {
            Room::Named(name) => rooms.contains(&name.as_str()),
            Room::Direct(direct) => direct.has(&user),
        }
    };
    Some(Reader { user, may_read: Box::new(may_read) })
}

/// A search of a backend.
fn all(text: &str) -> Search {
    Search::new(text, 50, None).unwrap()
}

async fn find(store: &TestStore, search: Search) -> Found {
    store.store.search(search).await.unwrap()
}

fn texts(messages: &[Message]) -> Vec<String> {
    let text = |message: &Message| {
        let body: serde_json::Value = serde_json::from_str(message.body.as_str()).unwrap();
        body["text"].as_str().unwrap_or_default().to_owned()
    };
    messages.iter().map(text).collect()
}

async fn found(store: &TestStore, text: &str) -> Vec<String> {
    texts(&find(store, all(text)).await.messages)
}

/// Indexes all messages that are not indexed yet, in small slices.
async fn index_all(store: &TestStore) {
    while store.write(IndexMessages { limit: 3 }).await.unwrap() {}
}

/// Removes the message as retention does, by SQL of the engine.
async fn remove(store: &TestStore, message: &Message) {
    if store.config.url.is_empty() {
        let db = rusqlite::Connection::open(store.config.path.join("sockeye.db")).unwrap();
        db.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
        db.execute("DELETE FROM messages WHERE id = ?", [message.id.as_bytes()]).unwrap();
        let words = "SELECT count(*) FROM message_words WHERE rowid NOT IN (SELECT number FROM messages)";
        assert_eq!(db.query_row(words, [], |row| row.get::<_, u64>(0)).unwrap(), 0);
    } else {
        let client = connect(&store.config.url).await;
        client.batch_execute(&format!("SET search_path = {}", store.config.schema)).await.unwrap();
        client.execute(&format!("DELETE FROM messages WHERE id = '{}'", message.id), &[]).await.unwrap();
        let words = "SELECT count(*) FROM message_words WHERE id NOT IN (SELECT id FROM messages)";
        assert_eq!(client.query_one(words, &[]).await.unwrap().get::<_, i64>(0), 0);
    }
}

contract! {
    async fn a_message_is_found_by_its_words(store: TestStore) {
        for text in ["The first meeting", "Ein Müller, zwei MEETINGS", "it's 'quoted\" \\ OR NOT (meet*)", "東京へ行く", "x"] {
            store.post("tea", "ada", text).await;
        }
        assert_eq!(found(&store, "meeting").await, ["Ein Müller, zwei MEETINGS", "The first meeting"]);
        assert_eq!(found(&store, "meeting first").await, ["The first meeting"]);
        assert_eq!(found(&store, "muller").await, ["Ein Müller, zwei MEETINGS"]);
        assert_eq!(found(&store, "東京").await, ["東京へ行く"]);
        assert_eq!(found(&store, "行").await, ["東京へ行く"]);
        assert!(found(&store, "京東").await.is_empty());
        assert!(found(&store, "me").await.is_empty(), "fewer than three letters match themselves only");
        assert_eq!(found(&store, "X").await, ["x"]);
        // Nothing in a query has a meaning but its words.
        for text in ["meeting OR nothing", "NOT meeting", "meeting -first nothing", "words:meeting", "meeting:*|x", "^x y"] {
            assert!(found(&store, text).await.is_empty(), "{text}");
        }
        for text in ["it's", "\"quoted\"", "'quoted", "quoted \\", "(meet*) quoted", "quoted & meet", "it's:*", "or not"] {
            assert_eq!(found(&store, text).await, ["it's 'quoted\" \\ OR NOT (meet*)"], "{text}");
        }
        let store = store.reopen().await;
        assert_eq!(found(&store, "first").await, ["The first meeting"]);
    }

    async fn only_what_the_reader_may_read_is_found(store: TestStore) {
        store.post("tea", "ada", "secret one").await;
        store.post("den", "bob", "secret two").await;
        let direct = SaveMessage {
            room: Room::Direct(Direct::between(id("ada"), id("bob"))),
            ..post("tea", "ada", "secret three")
        };
        store.write(direct).await.unwrap();
        let as_reader = |reader| Search::new("secret", 50, reader).unwrap();
        let bob = find(&store, as_reader(reader("bob", &["den"]))).await;
        assert_eq!(texts(&bob.messages), ["secret three", "secret two"]);
        assert_eq!(bob.messages[0].room.to_string(), "dm:ada");
        let ada = find(&store, as_reader(reader("ada", &["tea", "den"]))).await;
        assert_eq!(texts(&ada.messages), ["secret three", "secret two", "secret one"]);
        assert_eq!(ada.messages[0].room.to_string(), "dm:bob");
        let eve = find(&store, as_reader(reader("eve", &["tea"]))).await;
        assert_eq!(texts(&eve.messages), ["secret one"]);
        assert!(eve.next.is_none());
        assert_eq!(find(&store, as_reader(None)).await.messages.len(), 3);
    }

    async fn a_search_is_limited_to_a_room_and_an_author(store: TestStore) {
        for (room, author) in [("tea", "ada"), ("tea", "bob"), ("den", "ada"), ("tea", "ada")] {
            store.write(SaveMessage { from: user(author), ..post(room, author, &format!("word {room} {author}")) }).await.unwrap();
        }
        let tea = Search { room: Some(named("tea")), ..all("word") };
        assert_eq!(texts(&find(&store, tea).await.messages), ["word tea ada", "word tea bob", "word tea ada"]);
        let ada = Search { from: Some(id("ada")), ..all("word") };
        assert_eq!(texts(&find(&store, ada).await.messages), ["word tea ada", "word den ada", "word tea ada"]);
        let both = Search { room: Some(named("tea")), from: Some(id("bob")), ..all("word") };
        assert_eq!(texts(&find(&store, both).await.messages), ["word tea bob"]);
        let nowhere = Search { room: Some(named("nowhere")), ..all("word") };
        assert!(find(&store, nowhere).await.messages.is_empty());
        let stranger = Search { from: Some(id("=1 OR ada")), ..all("word") };
        assert!(find(&store, stranger).await.messages.is_empty());
        // The words for rooms and authors are no words of a text.
        assert!(Search::new("=1 @", 50, None).unwrap().terms.iter().all(|term| term.word == "1"));
    }

    async fn pages_follow_each_other_without_holes(store: TestStore) {
        let posts: Vec<_> = (0..23).map(|number| store.queue(post("tea", "ada", &format!("word {number}")))).collect();
        for post in posts {
            post.await.unwrap().unwrap();
        }
        let newest_first: Vec<String> = (0..23).rev().map(|number| format!("word {number}")).collect();
        for limit in [1, 5, 23, 24] {
            let (mut before, mut seen) = (None, Vec::new());
            loop {
                let page = find(&store, Search { before, limit, ..all("word") }).await;
                assert!(page.messages.len() <= limit);
                seen.extend(texts(&page.messages));
                before = page.next;
                if before.is_none() {
                    break;
                }
            }
            assert_eq!(seen, newest_first, "limit {limit}");
        }
        let messages = store.all("tea").await;
        remove(&store, &messages[10]).await;
        let after_removed = Search { before: Some(messages[10].id), limit: 2, ..all("word") };
        assert_eq!(texts(&find(&store, after_removed).await.messages), ["word 9", "word 8"]);
        let oldest = Search { before: Some(MessageId::from_bytes([0; 16])), ..all("word") };
        assert!(find(&store, oldest).await.messages.is_empty());
    }

    async fn a_search_looks_at_ten_thousand_hits_and_says_where_to_go_on(store: TestStore) {
        store.post("tea", "ada", "word 1").await;
        store.post("tea", "ada", "word 2").await;
        let mut hidden = Vec::new();
        for _ in 0..10_500 {
            hidden.push(store.queue(post("hidden", "bob", "word")));
        }
        let mut ids = std::collections::HashSet::new();
        for post in hidden {
            ids.insert(post.await.unwrap().unwrap().message.id);
        }
        let newest = store.post("tea", "ada", "word 3").await;
        let (mut before, mut pages) = (None, Vec::new());
        loop {
            let page = find(&store, Search { before, ..Search::new("word", 50, reader("ada", &["tea"])).unwrap() }).await;
            pages.push(texts(&page.messages));
            before = page.next;
            match page.next {
                None => break,
                Some(next) => assert!(!ids.contains(&next), "the id of a message that may not be read"),
            }
        }
        assert_eq!(pages, [vec!["word 3"], vec!["word 2", "word 1"]]);
        let own = Search { limit: 1, ..Search::new("word", 1, reader("ada", &["tea"])).unwrap() };
        assert!(find(&store, own).await.next.is_some_and(|next| next <= newest.id));
    }

    async fn edits_deletions_and_removals_change_what_is_found(store: TestStore) {
        let messages = [
            store.post("tea", "ada", "old one").await,
            store.post("tea", "ada", "old two").await,
            store.post("tea", "ada", "old three").await,
        ];
        // In one commit, in an order that is not that of the messages.
        let changes = [(2, "new three"), (0, "new one"), (2, "newer three")];
        let edits: Vec<_> = changes
            .map(|(place, text)| store.queue(EditMessage { id: messages[place].id, by: None, body: body(text) }))
            .into();
        let posted = store.queue(post("tea", "ada", "old four"));
        for edit in edits {
            edit.await.unwrap().unwrap();
        }
        let four = posted.await.unwrap().unwrap().message;
        assert_eq!(found(&store, "old").await, ["old four", "old two"]);
        assert_eq!(found(&store, "newer").await, ["newer three"]);
        assert_eq!(found(&store, "new").await, ["newer three", "new one"]);
        store.write(DeleteMessage { id: messages[1].id, by: None }).await.unwrap();
        assert_eq!(found(&store, "old").await, ["old four"]);
        remove(&store, &four).await;
        assert!(found(&store, "old").await.is_empty());
        assert_eq!(store.post("tea", "ada", "old five").await.offset, 5);
        assert_eq!(found(&store, "old").await, ["old five"]);
        store.write(EditMessage { id: messages[0].id, by: None, body: Body::from_json("{\"n\":1}") }).await.unwrap();
        assert_eq!(found(&store, "new").await, ["newer three"]);
    }

    async fn an_index_of_other_fields_is_made_anew(store: TestStore) {
        let json = |json: &str| SaveMessage { body: Body::from_json(json), ..post("tea", "ada", "") };
        for number in 0..10 {
            let body = format!(r#"{{"text":"text {number}","title":"title {number}","tags":["red","{number}"],"a":{{"b":"deep"}}}}"#);
            store.write(json(&body)).await.unwrap();
        }
        assert_eq!(found(&store, "text").await.len(), 10);
        assert!(found(&store, "title").await.is_empty());
        let store = store.reopen_with(fields(&["title", "tags", "a.b"])).await;
        let edited = store.all("tea").await[4].id;
        let body = Body::from_json(r#"{"title":"other","text":"text"}"#);
        store.write(EditMessage { id: edited, by: None, body }).await.unwrap();
        let gone = store.all("tea").await[5].id;
        store.write(DeleteMessage { id: gone, by: None }).await.unwrap();
        store.write(json(r#"{"title":"title new"}"#)).await.unwrap();
        index_all(&store).await;
        assert_eq!(found(&store, "title").await.len(), 9);
        assert_eq!(found(&store, "red 7").await, ["text 7"]);
        assert_eq!(found(&store, "deep").await.len(), 8);
        assert_eq!(found(&store, "other").await, ["text"]);
        assert!(found(&store, "text").await.is_empty());
        // Off, and on again: what was saved meanwhile is found too.
        let store = store.reopen_with(fields(&[])).await;
        store.post("tea", "ada", "text while off").await;
        let store = store.reopen_with(fields(&["text"])).await;
        index_all(&store).await;
        assert_eq!(found(&store, "text").await.len(), 10);
        assert_eq!(found(&store, "while").await, ["text while off"]);
    }

    async fn words_of_a_message_that_is_removed_while_it_is_indexed_are_not_kept(store: TestStore) {
        let store = store.reopen_with(fields(&[])).await;
        let (kept, gone) = (store.post("tea", "ada", "word kept").await, store.post("tea", "ada", "word gone").await);
        store.post("old", "ada", "word old").await;
        let store = store.reopen_with(fields(&["text"])).await;
        // In one commit, as the commands of a busy server.
        let indexed = store.queue(IndexMessages { limit: 9 });
        let deleted = store.queue(DeleteMessage { id: gone.id, by: None });
        let body = Body::from_json(r#"{"text":"edited"}"#);
        let edited = store.queue(EditMessage { id: kept.id, by: None, body });
        let emptied = store.queue(EmptyRoom { room: named("old"), limit: 9 });
        indexed.await.unwrap().unwrap();
        deleted.await.unwrap().unwrap();
        edited.await.unwrap().unwrap();
        emptied.await.unwrap().unwrap();
        index_all(&store).await;
        assert!(found(&store, "word").await.is_empty());
        assert_eq!(found(&store, "edited").await, ["edited"]);
    }

    async fn a_page_of_a_search_ends_before_it_is_larger_than_a_megabyte(store: TestStore) {
        let large = format!("word {}", "x".repeat(400_000));
        for _ in 0..4 {
            store.post("tea", "ada", &large).await;
        }
        let first = find(&store, all("word")).await;
        assert_eq!(first.messages.len(), 2);
        let second = find(&store, Search { before: first.next, ..all("word") }).await;
        assert_eq!((second.messages.len(), second.next), (2, None));
    }
}

#[test]
fn a_query_needs_a_word_and_is_not_too_long() {
    let refusal = |text: &str| Search::new(text, 1, None).err().map(|error| error.to_string()).unwrap();
    assert_eq!(refusal(" ... "), "text must have a word");
    assert_eq!(refusal(&"x".repeat(257)), "text must have at most 256 characters");
    assert_eq!(
        refusal(&(0..100).map(|number| format!("{number} ")).collect::<String>()[..256]),
        "text must have at most 64 words"
    );
    assert!(Search::new(&"é".repeat(256), 1, None).is_ok());
}

//! A client's view of a room, checked against the store with random changes: posts, edits, deletions, retention, emptied
//! rooms and erased users. The client asks for what has changed since any revision that it has had; then its view equals
//! the server's, or it was told to begin anew.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::sync::oneshot;

use super::engines::{Engine, TestStore, body, id, named, post};
use crate::{
    error::Result,
    model::{Message, MessageId},
    store::{DeleteMessage, EditMessage, EmptyRoom, EraseMessages, MarkRead, RemoveMessages},
};

const ROOM: &str = "tea";
const USERS: [&str; 3] = ["ada", "bob", "eve"];
/// Bursts of commands, which usually share commits.
const BURSTS: usize = 60;

/// A message as it should be.
#[derive(Debug, Clone, PartialEq)]
struct Expected {
    author: &'static str,
    text: Option<String>,
}

/// The room as it should be.
#[derive(Default)]
struct Model {
    messages: BTreeMap<u64, Expected>,
    ids: BTreeMap<u64, MessageId>,
    offset: u64,
    revision: u64,
    /// The highest offset that the room had when it was emptied.
    emptied: u64,
    read: u64,
}

/// A client, which remembers what it was told.
#[derive(Default, Clone)]
struct Client {
    since: u64,
    view: BTreeMap<u64, Message>,
    /// The client has not seen messages up to this offset.
    unseen: u64,
}

impl Client {
    /// Asks until nothing is missing.
    async fn catch_up(&mut self, store: &TestStore) {
        loop {
            let caught = store.store.catch_up(named(ROOM), id("reader"), Some(self.since)).await.unwrap();
            assert!(caught.head.revision >= self.since || caught.reset);
            if caught.reset {
                self.view.clear();
                let first = caught.messages.first().map_or(caught.head.offset + 1, |first| first.offset);
                self.unseen = if caught.more { first - 1 } else { 0 };
            }
            assert!(caught.reset || caught.messages.iter().all(|message| message.revision > self.since));
            let last = caught.messages.last().map(|last| last.revision);
            self.view.extend(caught.messages.into_iter().map(|message| (message.offset, message)));
            if caught.reset || !caught.more {
                self.since = caught.head.revision;
                return;
            }
            self.since = last.expect("an answer that is not the last has messages");
        }
    }

    fn check(&self, all: &[Message], emptied: u64) {
        for message in all.iter().filter(|message| message.offset > self.unseen) {
            assert_eq!(self.view.get(&message.offset), Some(message));
        }
        // Clients may keep what retention has removed, but nothing of a room that was emptied.
        let oldest = all.first().map_or(u64::MAX, |oldest| oldest.offset);
        let stored = |offset: &u64| all.binary_search_by_key(offset, |message| message.offset).is_ok();
        for offset in self.view.keys() {
            assert!(*offset > emptied, "a message of the emptied room");
            assert!(*offset < oldest || stored(offset), "a message that was never there");
        }
    }
}

impl Model {
    fn expect(&self, all: &[Message]) {
        let found: BTreeMap<u64, Expected> = all
            .iter()
            .map(|message| {
                let author = USERS.into_iter().find(|user| message.from.id.as_str() == *user).unwrap_or("system");
                let text = message.deleted_at.is_none().then(|| message.body.as_str().to_owned());
                (message.offset, Expected { author, text })
            })
            .collect();
        assert_eq!(found, self.messages);
    }

    fn random_id(&self, random: &mut StdRng) -> Option<(u64, MessageId)> {
        let known: Vec<_> = self.ids.iter().collect();
        (!known.is_empty()).then(|| known[random.random_range(0..known.len())]).map(|(offset, id)| (*offset, *id))
    }

    fn remove_oldest(&mut self, count: usize) {
        for _ in 0..count {
            self.messages.pop_first();
        }
    }

    /// Queues a random command, and does the same to the model. Returns what must be awaited.
    fn change(&mut self, random: &mut StdRng, store: &TestStore) -> Queued {
        match random.random_range(0..100) {
            0..55 => {
                let author = USERS[random.random_range(0..USERS.len())];
                (self.offset, self.revision) = (self.offset + 1, self.revision + 1);
                let text = format!("post {}", self.revision);
                let expected = Expected { author, text: Some(body(&text).as_str().to_owned()) };
                self.messages.insert(self.offset, expected);
                let saved = store.queue(post(ROOM, author, &text));
                let (reply, answer) = oneshot::channel();
                tokio::spawn(async move { reply.send(saved.await.unwrap().map(|saved| saved.message)) });
                Queued::Post(answer)
            }
            55..70 => {
                let Some((offset, id)) = self.random_id(random) else { return Queued::Nothing };
                let text = format!("edit {}", self.revision);
                let is_there = match self.messages.get_mut(&offset) {
                    Some(Expected { text: Some(old), .. }) => {
                        *old = body(&text).as_str().to_owned();
                        self.revision += 1;
                        true
                    }
                    _ => false,
                };
                Queued::change(is_there, store.queue(EditMessage { id, by: None, body: body(&text) }))
            }
            70..78 => {
                let Some((offset, id)) = self.random_id(random) else { return Queued::Nothing };
                let found = self.messages.get_mut(&offset);
                let is_there = found.is_some();
                if found.and_then(|found| found.text.take()).is_some() {
                    self.revision += 1;
                }
                Queued::change(is_there, store.queue(DeleteMessage { id, by: None }))
            }
            78..88 => {
                let (most, limit) = (random.random_range(1..40), random.random_range(1..10));
                let count = self.messages.len().saturating_sub(most).min(limit);
                self.remove_oldest(count);
                let remove = RemoveMessages { room: named(ROOM), before: None, most: Some(most as u64), limit };
                Queued::change(true, store.queue(remove))
            }
            88..90 => {
                let limit = random.random_range(1..60);
                let is_emptied = self.messages.len() < limit && self.revision > 0;
                self.remove_oldest(limit);
                if is_emptied {
                    self.revision += 1;
                    self.emptied = self.offset;
                }
                Queued::change(true, store.queue(EmptyRoom { room: named(ROOM), limit }))
            }
            90..95 => {
                let user = USERS[random.random_range(0..USERS.len())];
                let chosen: Vec<_> = (0..5).filter_map(|_| self.random_id(random)).collect();
                for (offset, _) in &chosen {
                    if let Some(message) = self.messages.get_mut(offset)
                        && message.author == user
                    {
                        *message = Expected { author: "system", text: None };
                        self.revision += 1;
                    }
                }
                let messages = chosen.into_iter().map(|(_, id)| id).collect();
                Queued::change(true, store.queue(EraseMessages { user: id(user), messages }))
            }
            _ => {
                self.read = self.read.max(random.random_range(0..=self.offset));
                let mark = MarkRead { user: id("reader"), room: named(ROOM), offset: self.read };
                Queued::change(true, store.queue(mark))
            }
        }
    }

    fn unread(&self) -> u64 {
        let unread = self.messages.range(self.read + 1..).filter(|(_, message)| message.text.is_some());
        unread.count() as u64
    }
}

/// A queued command.
enum Queued {
    Nothing,
    Post(oneshot::Receiver<Result<Message>>),
    /// Whether it succeeds.
    Change(bool, oneshot::Receiver<bool>),
}

impl Queued {
    fn change<T: Send + 'static>(succeeds: bool, answer: oneshot::Receiver<Result<T>>) -> Self {
        let (reply, succeeded) = oneshot::channel();
        tokio::spawn(async move { reply.send(answer.await.unwrap().is_ok()) });
        Self::Change(succeeds, succeeded)
    }
}

async fn run(engine: Engine, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let store = TestStore::new(engine);
    store.join("reader", ROOM).await.unwrap();
    let mut model = Model::default();
    // Clients that went away, each with the revision at which it did.
    let mut clients = vec![Client::default()];
    for _ in 0..BURSTS {
        let burst: Vec<_> = (0..random.random_range(1..16)).map(|_| model.change(&mut random, &store)).collect();
        for queued in burst {
            match queued {
                Queued::Nothing => {}
                Queued::Post(answer) => {
                    let message = answer.await.unwrap().unwrap();
                    model.ids.insert(message.offset, message.id);
                }
                Queued::Change(succeeds, answer) => assert_eq!(answer.await.unwrap(), succeeds),
            }
        }
        let all = store.all(ROOM).await;
        model.expect(&all);
        let membership = store.store.memberships(id("reader")).await.unwrap().pop().unwrap();
        assert_eq!((membership.head.offset, membership.head.revision), (model.offset, model.revision));
        assert_eq!((membership.read, membership.unread), (model.read, model.unread()));
        for _ in 0..3 {
            let mut client = clients[random.random_range(0..clients.len())].clone();
            client.catch_up(&store).await;
            client.check(&all, model.emptied);
            clients.push(client);
        }
    }
}

async fn run_all(engine: Engine) {
    let seeds = std::env::var("SOAK_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(4);
    for seed in 0..seeds {
        println!("seed {seed}");
        run(engine, seed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clients_view_is_the_servers_or_it_begins_anew_with_sqlite() {
    run_all(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clients_view_is_the_servers_or_it_begins_anew_with_postgresql() {
    run_all(Engine::Postgres).await;
}

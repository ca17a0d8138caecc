//! Shuttle models of the hub. They check how the events of a commit are held back, and that the hub's locks do not
//! deadlock. Hub, sockets and outputs are the real ones. The clients use polling, so that no network is needed.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, atomic::Ordering},
};

use shuttle::{sync::atomic::AtomicBool, thread};

use super::*;
use crate::{
    engine::models::{Client, engine},
    model::RoomName,
    protocol::{ReplyForm, ServerEvent},
    sync::models::check,
    tellings::Tellings,
};

/// Number of runs of each model with each of the two schedulers.
const RUNS: usize = 400;

/// An event: the thread that emits it, and its number among the events of the thread.
#[derive(serde::Serialize)]
struct TestEvent(&'static str, u32);

impl ServerEvent for TestEvent {
    const NAME: &'static str = "told";
}

/// The packet of an event.
fn packet(TestEvent(thread, number): TestEvent) -> String {
    format!(r#"42["told",["{thread}",{number}]]"#)
}

struct Model {
    hub: Arc<Hub>,
    room: Room,
    clients: Vec<Client>,
}

/// A hub with clients, all in one room.
fn model(count: usize) -> Arc<Model> {
    let engine = engine();
    let hub = Hub::new("/", None, engine.clone(), Metrics::off(), ReplyForm::Enveloped);
    let room = Room::Named(RoomName::parse("room").unwrap());
    let clients: Vec<_> = (0..count).map(|index| Client::new(&engine, &format!("client-{index}"))).collect();
    for client in &clients {
        assert!(hub.attach(&client.socket, &client.user, &[], || client.connected()));
        assert!(hub.subscribe(client.socket.id, &room));
        client.fetch();
    }
    Arc::new(Model { hub, room, clients })
}

impl Model {
    fn tell(&self, tellings: &mut Tellings, event: TestEvent) {
        self.hub.tell_with(tellings, To::Room(&self.room), &event);
    }

    fn emit(&self, event: TestEvent) {
        self.hub.tell(To::Room(&self.room), &event);
    }

    fn acknowledge_with(&self, tellings: &mut Tellings, id: u64) {
        self.hub.acknowledge_with(tellings, &self.clients[0].socket, id, ReplyForm::Enveloped.acknowledgement(()).0);
    }
}

/// Runs `work` in a thread of its own.
fn spawn(model: &Arc<Model>, work: impl FnOnce(&Model) + Send + 'static) -> thread::JoinHandle<()> {
    let model = model.clone();
    thread::spawn(move || work(&model))
}

fn join(threads: impl IntoIterator<Item = thread::JoinHandle<()>>) {
    for thread in threads {
        thread.join().expect("the thread does not panic");
    }
}

/// Splits the packets of a client into acknowledgements and events.
fn split(packets: Vec<String>) -> (Vec<String>, Vec<String>) {
    packets.into_iter().partition(|packet| packet.starts_with("43"))
}

/// The index of a packet. Panics unless exactly one packet begins with `packet`.
fn index_of(packets: &[String], packet: &str) -> usize {
    let mut indices = (0..packets.len()).filter(|&at| packets[at].starts_with(packet));
    let index = indices.next().unwrap_or_else(|| panic!("{packet} is not among {packets:?}"));
    assert_eq!(indices.next(), None, "{packet} is repeated: {packets:?}");
    index
}

fn assert_in_order(packets: &[String], wanted: &[&str]) {
    let indices: Vec<_> = wanted.iter().map(|packet| index_of(packets, packet)).collect();
    assert!(indices.is_sorted(), "{wanted:?} are in another order: {packets:?}");
}

/// Numbers of clients: with 4 the events of a commit are joined into one frame, with 2 they are not.
const CLIENT_COUNTS: [usize; 2] = [4, 2];

#[test]
fn all_receivers_get_commits_and_immediate_events_once_and_in_one_order() {
    for count in CLIENT_COUNTS {
        check(RUNS / 2, move || {
            let model = model(count);
            let commits = spawn(&model, |model| {
                for commit in [1, 3] {
                    let mut tellings = Tellings::default();
                    model.tell(&mut tellings, TestEvent("commit", commit));
                    model.acknowledge_with(&mut tellings, commit.into());
                    model.tell(&mut tellings, TestEvent("commit", commit + 1));
                }
            });
            let emits = spawn(&model, |model| (1..=2).for_each(|number| model.emit(TestEvent("emit", number))));
            let others = spawn(&model, |model| {
                let mut tellings = Tellings::default();
                model.tell(&mut tellings, TestEvent("other", 1));
                model.emit(TestEvent("other", 2));
                model.tell(&mut tellings, TestEvent("other", 3));
            });
            join([commits, emits, others]);
            let first = model.clients[0].fetch();
            let told = |thread, number| packet(TestEvent(thread, number));
            let (one, two, three, four) = (told("commit", 1), told("commit", 2), told("commit", 3), told("commit", 4));
            assert_in_order(&first, &[&one, "431[", &two, &three, "433[", &four]);
            assert_in_order(&first, &[&told("emit", 1), &told("emit", 2)]);
            assert_in_order(&first, &[&told("other", 1), &told("other", 2), &told("other", 3)]);
            let (answers, events) = split(first);
            assert_eq!((answers.len(), events.len()), (2, 9));
            for client in &model.clients[1..] {
                assert_eq!(client.fetch(), events);
            }
        });
    }
}

#[test]
fn events_are_delivered_if_a_callback_of_their_commit_panics() {
    check(RUNS, || {
        let model = model(2);
        let of_commit = model.clone();
        let commit = thread::spawn(move || {
            let model = of_commit;
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                let mut tellings = Tellings::default();
                model.tell(&mut tellings, TestEvent("commit", 1));
                // Unlike `panic!`, this prints no message.
                resume_unwind(Box::new("as a bug would"));
            }));
            assert!(panicked.is_err());
            model.clients[0].fetch()
        });
        let emits = spawn(&model, |model| model.emit(TestEvent("emit", 1)));
        let mut received = commit.join().expect("the thread does not panic");
        index_of(&received, &packet(TestEvent("commit", 1)));
        join([emits]);
        received.extend(model.clients[0].fetch());
        assert_eq!(received.len(), 2, "{received:?}");
        index_of(&received, &packet(TestEvent("emit", 1)));
        assert_eq!(model.clients[1].fetch(), received);
    });
}

#[test]
fn an_acknowledgement_comes_after_all_events_that_were_emitted_before_it() {
    check(RUNS, || {
        let model = model(2);
        let is_told = Arc::new(AtomicBool::new(false));
        let told = is_told.clone();
        let commit = spawn(&model, move |model| {
            let mut tellings = Tellings::default();
            model.tell(&mut tellings, TestEvent("commit", 1));
            told.store(true, Ordering::SeqCst);
            model.tell(&mut tellings, TestEvent("commit", 2));
        });
        let emits = spawn(&model, |model| model.emit(TestEvent("emit", 1)));
        let was_told = is_told.load(Ordering::SeqCst);
        model.hub.acknowledge(&model.clients[0].socket, 1, ReplyForm::Enveloped.acknowledgement(()).0);
        join([commit, emits]);
        let received = model.clients[0].fetch();
        assert_eq!(received.len(), 4, "{received:?}");
        if was_told {
            assert_in_order(&received, &[&packet(TestEvent("commit", 1)), "431["]);
        }
    });
}

#[test]
fn a_socket_gets_the_events_emitted_after_it_was_subscribed_and_none_emitted_before() {
    check(RUNS, || {
        let model = model(3);
        let joining = &model.clients[2];
        assert!(model.hub.unsubscribe(joining.socket.id, &model.room));
        let has_joined = Arc::new(AtomicBool::new(false));
        let joined = has_joined.clone();
        let is_told = Arc::new(AtomicBool::new(false));
        let (told, was_told_before) = (is_told.clone(), Arc::new(AtomicBool::new(false)));
        let told_before = was_told_before.clone();
        let joins = spawn(&model, move |model| {
            told_before.store(is_told.load(Ordering::SeqCst), Ordering::SeqCst);
            assert!(model.hub.subscribe(model.clients[2].socket.id, &model.room));
            joined.store(true, Ordering::SeqCst);
        });
        let commit = spawn(&model, move |model| {
            let mut tellings = Tellings::default();
            model.tell(&mut tellings, TestEvent("commit", 1));
            told.store(true, Ordering::SeqCst);
            model.tell(&mut tellings, TestEvent("commit", 2));
        });
        let had_joined = has_joined.load(Ordering::SeqCst);
        model.emit(TestEvent("emit", 1));
        join([joins, commit]);
        let all = model.clients[0].fetch();
        assert_eq!((all.len(), model.clients[1].fetch()), (3, all.clone()));
        let received = joining.fetch();
        assert!(all.ends_with(&received), "{received:?} is not the end of {all:?}");
        assert!(!had_joined || received.contains(&packet(TestEvent("emit", 1))), "{received:?}");
        let was_told_before = was_told_before.load(Ordering::SeqCst);
        assert!(
            !was_told_before || !received.contains(&packet(TestEvent("commit", 1))),
            "{received:?} was emitted before"
        );
    });
}

#[test]
fn a_client_in_two_namespaces_gets_the_events_of_one_commit_in_order() {
    check(RUNS, || {
        let model = model(1);
        let other = Hub::new("/other", None, model.hub.engine.clone(), Metrics::off(), ReplyForm::Enveloped);
        let client = &model.clients[0];
        let socket = client.join("/other");
        assert!(other.attach(&socket, &client.user, &[], || client.accept(&socket)));
        assert!(other.subscribe(socket.id, &model.room));
        client.fetch();
        let emits = spawn(&model, |model| model.emit(TestEvent("emit", 1)));
        let mut tellings = Tellings::default();
        model.tell(&mut tellings, TestEvent("commit", 1));
        other.tell_with(&mut tellings, To::Room(&model.room), &TestEvent("commit", 2));
        model.tell(&mut tellings, TestEvent("commit", 3));
        other.acknowledge_with(&mut tellings, &socket, 1, ReplyForm::Enveloped.acknowledgement(()).0);
        drop(tellings);
        join([emits]);
        let received = client.fetch();
        let [one, three] = [1, 3].map(|number| packet(TestEvent("commit", number)));
        assert_in_order(&received, &[&one, r#"42/other,["told",["commit",2]]"#, &three, "43/other,1["]);
        assert_eq!(received.len(), 5, "{received:?}");
    });
}

#[test]
fn attaching_detaching_and_kicking_sockets_while_events_are_emitted_does_not_deadlock() {
    check(RUNS, || {
        let model = model(2);
        let late = Arc::new(Client::new(&model.hub.engine, "late"));
        let is_attached = Arc::new(AtomicBool::new(false));
        let (attaching, attached) = (late.clone(), is_attached.clone());
        let threads = [
            spawn(&model, move |model| {
                assert!(model.hub.attach(&attaching.socket, &attaching.user, &[], || attaching.connected()));
                attached.store(true, Ordering::SeqCst);
                assert!(model.hub.subscribe(attaching.socket.id, &model.room));
            }),
            spawn(&model, |model| {
                model.clients[1].lose();
                model.hub.detach(model.clients[1].socket.id);
            }),
            spawn(&model, |model| {
                let mut tellings = Tellings::default();
                model.tell(&mut tellings, TestEvent("commit", 1));
                model.acknowledge_with(&mut tellings, 1);
            }),
            spawn(&model, |model| model.hub.kick(model.clients[1].socket.id, false)),
        ];
        let was_attached = is_attached.load(Ordering::SeqCst);
        model.hub.tell(To::Everyone, &TestEvent("emit", 1));
        join(threads);
        assert_eq!(model.hub.len(), 2);
        let received = model.clients[0].fetch();
        assert_eq!(received.len(), 3, "{received:?}");
        assert_in_order(&received, &[&packet(TestEvent("commit", 1)), "431["]);
        let received = late.fetch();
        assert!(received[0].starts_with("40{"), "CONNECT comes first: {received:?}");
        assert!(!was_attached || received.contains(&packet(TestEvent("emit", 1))), "{received:?}");
    });
}

//! Models of the hub: what collects a commit's events, and the hub's locks. Hub, sockets and outputs are the real ones;
//! the clients poll, so that no network is needed.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, atomic::Ordering},
};

use shuttle::{sync::atomic::AtomicBool, thread};

use super::*;
use crate::{
    engine::models::{Client, engine},
    model::RoomName,
    protocol::{ServerEvent, acknowledgement},
    sync::models::check,
    tellings::Tellings,
};

/// Runs of each model, twice.
const RUNS: usize = 400;

/// An event: the thread that tells it, and its number among those of the thread.
#[derive(serde::Serialize)]
struct Told(&'static str, u32);

impl ServerEvent for Told {
    const NAME: &'static str = "told";
}

/// The packet of an event.
fn packet(Told(thread, number): Told) -> String {
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
    let hub = Hub::new("/", engine.clone(), Metrics::off());
    let room = Room::Named(RoomName::parse("room").unwrap());
    let clients: Vec<_> = (0..count).map(|index| Client::new(&engine, &format!("client-{index}"))).collect();
    for client in &clients {
        assert!(hub.attach(&client.socket, &client.user, || client.connected()));
        assert!(hub.subscribe(client.socket.id, &room));
        client.fetch();
    }
    Arc::new(Model { hub, room, clients })
}

impl Model {
    fn tell(&self, tellings: &mut Tellings, event: Told) {
        self.hub.tell_with(tellings, To::Room(&self.room), &event);
    }

    fn emit(&self, event: Told) {
        self.hub.tell(To::Room(&self.room), &event);
    }

    fn acknowledge_with(&self, tellings: &mut Tellings, id: u64) {
        self.hub.acknowledge_with(tellings, &self.clients[0].socket, id, acknowledgement(Ok(())).0);
    }
}

/// Runs it in a thread of its own.
fn spawn(model: &Arc<Model>, work: impl FnOnce(&Model) + Send + 'static) -> thread::JoinHandle<()> {
    let model = model.clone();
    thread::spawn(move || work(&model))
}

fn join(threads: impl IntoIterator<Item = thread::JoinHandle<()>>) {
    for thread in threads {
        thread.join().expect("it does not panic");
    }
}

/// The acknowledgements and the events of what a client has got.
fn split(packets: Vec<String>) -> (Vec<String>, Vec<String>) {
    packets.into_iter().partition(|packet| packet.starts_with("43"))
}

/// Where a packet is, which is there once.
fn place(packets: &[String], packet: &str) -> usize {
    let mut places = (0..packets.len()).filter(|&at| packets[at].starts_with(packet));
    let place = places.next().unwrap_or_else(|| panic!("{packet} is not among {packets:?}"));
    assert_eq!(places.next(), None, "{packet} comes once: {packets:?}");
    place
}

fn assert_in_order(packets: &[String], wanted: &[&str]) {
    let places: Vec<_> = wanted.iter().map(|packet| place(packets, packet)).collect();
    assert!(places.is_sorted(), "{wanted:?} are in another order: {packets:?}");
}

/// Enough clients that the events of a commit are joined; fewer, so that they are not.
const COUNTS: [usize; 2] = [4, 2];

#[test]
fn all_receivers_hear_commits_and_immediate_events_in_one_order_and_once() {
    for count in COUNTS {
        check(RUNS / 2, move || {
            let model = model(count);
            let commits = spawn(&model, |model| {
                for commit in [1, 3] {
                    let mut tellings = Tellings::default();
                    model.tell(&mut tellings, Told("commit", commit));
                    model.acknowledge_with(&mut tellings, commit.into());
                    model.tell(&mut tellings, Told("commit", commit + 1));
                }
            });
            let emits = spawn(&model, |model| (1..=2).for_each(|number| model.emit(Told("emit", number))));
            let others = spawn(&model, |model| {
                let mut tellings = Tellings::default();
                model.tell(&mut tellings, Told("other", 1));
                model.emit(Told("other", 2));
                model.tell(&mut tellings, Told("other", 3));
            });
            join([commits, emits, others]);
            let first = model.clients[0].fetch();
            let told = |thread, number| packet(Told(thread, number));
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
fn a_follower_that_panics_keeps_no_event_of_its_commit_or_of_others_from_its_receivers() {
    check(RUNS, || {
        let model = model(2);
        let of_commit = model.clone();
        let commit = thread::spawn(move || {
            let model = of_commit;
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                let mut tellings = Tellings::default();
                model.tell(&mut tellings, Told("commit", 1));
                // Without a message on the terminal for each run.
                resume_unwind(Box::new("as a bug would"));
            }));
            assert!(panicked.is_err());
            model.clients[0].fetch()
        });
        let emits = spawn(&model, |model| model.emit(Told("emit", 1)));
        let mut heard = commit.join().expect("it does not panic");
        place(&heard, &packet(Told("commit", 1)));
        join([emits]);
        heard.extend(model.clients[0].fetch());
        assert_eq!(heard.len(), 2, "{heard:?}");
        place(&heard, &packet(Told("emit", 1)));
        assert_eq!(model.clients[1].fetch(), heard);
    });
}

#[test]
fn an_acknowledgement_comes_after_everything_that_was_told_before_it() {
    check(RUNS, || {
        let model = model(2);
        let is_told = Arc::new(AtomicBool::new(false));
        let told = is_told.clone();
        let commit = spawn(&model, move |model| {
            let mut tellings = Tellings::default();
            model.tell(&mut tellings, Told("commit", 1));
            told.store(true, Ordering::SeqCst);
            model.tell(&mut tellings, Told("commit", 2));
        });
        let emits = spawn(&model, |model| model.emit(Told("emit", 1)));
        let was_told = is_told.load(Ordering::SeqCst);
        model.hub.acknowledge(&model.clients[0].socket, 1, acknowledgement(Ok(())).0);
        join([commit, emits]);
        let heard = model.clients[0].fetch();
        assert_eq!(heard.len(), 4, "{heard:?}");
        if was_told {
            assert_in_order(&heard, &[&packet(Told("commit", 1)), "431["]);
        }
    });
}

#[test]
fn a_socket_hears_what_is_told_after_it_has_joined_and_nothing_that_was_told_before() {
    check(RUNS, || {
        let model = model(3);
        let joining = &model.clients[2];
        assert!(model.hub.unsubscribe(joining.socket.id, &model.room));
        let has_joined = Arc::new(AtomicBool::new(false));
        let joined = has_joined.clone();
        let is_told = Arc::new(AtomicBool::new(false));
        let (told, was_told) = (is_told.clone(), Arc::new(AtomicBool::new(false)));
        let was = was_told.clone();
        let joins = spawn(&model, move |model| {
            was.store(is_told.load(Ordering::SeqCst), Ordering::SeqCst);
            assert!(model.hub.subscribe(model.clients[2].socket.id, &model.room));
            joined.store(true, Ordering::SeqCst);
        });
        let commit = spawn(&model, move |model| {
            let mut tellings = Tellings::default();
            model.tell(&mut tellings, Told("commit", 1));
            told.store(true, Ordering::SeqCst);
            model.tell(&mut tellings, Told("commit", 2));
        });
        let had_joined = has_joined.load(Ordering::SeqCst);
        model.emit(Told("emit", 1));
        join([joins, commit]);
        let all = model.clients[0].fetch();
        assert_eq!((all.len(), model.clients[1].fetch()), (3, all.clone()));
        let heard = joining.fetch();
        assert!(all.ends_with(&heard), "{heard:?} is not how {all:?} ends");
        assert!(!had_joined || heard.contains(&packet(Told("emit", 1))), "{heard:?}");
        let was_told = was_told.load(Ordering::SeqCst);
        assert!(!was_told || !heard.contains(&packet(Told("commit", 1))), "{heard:?} was told before");
    });
}

#[test]
fn a_client_in_two_namespaces_gets_what_one_commit_tells_in_its_order() {
    check(RUNS, || {
        let model = model(1);
        let other = Hub::new("/other", model.hub.engine.clone(), Metrics::off());
        let client = &model.clients[0];
        let socket = client.join("/other");
        assert!(other.attach(&socket, &client.user, || client.accept(&socket)));
        assert!(other.subscribe(socket.id, &model.room));
        client.fetch();
        let emits = spawn(&model, |model| model.emit(Told("emit", 1)));
        let mut tellings = Tellings::default();
        model.tell(&mut tellings, Told("commit", 1));
        other.tell_with(&mut tellings, To::Room(&model.room), &Told("commit", 2));
        model.tell(&mut tellings, Told("commit", 3));
        other.acknowledge_with(&mut tellings, &socket, 1, acknowledgement(Ok(())).0);
        drop(tellings);
        join([emits]);
        let heard = client.fetch();
        let [one, three] = [1, 3].map(|number| packet(Told("commit", number)));
        assert_in_order(&heard, &[&one, r#"42/other,["told",["commit",2]]"#, &three, "43/other,1["]);
        assert_eq!(heard.len(), 5, "{heard:?}");
    });
}

#[test]
fn sockets_come_and_go_and_are_asked_for_while_events_are_told_and_nobody_waits_for_ever() {
    check(RUNS, || {
        let model = model(2);
        let late = Arc::new(Client::new(&model.hub.engine, "late"));
        let has_come = Arc::new(AtomicBool::new(false));
        let (comes, has) = (late.clone(), has_come.clone());
        let threads = [
            spawn(&model, move |model| {
                assert!(model.hub.attach(&comes.socket, &comes.user, || comes.connected()));
                has.store(true, Ordering::SeqCst);
                assert!(model.hub.subscribe(comes.socket.id, &model.room));
            }),
            spawn(&model, |model| {
                model.clients[1].lose();
                model.hub.detach(model.clients[1].socket.id);
            }),
            spawn(&model, |model| {
                let mut tellings = Tellings::default();
                model.tell(&mut tellings, Told("commit", 1));
                model.acknowledge_with(&mut tellings, 1);
            }),
            spawn(&model, |model| model.hub.kick(model.clients[1].socket.id, false)),
        ];
        let had_come = has_come.load(Ordering::SeqCst);
        model.hub.tell(To::Everyone, &Told("emit", 1));
        join(threads);
        assert_eq!(model.hub.len(), 2);
        let heard = model.clients[0].fetch();
        assert_eq!(heard.len(), 3, "{heard:?}");
        assert_in_order(&heard, &[&packet(Told("commit", 1)), "431["]);
        let heard = late.fetch();
        assert!(heard[0].starts_with("40{"), "CONNECT comes first: {heard:?}");
        assert!(!had_come || heard.contains(&packet(Told("emit", 1))), "{heard:?}");
    });
}

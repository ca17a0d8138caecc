//! Tests of presence: users with several sockets, the grace, and the announcements.

use std::time::Duration;

use super::*;
use crate::{
    app::settings,
    config::Config,
    engine::{Account, Engine},
    limits::Limits,
    metrics::Metrics,
    protocol::ReplyForm,
};

fn presence() -> (Presence, RoomName) {
    let room = RoomName::parse("lobby").unwrap();
    let config = PresenceConfig { grace: Duration::from_secs(5), max_room_size: 2 };
    let everything = Config::default();
    let limits = Limits::new(everything.limits.clone(), Metrics::off());
    let engine = Engine::new(settings(&everything), &Account::unbounded(), limits, Metrics::off());
    (Presence::new(config, room.clone(), Hub::new("/", None, engine, Metrics::off(), ReplyForm::Enveloped)), room)
}

fn user(id: &str) -> User {
    User::new(UserId::parse(id).unwrap(), id).unwrap()
}

fn socket() -> SocketId {
    SocketId::new()
}

/// The events of all bursts and graces that have begun. Their deadlines are treated as due.
fn events(presence: &Presence) -> Vec<PresenceChanged> {
    let later = Instant::now() + Duration::from_secs(20);
    let mut events = Vec::new();
    loop {
        let (due, _) = presence.deadlines.take_due(later);
        if due.is_empty() {
            return events;
        }
        for (ticket, deadline) in due {
            events.extend(presence.act(ticket, deadline).map(|(_, event)| event));
        }
    }
}

#[test]
fn a_burst_is_one_event_and_opposite_changes_cancel_out() {
    let (presence, room) = presence();
    presence.add_socket(&room, &user("ada"), socket());
    presence.add_socket(&room, &user("bob"), socket());
    presence.remove_user(&room, &user("bob").id);
    let events = events(&presence);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].joined, [user("ada")]);
    assert!(events[0].left.is_empty());
    assert_eq!(events[0].user_count, 1);
}

#[test]
fn opposite_changes_do_not_cancel_out_when_the_users_were_listed_in_between() {
    let (presence, room) = presence();
    presence.add_socket(&room, &user("ada"), socket());
    assert_eq!(presence.in_room(&room).1, 1);
    presence.remove_user(&room, &user("ada").id);
    assert_eq!(events(&presence)[0].left, [user("ada")]);
}

#[test]
fn two_devices_are_one_user_and_an_absence_within_the_grace_is_not_announced() {
    let (presence, room) = presence();
    let (phone, desk) = (socket(), socket());
    for device in [phone, desk, desk] {
        presence.add_socket(&room, &user("ada"), device);
    }
    events(&presence);
    assert!(!presence.remove_socket(&room, &user("ada").id, phone));
    assert!(!presence.remove_socket(&room, &user("ada").id, phone), "it has gone already");
    assert!(presence.remove_socket(&room, &user("ada").id, desk));
    presence.add_socket(&room, &user("ada"), phone);
    assert!(events(&presence).is_empty());
    assert!(presence.is_online(&user("ada").id));
    presence.remove_socket(&room, &user("ada").id, phone);
    let events = events(&presence);
    assert_eq!(events.len(), 1, "the user leaves when the grace is over");
    assert_eq!(events[0].left, [user("ada")]);
}

#[test]
fn a_user_who_comes_back_while_the_end_of_the_grace_is_processed_stays() {
    let (presence, room) = presence();
    let phone = socket();
    presence.add_socket(&room, &user("ada"), phone);
    events(&presence);
    presence.remove_socket(&room, &user("ada").id, phone);
    let (due, _) = presence.deadlines.take_due(Instant::now() + Duration::from_secs(20));
    presence.add_socket(&room, &user("ada"), phone);
    for (ticket, deadline) in due {
        assert!(presence.act(ticket, deadline).is_none());
    }
    assert!(events(&presence).is_empty());
    assert!(presence.is_online(&user("ada").id));
}

#[test]
fn changes_in_a_crowded_room_are_announced_as_a_number() {
    let (presence, room) = presence();
    for id in ["a", "b", "c"] {
        presence.add_socket(&room, &user(id), socket());
    }
    let events = events(&presence);
    assert_eq!((events[0].joined.len(), events[0].user_count), (0, 3));
    assert!(presence.is_crowded(&room));
}

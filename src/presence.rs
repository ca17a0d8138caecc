//! Who is in which room, by user: online while any socket is, and for a while after. Bursts of coming and
//! going are combined into one `presence-changed`.

mod typing;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    ops::Bound,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

pub use typing::TypingNow;

use crate::{
    config::PresenceConfig,
    hub::{Hub, To},
    model::{Room, RoomName, RoomRef, SocketId, User, UserId},
    protocol::{PresenceChanged, USERS_MAX},
};

/// A burst in a room of up to this many users is combined for [`SHORTEST`].
const SMALL_ROOM: usize = 100;
/// At this size the time has grown to [`LONGEST`].
const LARGE_ROOM: usize = 5_000;
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);

/// Who is where.
pub struct Presence {
    config: PresenceConfig,
    hub: Arc<Hub>,
    lobby: RoomName,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    rooms: HashMap<RoomName, RoomState>,
    /// Users whose last socket in a room went, in the order of the ends of their grace.
    grace: VecDeque<(Instant, RoomName, UserId)>,
    /// Rooms with something to tell, by when.
    due: BTreeMap<(Instant, RoomName), ()>,
}

#[derive(Default)]
struct RoomState {
    /// Ordered, so that a page of them costs no more than it holds.
    present: BTreeMap<UserId, Present>,
    pending: HashMap<UserId, Change>,
    /// Somebody was told who is here after the first of the pending changes.
    was_looked_at: bool,
}

struct Present {
    user: User,
    /// Those that hear the room and whose clients are there.
    sockets: Vec<SocketId>,
    /// When the last socket went; the user is still here until the grace is over.
    gone: Option<Instant>,
}

enum Change {
    Joined(User),
    Left(User),
}

impl Presence {
    /// Nobody is here yet.
    pub fn new(config: PresenceConfig, lobby: RoomName, hub: Arc<Hub>) -> Self {
        Self { config, hub, lobby, state: Mutex::default(), changed: Notify::new() }
    }

    /// One of a user's sockets hears a room, if it did not before.
    pub fn came(&self, room: &RoomName, user: &User, socket: SocketId) {
        let mut state = self.state();
        let in_room = state.rooms.entry(room.clone()).or_default();
        if let Some(present) = in_room.present.get_mut(&user.id) {
            if !present.sockets.contains(&socket) {
                present.sockets.push(socket);
            }
            present.gone = None;
            return;
        }
        in_room.present.insert(user.id.clone(), Present { user: user.clone(), sockets: vec![socket], gone: None });
        state.note(room, user, Change::Joined(user.clone()));
        self.changed.notify_one();
    }

    /// One of a user's sockets hears a room no longer, because it was disconnected. True if it was the last.
    pub fn went(&self, room: &RoomName, user: &UserId, socket: SocketId) -> bool {
        let mut state = self.state();
        let now = Instant::now();
        let Some(present) = state.rooms.get_mut(room).and_then(|in_room| in_room.present.get_mut(user)) else {
            return false;
        };
        let before = present.sockets.len();
        present.sockets.retain(|other| *other != socket);
        if present.sockets.len() == before || !present.sockets.is_empty() {
            return false;
        }
        present.gone = Some(now);
        state.grace.push_back((now + self.config.grace, room.clone(), user.clone()));
        self.changed.notify_one();
        true
    }

    /// A user has left a room: no grace, whatever sockets there were.
    pub fn left(&self, room: &RoomName, user: &UserId) {
        let mut state = self.state();
        if state.remove(room, user) {
            self.changed.notify_one();
        }
    }

    /// Whether any socket of the user is connected, or was until a moment ago.
    pub fn is_online(&self, user: &UserId) -> bool {
        self.user(user).is_some()
    }

    /// The user, if they are online.
    pub fn user(&self, user: &UserId) -> Option<User> {
        let state = self.state();
        Some(state.rooms.get(&self.lobby)?.present.get(user)?.user.clone())
    }

    /// Users in the room, [`USERS_MAX`] at the most, and how many there are.
    pub fn in_room(&self, room: &RoomName) -> (Vec<User>, usize) {
        let mut state = self.state();
        let Some(in_room) = state.rooms.get_mut(room) else { return (Vec::new(), 0) };
        in_room.was_looked_at = true;
        let mut users: Vec<User> =
            in_room.present.values().take(USERS_MAX).map(|present| present.user.clone()).collect();
        users.sort_by(|one, other| one.name.cmp(&other.name));
        (users, in_room.present.len())
    }

    /// Users in the room after this one, by their ids.
    pub fn after(&self, room: &RoomName, after: Option<&UserId>, limit: usize) -> Vec<User> {
        let state = self.state();
        let Some(in_room) = state.rooms.get(room) else { return Vec::new() };
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        in_room.present.range((start, Bound::Unbounded)).take(limit).map(|(_, present)| present.user.clone()).collect()
    }

    /// How many users are in the room.
    pub fn count(&self, room: &RoomName) -> usize {
        self.state().rooms.get(room).map_or(0, |in_room| in_room.present.len())
    }

    /// Everybody in the room.
    pub fn everyone_in(&self, room: &RoomName) -> Vec<User> {
        let mut state = self.state();
        let Some(in_room) = state.rooms.get_mut(room) else { return Vec::new() };
        in_room.was_looked_at = true;
        in_room.present.values().map(|present| present.user.clone()).collect()
    }

    /// Whether the room has too many users for telling each of every other.
    pub fn is_crowded(&self, room: &RoomName) -> bool {
        self.state().rooms.get(room).is_some_and(|in_room| in_room.present.len() > self.config.max_room_size)
    }

    /// Tells the rooms, for ever.
    pub async fn tell(&self) {
        loop {
            let (events, next) = self.collect(Instant::now());
            for event in events {
                let RoomRef::Named(room) = event.room.clone() else { continue };
                self.hub.tell(To::Room(&Room::Named(room)), &event);
            }
            match next {
                None => self.changed.notified().await,
                Some(next) => tokio::select! {
                    () = tokio::time::sleep_until(next.into()) => {}
                    () = self.changed.notified() => {}
                },
            }
        }
    }

    /// What is due now, and when to look again.
    fn collect(&self, now: Instant) -> (Vec<PresenceChanged>, Option<Instant>) {
        let mut state = self.state();
        while let Some((end, _, _)) = state.grace.front()
            && *end <= now
        {
            let (end, room, user) = state.grace.pop_front().expect("just seen");
            let is_gone = state
                .rooms
                .get(&room)
                .and_then(|in_room| in_room.present.get(&user))
                .and_then(|present| present.gone)
                .is_some_and(|gone| gone + self.config.grace <= end);
            if is_gone {
                state.remove(&room, &user);
            }
        }
        let mut events = Vec::new();
        while let Some(((moment, _), ())) = state.due.first_key_value()
            && *moment <= now
        {
            let ((_, room), ()) = state.due.pop_first().expect("just seen");
            events.extend(state.combined(room, self.config.max_room_size));
        }
        let grace = state.grace.front().map(|(end, _, _)| *end);
        let due = state.due.first_key_value().map(|((moment, _), ())| *moment);
        (events, grace.into_iter().chain(due).min())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl State {
    /// Remembers a change until the burst is over; a change and its opposite are none, unless somebody was told
    /// in between.
    fn note(&mut self, room: &RoomName, user: &User, change: Change) {
        let Some(in_room) = self.rooms.get_mut(room) else { return };
        let was_quiet = in_room.pending.is_empty();
        match (in_room.pending.get(&user.id), &change) {
            (Some(Change::Joined(_)), Change::Left(_)) | (Some(Change::Left(_)), Change::Joined(_))
                if !in_room.was_looked_at =>
            {
                in_room.pending.remove(&user.id);
            }
            _ => {
                in_room.pending.insert(user.id.clone(), change);
            }
        }
        if was_quiet {
            in_room.was_looked_at = false;
            let moment = Instant::now() + burst(in_room.present.len());
            self.due.insert((moment, room.clone()), ());
        }
    }

    fn remove(&mut self, room: &RoomName, user: &UserId) -> bool {
        let Some(present) = self.rooms.get_mut(room).and_then(|in_room| in_room.present.remove(user)) else {
            return false;
        };
        self.note(room, &present.user.clone(), Change::Left(present.user));
        true
    }

    fn combined(&mut self, room: RoomName, max_room_size: usize) -> Option<PresenceChanged> {
        let in_room = self.rooms.get_mut(&room)?;
        let pending = std::mem::take(&mut in_room.pending);
        let user_count = in_room.present.len();
        if user_count == 0 {
            self.rooms.remove(&room);
        }
        if pending.is_empty() {
            return None;
        }
        let (mut joined, mut left) = (Vec::new(), Vec::new());
        if user_count <= max_room_size {
            for change in pending.into_values() {
                match change {
                    Change::Joined(user) => joined.push(user),
                    Change::Left(user) => left.push(user),
                }
            }
        }
        Some(PresenceChanged { room: RoomRef::Named(room), joined, left, user_count })
    }
}

/// How long changes in a room of this size are combined.
fn burst(users: usize) -> Duration {
    if users <= SMALL_ROOM {
        return SHORTEST;
    }
    let share = (users.min(LARGE_ROOM) - SMALL_ROOM) as f64 / (LARGE_ROOM - SMALL_ROOM) as f64;
    SHORTEST + (LONGEST - SHORTEST).mul_f64(share)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{app::settings, config::Config, engine::Engine, limits::Limits, metrics::Metrics};

    fn presence() -> (Presence, RoomName) {
        let room = RoomName::parse("lobby").unwrap();
        let config = PresenceConfig { grace: Duration::from_secs(5), max_room_size: 2 };
        let everything = Config::default();
        let limits = Limits::new(everything.limits.clone(), Metrics::off());
        let engine = Engine::new(settings(&everything), &crate::engine::Account::unbounded(), limits, Metrics::off());
        (Presence::new(config, room.clone(), Hub::new("/", engine, Metrics::off())), room)
    }

    fn user(id: &str) -> User {
        User::new(UserId::parse(id).unwrap(), id).unwrap()
    }

    fn socket() -> SocketId {
        SocketId::new()
    }

    /// Far enough for every burst and grace that has begun.
    fn later() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    #[test]
    fn a_burst_is_one_event_and_a_change_and_its_opposite_are_none() {
        let (presence, room) = presence();
        presence.came(&room, &user("ada"), socket());
        presence.came(&room, &user("bob"), socket());
        presence.left(&room, &user("bob").id);
        let (events, _) = presence.collect(later());
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].joined, [user("ada")]);
        assert!(events[0].left.is_empty());
        assert_eq!(events[0].user_count, 1);
    }

    #[test]
    fn who_was_told_in_between_is_told_of_the_opposite_too() {
        let (presence, room) = presence();
        presence.came(&room, &user("ada"), socket());
        assert_eq!(presence.in_room(&room).1, 1);
        presence.left(&room, &user("ada").id);
        assert_eq!(presence.collect(later()).0[0].left, [user("ada")]);
    }

    #[test]
    fn two_devices_are_one_user_and_a_short_absence_is_none() {
        let (presence, room) = presence();
        let (phone, desk) = (socket(), socket());
        for device in [phone, desk, desk] {
            presence.came(&room, &user("ada"), device);
        }
        presence.collect(later());
        assert!(!presence.went(&room, &user("ada").id, phone));
        assert!(!presence.went(&room, &user("ada").id, phone), "it has gone already");
        assert!(presence.went(&room, &user("ada").id, desk));
        presence.came(&room, &user("ada"), phone);
        assert!(presence.collect(later()).0.is_empty());
        assert!(presence.is_online(&user("ada").id));
        presence.went(&room, &user("ada").id, phone);
        let (events, _) = presence.collect(later());
        assert_eq!(events.len(), 1, "gone once the grace is over");
        assert_eq!(events[0].left, [user("ada")]);
    }

    #[test]
    fn a_crowd_is_a_number() {
        let (presence, room) = presence();
        for id in ["a", "b", "c"] {
            presence.came(&room, &user(id), socket());
        }
        let (events, _) = presence.collect(later());
        assert_eq!((events[0].joined.len(), events[0].user_count), (0, 3));
        assert!(presence.is_crowded(&room));
    }

    #[test]
    fn large_rooms_wait_longer() {
        assert_eq!(burst(1), SHORTEST);
        assert_eq!(burst(100), SHORTEST);
        assert_eq!(burst(5_000), LONGEST);
        assert_eq!(burst(1_000_000), LONGEST);
        assert!(burst(2_500) > SHORTEST && burst(2_500) < LONGEST);
    }
}

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::{
    hub::{Hub, To},
    model::{Room, SocketId, User},
    protocol::Typing,
};

/// Who types and says nothing for this long types no more.
const EXPIRES: Duration = Duration::from_secs(5);

/// Who is typing where.
pub struct TypingNow {
    hub: Arc<Hub>,
    active: Mutex<HashMap<(SocketId, Room), (User, Instant)>>,
    changed: Notify,
}

impl TypingNow {
    /// Nobody is.
    pub fn new(hub: Arc<Hub>) -> Self {
        Self { hub, active: Mutex::default(), changed: Notify::new() }
    }

    /// Somebody began, goes on or stopped; the others are told.
    pub fn set(&self, socket: SocketId, user: &User, room: Room, typing: bool) {
        let key = (socket, room);
        let mut active = self.active.lock();
        if typing {
            active.insert(key.clone(), (user.clone(), Instant::now() + EXPIRES));
            self.changed.notify_one();
        } else {
            active.remove(&key);
        }
        drop(active);
        self.tell(socket, user, &key.1, typing);
    }

    /// A socket is gone: it types nowhere.
    pub fn stop(&self, socket: SocketId) {
        let mut active = self.active.lock();
        let stopped: Vec<_> = active.extract_if(|(typist, _), _| *typist == socket).collect();
        drop(active);
        for ((socket, room), (user, _)) in stopped {
            self.tell(socket, &user, &room, false);
        }
    }

    /// Ends what has expired, for ever.
    pub async fn expire(&self) {
        loop {
            let now = Instant::now();
            let (expired, next) = {
                let mut active = self.active.lock();
                let expired: Vec<_> = active.extract_if(|_, (_, end)| *end <= now).collect();
                (expired, active.values().map(|(_, end)| *end).min())
            };
            for ((socket, room), (user, _)) in expired {
                self.tell(socket, &user, &room, false);
            }
            match next {
                None => self.changed.notified().await,
                Some(next) => tokio::time::sleep_until(next.into()).await,
            }
        }
    }

    fn tell(&self, socket: SocketId, user: &User, room: &Room, typing: bool) {
        let readers = match room {
            Room::Named(_) => None,
            Room::Direct(direct) => Some(direct.users().filter(|reader| **reader != user.id)),
        };
        let event = |room| Typing { room, user: user.clone(), typing };
        match readers {
            None => {
                let event = event(room.for_reader(&user.id));
                self.hub.tell_volatile(To::Room(room), Some(socket), &event);
            }
            Some(readers) => {
                for reader in readers {
                    self.hub.tell_volatile(To::User(reader), None, &event(room.for_reader(reader)));
                }
            }
        }
    }
}

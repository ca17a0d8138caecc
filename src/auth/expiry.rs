//! What happens when a token ends while its socket is connected.

use std::{
    collections::HashMap,
    hash::Hash,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::jwt::LEEWAY;
use crate::model::Timestamp;

/// The sockets with a token, and when it ends.
pub struct Expiry<K> {
    watched: Mutex<Watched<K>>,
    earlier: Notify,
}

struct Watched<K> {
    sockets: HashMap<K, Token>,
    /// The moment [`Expiry::due`] sleeps until.
    next: Option<Instant>,
}

#[derive(Clone, Copy)]
struct Token {
    /// When to act next.
    at: Instant,
    /// When the leeway is over.
    kick_at: Instant,
    told: bool,
}

/// What is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due<K> {
    /// The token has ended: tell the socket.
    Tell(K),
    /// The leeway has passed too, and no new token came: kick it.
    Kick(K),
}

impl<K> Default for Expiry<K> {
    fn default() -> Self {
        Self { watched: Mutex::new(Watched { sockets: HashMap::new(), next: None }), earlier: Notify::new() }
    }
}

impl<K: Hash + Eq + Clone> Expiry<K> {
    /// Begins to watch a socket, or takes its new token into account.
    pub fn watch(&self, socket: K, expires_at: Timestamp) {
        let (expires_at, present) = (expires_at.as_millis(), Timestamp::now().as_millis());
        let now = Instant::now();
        let at = now + Duration::from_millis(expires_at.saturating_sub(present));
        let late = Duration::from_millis(present.saturating_sub(expires_at));
        let token = Token { at, kick_at: at + LEEWAY.saturating_sub(late), told: false };
        let mut watched = self.watched.lock();
        watched.sockets.insert(socket, token);
        if watched.next.is_none_or(|next| at < next) {
            self.earlier.notify_one();
        }
    }

    /// The socket is gone.
    pub fn forget(&self, socket: &K) {
        self.watched.lock().sockets.remove(socket);
    }

    /// Waits until something is due.
    pub async fn due(&self) -> Vec<Due<K>> {
        loop {
            let next = match self.collect(Instant::now()) {
                (due, _) if !due.is_empty() => return due,
                (_, next) => next,
            };
            match next {
                None => self.earlier.notified().await,
                Some(next) => tokio::select! {
                    () = tokio::time::sleep_until(next.into()) => {}
                    () = self.earlier.notified() => {}
                },
            }
        }
    }

    fn collect(&self, now: Instant) -> (Vec<Due<K>>, Option<Instant>) {
        let mut watched = self.watched.lock();
        let mut due = Vec::new();
        watched.sockets.retain(|socket, token| {
            if token.at > now {
                return true;
            }
            if token.told {
                due.push(Due::Kick(socket.clone()));
                return false;
            }
            due.push(Due::Tell(socket.clone()));
            *token = Token { at: token.kick_at, told: true, ..*token };
            true
        });
        watched.next = watched.sockets.values().map(|token| token.at).min();
        (due, watched.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn told_at_the_end_and_kicked_after_the_leeway_unless_refreshed() {
        let expiry = Expiry::default();
        expiry.watch("a", Timestamp::now());
        expiry.watch("b", Timestamp::now());
        let now = Instant::now();
        let (mut told, _) = expiry.collect(now);
        told.sort_by_key(|due| format!("{due:?}"));
        assert_eq!(told, [Due::Tell("a"), Due::Tell("b")]);
        assert_eq!(expiry.collect(now).0, []);
        expiry.watch("b", Timestamp::from_millis(Timestamp::now().as_millis() + 3_600_000));
        assert_eq!(expiry.collect(now + LEEWAY).0, [Due::Kick("a")]);
        assert_eq!(expiry.collect(now + LEEWAY).0, []);
    }
}

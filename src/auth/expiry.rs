//! What happens when a token ends while its socket is connected.

use std::{collections::HashMap, hash::Hash, time::Duration};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::jwt::LEEWAY;
use crate::model::Timestamp;

/// How often to look at the clock, by which tokens end: it may be set, and it goes on while the machine sleeps.
const LOOK: Duration = Duration::from_secs(2);
/// How long a socket has for a new token, however late it was told.
const CHANCE: Duration = Duration::from_secs(5);

/// The sockets with a token, and when it ends.
pub struct Expiry<K> {
    watched: Mutex<Watched<K>>,
    earlier: Notify,
    now: Box<dyn Fn() -> Timestamp + Send + Sync>,
}

struct Watched<K> {
    sockets: HashMap<K, Token>,
    /// When the first of them is due.
    next: Option<Timestamp>,
}

#[derive(Clone, Copy)]
struct Token {
    /// When to act next.
    at: Timestamp,
    /// When the leeway is over.
    kick_at: Timestamp,
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
        Self::by(Timestamp::now)
    }
}

impl<K> Expiry<K> {
    /// By this clock.
    fn by(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        let watched = Mutex::new(Watched { sockets: HashMap::new(), next: None });
        Self { watched, earlier: Notify::new(), now: Box::new(now) }
    }
}

impl<K: Hash + Eq + Clone> Expiry<K> {
    /// Begins to watch a socket, or takes its new token into account.
    pub fn watch(&self, socket: K, expires_at: Timestamp) {
        let token = Token { at: expires_at, kick_at: later(expires_at, LEEWAY), told: false };
        let mut watched = self.watched.lock();
        watched.sockets.insert(socket, token);
        if watched.next.is_none_or(|next| expires_at < next) {
            watched.next = Some(expires_at);
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
            let now = (self.now)();
            let next = match self.collect(now) {
                (due, _) if !due.is_empty() => return due,
                (_, next) => next,
            };
            match next {
                None => self.earlier.notified().await,
                Some(next) => {
                    let wait = Duration::from_millis(next.as_millis().saturating_sub(now.as_millis()));
                    tokio::select! {
                        () = tokio::time::sleep(wait.min(LOOK)) => {}
                        () = self.earlier.notified() => {}
                    }
                }
            }
        }
    }

    fn collect(&self, now: Timestamp) -> (Vec<Due<K>>, Option<Timestamp>) {
        let mut watched = self.watched.lock();
        let mut due = Vec::new();
        if watched.next.is_none_or(|next| next > now) {
            return (due, watched.next);
        }
        watched.sockets.retain(|socket, token| {
            if token.at > now {
                return true;
            }
            if token.told {
                due.push(Due::Kick(socket.clone()));
                return false;
            }
            due.push(Due::Tell(socket.clone()));
            *token = Token { at: token.kick_at.max(later(now, CHANCE)), told: true, ..*token };
            true
        });
        watched.next = watched.sockets.values().map(|token| token.at).min();
        (due, watched.next)
    }
}

fn later(moment: Timestamp, by: Duration) -> Timestamp {
    Timestamp::from_millis(moment.as_millis().saturating_add(by.as_millis() as u64))
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    };

    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);
    const DAY: Duration = Duration::from_secs(24 * 3_600);

    #[test]
    fn told_at_the_end_and_kicked_after_the_leeway_unless_refreshed() {
        let expiry = Expiry::default();
        let now = Timestamp::now();
        expiry.watch("a", now);
        expiry.watch("b", now);
        let (mut told, _) = expiry.collect(now);
        told.sort_by_key(|due| format!("{due:?}"));
        assert_eq!(told, [Due::Tell("a"), Due::Tell("b")]);
        assert_eq!(expiry.collect(now).0, []);
        expiry.watch("b", later(now, HOUR));
        assert_eq!(expiry.collect(later(now, LEEWAY)).0, [Due::Kick("a")]);
        assert_eq!(expiry.collect(later(now, LEEWAY)).0, []);
    }

    /// A clock that stands still until it is set.
    fn clock() -> (Expiry<&'static str>, impl Fn(Timestamp)) {
        let clock = Arc::new(AtomicU64::new(later(Timestamp::from_millis(0), DAY * 365).as_millis()));
        let hand = clock.clone();
        let expiry = Expiry::by(move || Timestamp::from_millis(clock.load(Ordering::Relaxed)));
        (expiry, move |moment| hand.store(moment.as_millis(), Ordering::Relaxed))
    }

    /// What is due within this time.
    async fn within(expiry: &Expiry<&'static str>, time: Duration) -> Vec<Due<&'static str>> {
        tokio::time::timeout(time, expiry.due()).await.unwrap_or_default()
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_jumps_ahead_ends_tokens_within_seconds_and_leaves_a_chance() {
        let (expiry, set) = clock();
        let start = (expiry.now)();
        expiry.watch("a", later(start, HOUR));
        assert_eq!(within(&expiry, Duration::from_secs(60)).await, []);
        set(later(start, DAY));
        assert_eq!(within(&expiry, LOOK * 2).await, [Due::Tell("a")]);
        assert_eq!(within(&expiry, LOOK * 2).await, [], "it may bring a new token");
        set(later(start, DAY + CHANCE));
        assert_eq!(within(&expiry, LOOK * 2).await, [Due::Kick("a")]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_jumps_back_ends_tokens_as_much_later() {
        let (expiry, set) = clock();
        let start = (expiry.now)();
        expiry.watch("a", later(start, HOUR));
        set(Timestamp::from_millis(start.as_millis() - HOUR.as_millis() as u64));
        assert_eq!(within(&expiry, HOUR * 2).await, [], "nor by the time that has passed");
        set(later(start, HOUR));
        assert_eq!(within(&expiry, LOOK * 2).await, [Due::Tell("a")]);
        set(start);
        assert_eq!(within(&expiry, HOUR).await, [], "nobody is kicked early");
        set(later(start, HOUR + LEEWAY));
        assert_eq!(within(&expiry, LOOK * 2).await, [Due::Kick("a")]);
    }
}

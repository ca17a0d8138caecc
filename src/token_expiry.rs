//! Expires the tokens of connected sockets. At `exp` the client gets an `event-error`, and after the leeway its socket
//! is disconnected, unless the client has sent a new token (`refresh-token`) by then.

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::Mutex;

use crate::{
    auth::LEEWAY,
    deadlines::{Deadlines, Ticket},
    error::Error,
    hub::{Hub, To},
    model::{SocketId, Timestamp},
    protocol::EventError,
};

/// How often the wall clock is read. Tokens expire by the wall clock, which can be set and which goes on while the
/// machine sleeps. The runtime's timers would not notice either.
const CLOCK_CHECK: Duration = Duration::from_secs(2);
/// Minimal time that a client has for sending a new token after the `event-error`, even if that was sent late.
const REFRESH_TIME: Duration = Duration::from_secs(5);

/// The sockets of all namespaces whose tokens expire.
pub(crate) struct ExpiringTokens {
    sockets: Mutex<HashMap<SocketId, Watch>>,
    /// Inserted into and removed from while `sockets` is locked.
    deadlines: Deadlines<(SocketId, Step), Timestamp>,
    clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
}

/// A socket whose token expires.
struct Watch {
    hub: Arc<Hub>,
    expires_at: Timestamp,
    next: Ticket<Timestamp>,
}

/// The action at a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The client is told that its token has expired.
    Tell,
    /// The socket is disconnected.
    Kick,
}

impl ExpiringTokens {
    /// Creates an empty registry that uses the system's clock.
    pub(crate) fn new() -> Self {
        Self::with_clock(Timestamp::now)
    }

    fn with_clock(clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self { sockets: Mutex::default(), deadlines: Deadlines::new(), clock: Box::new(clock) }
    }

    /// Watches the token of a socket. It replaces the socket's earlier token. An identity that never expires is not
    /// watched.
    pub(crate) fn watch(&self, hub: &Arc<Hub>, socket: SocketId, expires_at: Option<Timestamp>) {
        let Some(expires_at) = expires_at else { return };
        let mut sockets = self.sockets.lock();
        let next = match sockets.get(&socket) {
            Some(watch) => self.deadlines.reset(watch.next, expires_at, (socket, Step::Tell)),
            None => self.deadlines.insert(expires_at, (socket, Step::Tell)),
        };
        sockets.insert(socket, Watch { hub: hub.clone(), expires_at, next });
    }

    /// Stops watching a socket. Called when it has disconnected.
    pub(crate) fn unwatch(&self, socket: SocketId) {
        let mut sockets = self.sockets.lock();
        if let Some(watch) = sockets.remove(&socket) {
            self.deadlines.remove(watch.next);
        }
    }

    /// Tells the clients whose tokens have expired, and disconnects those that did not send a new one, forever.
    pub(crate) async fn run(&self) {
        loop {
            for (hub, socket, step) in self.due().await {
                match step {
                    Step::Tell => {
                        hub.tell(To::Socket(socket), &EventError::new("session", &Error::TokenExpired(None)));
                    }
                    Step::Kick => hub.kick(socket, false),
                }
            }
        }
    }

    /// Waits for the next deadlines, and takes them.
    async fn due(&self) -> Vec<(Arc<Hub>, SocketId, Step)> {
        let sleep = |next: Timestamp| {
            let rest = Duration::from_millis(next.as_millis().saturating_sub((self.clock)().as_millis()));
            tokio::time::sleep(rest.min(CLOCK_CHECK))
        };
        let due = self.deadlines.due_by(&self.clock, sleep).await;
        due.into_iter().filter_map(|(ticket, (socket, step))| self.advance(ticket, socket, step)).collect()
    }

    /// Inserts the deadline that follows this one. `None` if the socket has disconnected or has a new token.
    fn advance(&self, ticket: Ticket<Timestamp>, socket: SocketId, step: Step) -> Option<(Arc<Hub>, SocketId, Step)> {
        let mut sockets = self.sockets.lock();
        let watch = sockets.get_mut(&socket).filter(|watch| watch.next == ticket)?;
        let hub = watch.hub.clone();
        match step {
            Step::Tell => {
                let kick_at = later(watch.expires_at, LEEWAY).max(later((self.clock)(), REFRESH_TIME));
                watch.next = self.deadlines.insert(kick_at, (socket, Step::Kick));
            }
            Step::Kick => {
                sockets.remove(&socket);
            }
        }
        Some((hub, socket, step))
    }
}

fn later(moment: Timestamp, by: Duration) -> Timestamp {
    Timestamp::from_millis(moment.as_millis().saturating_add(by.as_millis() as u64))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::{
        app::settings,
        config::Config,
        engine::{Account, Engine},
        limits::Limits,
        metrics::Metrics,
        protocol::ReplyForm,
    };

    const HOUR: Duration = Duration::from_secs(3_600);
    const DAY: Duration = Duration::from_secs(24 * 3_600);

    /// A registry whose clock stands still until the test sets it.
    struct Fixture {
        tokens: ExpiringTokens,
        clock: Arc<AtomicU64>,
        start: Timestamp,
        hub: Arc<Hub>,
    }

    impl Fixture {
        fn new() -> Self {
            let start = later(Timestamp::from_millis(0), DAY * 365);
            let clock = Arc::new(AtomicU64::new(start.as_millis()));
            let hand = clock.clone();
            let tokens = ExpiringTokens::with_clock(move || Timestamp::from_millis(hand.load(Ordering::Relaxed)));
            let config = Config::default();
            let limits = Limits::new(config.limits.clone(), Metrics::off());
            let engine = Engine::new(settings(&config), &Account::unbounded(), limits, Metrics::off());
            Self { tokens, clock, start, hub: Hub::new("/", None, engine, Metrics::off(), ReplyForm::Enveloped) }
        }

        fn watch(&self, socket: SocketId, expires_at: Timestamp) {
            self.tokens.watch(&self.hub, socket, Some(expires_at));
        }

        fn set(&self, moment: Timestamp) {
            self.clock.store(moment.as_millis(), Ordering::Relaxed);
        }

        /// The next actions, if they come within this time.
        async fn within(&self, time: Duration) -> Vec<(SocketId, Step)> {
            let due = tokio::time::timeout(time, self.tokens.due()).await.unwrap_or_default();
            due.into_iter().map(|(_, socket, step)| (socket, step)).collect()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_is_told_at_exp_and_disconnected_after_the_leeway_unless_it_sends_a_new_token() {
        let fixture = Fixture::new();
        let (one, other, gone) = (SocketId::new(), SocketId::new(), SocketId::new());
        for socket in [one, other, gone] {
            fixture.watch(socket, fixture.start);
        }
        fixture.tokens.unwatch(gone);
        assert_eq!(fixture.within(HOUR).await, [(one, Step::Tell), (other, Step::Tell)]);
        assert_eq!(fixture.within(HOUR).await, [], "the clock stands still");
        fixture.watch(other, later(fixture.start, HOUR));
        fixture.set(later(fixture.start, LEEWAY));
        assert_eq!(fixture.within(HOUR).await, [(one, Step::Kick)]);
        assert_eq!(fixture.within(HOUR).await, []);
        fixture.set(later(fixture.start, HOUR));
        assert_eq!(fixture.within(HOUR).await, [(other, Step::Tell)]);
    }

    #[tokio::test(start_paused = true)]
    async fn if_the_clock_is_set_forward_tokens_expire_within_seconds_and_can_still_be_refreshed() {
        let fixture = Fixture::new();
        let socket = SocketId::new();
        fixture.watch(socket, later(fixture.start, HOUR));
        assert_eq!(fixture.within(Duration::from_secs(60)).await, []);
        fixture.set(later(fixture.start, DAY));
        assert_eq!(fixture.within(CLOCK_CHECK * 2).await, [(socket, Step::Tell)]);
        assert_eq!(fixture.within(CLOCK_CHECK * 2).await, [], "the client may still send a new token");
        fixture.set(later(fixture.start, DAY + REFRESH_TIME));
        assert_eq!(fixture.within(CLOCK_CHECK * 2).await, [(socket, Step::Kick)]);
    }

    #[tokio::test(start_paused = true)]
    async fn if_the_clock_is_set_back_tokens_expire_later_by_the_same_time() {
        let fixture = Fixture::new();
        let (start, socket) = (fixture.start, SocketId::new());
        fixture.watch(socket, later(start, HOUR));
        fixture.set(Timestamp::from_millis(start.as_millis() - HOUR.as_millis() as u64));
        assert_eq!(fixture.within(HOUR * 2).await, [], "only the wall clock counts");
        fixture.set(later(start, HOUR));
        assert_eq!(fixture.within(CLOCK_CHECK * 2).await, [(socket, Step::Tell)]);
        fixture.set(start);
        assert_eq!(fixture.within(HOUR).await, [], "nobody is disconnected early");
        fixture.set(later(start, HOUR + LEEWAY));
        assert_eq!(fixture.within(CLOCK_CHECK * 2).await, [(socket, Step::Kick)]);
    }
}

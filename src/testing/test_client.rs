//! A Socket.IO client for tests.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use super::{
    connect_error::ConnectError,
    connect_options::ConnectOptions,
    decode::frame,
    session::{Inbox, Joined, Received, Session},
    soon,
};
use crate::protocol::{Arguments, FromArguments, Payload, event};

/// The event of a fence: see [`TestClient::expect_none`].
const FENCE: &str = "sockeye-testing-fence";

/// A client of one namespace, over a WebSocket of its own. Events are kept until they are taken, whatever else is
/// waited for meanwhile. It has the guarantees of Socket.IO's own client, and sees what that sees, but the offsets of
/// a recovery, which are no arguments of anybody's.
pub struct TestClient {
    options: ConnectOptions,
    session: Session,
    joined: Joined,
    recovered: bool,
    next_ack: AtomicU64,
}

impl TestClient {
    pub(super) fn new(options: ConnectOptions, session: Session, joined: Joined) -> Self {
        Self { options, session, joined, recovered: false, next_ack: AtomicU64::new(0) }
    }

    /// The socket's id.
    pub fn id(&self) -> &str {
        &self.joined.id
    }

    /// Whether the last [`Self::reconnect`] recovered the socket.
    pub fn recovered(&self) -> bool {
        self.recovered
    }

    /// Whether it is connected.
    pub fn connected(&self) -> bool {
        self.session.inbox(|inbox| inbox.ended.is_none())
    }

    /// Emits an event. Bytes in the payload become attachments; a tuple is several arguments.
    ///
    /// # Panics
    ///
    /// If JSON cannot express the payload.
    pub fn emit(&self, event: &str, payload: impl Payload) {
        self.send(event, &payload, None);
    }

    /// Emits an event and waits for its acknowledgement. `T` is read from its arguments as in a handler
    /// ([`FromArguments`]): a tuple is several, `()` none.
    ///
    /// # Panics
    ///
    /// If the acknowledgement does not come, or is no `T`: the message says what came.
    pub async fn emit_with_ack<T: FromArguments>(&self, event: &str, payload: impl Payload) -> T {
        let id = self.next_ack.fetch_add(1, Ordering::Relaxed);
        self.send(event, &payload, Some(id));
        drop(payload);
        let what = format!("the acknowledgement of {event:?}");
        let arguments = self.wait(&what, |inbox| inbox.acks.remove(&id)).await;
        read(&what, &arguments)
    }

    fn send(&self, name: &str, payload: &impl Payload, id: Option<u64>) {
        let packet = event(name, payload).unwrap_or_else(|error| panic!("{name:?} cannot be written: {error}"));
        self.session.send(frame(false, &self.options.namespace, id, &packet), &packet);
    }

    /// Waits for the next event of this name and reads its arguments as a handler does ([`FromArguments`]). Other
    /// events are kept.
    ///
    /// # Panics
    ///
    /// If it does not come, or is no `T`: the message says what came.
    pub async fn next<T: FromArguments>(&self, event: &str) -> T {
        self.next_with_ack(event).await.0
    }

    /// The same for an event whose acknowledgement the server may wait for.
    ///
    /// # Panics
    ///
    /// As [`Self::next`].
    pub async fn next_with_ack<T: FromArguments>(&self, event: &str) -> (T, TestAck<'_>) {
        let what = format!("the event {event:?}");
        let received = self.wait(&what, |inbox| take(inbox, event)).await;
        (read(&what, &received.arguments), TestAck { client: self, id: received.ack })
    }

    /// Fails if an event of this name has come or was emitted to this client before this call. The proof is a later
    /// event, which the server emits to this client, and which comes after all earlier ones.
    ///
    /// What a handler emits that still runs comes later. Wait for the acknowledgement of its event first:
    /// [`Self::emit_with_ack`], also of the other client whose event it was.
    ///
    /// # Panics
    ///
    /// If there is such an event.
    pub async fn expect_none(&self, event: &str) {
        if self.connected() {
            let own = self.options.io.of(&self.options.namespace).to(self.id());
            own.emit(FENCE, ()).expect("a fence can be emitted");
            // A client that loses its connection meanwhile has received all that it ever will.
            let fence = |inbox: &mut Inbox| take(inbox, FENCE).map(drop).or_else(|| inbox.ended.map(drop));
            soon("the fence", self.session.wait(fence)).await;
        }
        let found = self.session.inbox(|inbox| take(inbox, event));
        if let Some(Received { arguments, .. }) = found {
            panic!("there is an event {event:?}: {}", arguments.json());
        }
    }

    /// Waits until the server or the network has ended the connection. Returns the reason that `socket.io-client`
    /// has: `io server disconnect` or `transport close`.
    ///
    /// # Panics
    ///
    /// If that does not happen.
    pub async fn disconnected(&self) -> &'static str {
        soon("the end of the connection", self.session.wait(|inbox| inbox.ended)).await
    }

    /// Disconnects, as `socket.disconnect()` does: the server does not keep the socket.
    pub async fn disconnect(&mut self) {
        let namespace = super::decode::prefix(&self.options.namespace);
        self.session.send(format!("41{namespace}"), &Arguments::new("[]", Vec::new()));
        soon("the end of the connection", self.session.close()).await;
    }

    /// Drops the connection without a word, as a network that fails.
    pub async fn lose_connection(&mut self) {
        self.session.cut().await;
    }

    /// Connects again, and recovers the socket if the server still has it: [`Self::recovered`] says whether. Events
    /// that were not taken yet are kept, and those that the client missed come after them.
    ///
    /// # Panics
    ///
    /// As [`Connect::connect`](super::Connect::connect).
    pub async fn reconnect(&mut self) -> Result<(), ConnectError> {
        self.session.cut().await;
        let offset = self.session.inbox(|inbox| inbox.offset.clone());
        let recovery = self.joined.recovery.as_deref().map(|session| (session, offset.as_deref()));
        let (session, joined) = self.options.open(recovery).await?;
        let mut kept = self.session.inbox(|inbox| std::mem::take(&mut inbox.events));
        session.inbox(|inbox| {
            kept.append(&mut inbox.events);
            inbox.events = kept;
            inbox.offset = inbox.offset.take().or(offset);
        });
        self.recovered = joined.recovery.is_some() && joined.id == self.joined.id;
        (self.session, self.joined) = (session, joined);
        Ok(())
    }

    /// Waits for something that the server sends. It fails at once if the connection ends.
    async fn wait<T>(&self, what: &str, mut take: impl FnMut(&mut Inbox) -> Option<T>) -> T {
        let found = self.session.wait(|inbox| match (take(inbox), inbox.ended) {
            (Some(found), _) => Some(Ok(found)),
            (None, ended) => ended.map(Err),
        });
        let found = tokio::time::timeout(super::PATIENCE, found).await;
        let problem = match found {
            Ok(Ok(found)) => return found,
            Ok(Err(reason)) => format!("the connection has ended: {reason}"),
            Err(_) => format!("it did not come within {} s", super::PATIENCE.as_secs()),
        };
        let others = self.session.inbox(|inbox| {
            inbox
                .events
                .iter()
                .map(|event| format!("\n  {:?} {}", event.name, event.arguments.json()))
                .collect::<String>()
        });
        panic!(
            "{what}: {problem}; events that came and were not taken: {}",
            if others.is_empty() { "none" } else { &others }
        );
    }
}

impl fmt::Debug for TestClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestClient")
            .field("id", &self.id())
            .field("namespace", &self.options.namespace)
            .finish_non_exhaustive()
    }
}

/// The acknowledgement of an event from the server: see [`TestClient::next_with_ack`].
#[derive(Debug)]
pub struct TestAck<'a> {
    client: &'a TestClient,
    id: Option<u64>,
}

impl TestAck<'_> {
    /// Whether the server waits for the acknowledgement.
    pub fn is_wanted(&self) -> bool {
        self.id.is_some()
    }

    /// Acknowledges the event with a value, or with a tuple of several values. Does nothing if the server does not wait
    /// for an acknowledgement.
    ///
    /// # Panics
    ///
    /// If JSON cannot express the payload.
    pub fn send(self, payload: impl Payload) {
        let Some(id) = self.id else { return };
        let arguments = crate::protocol::arguments(&payload).expect("JSON can express an acknowledgement");
        let text = frame(true, &self.client.options.namespace, Some(id), &arguments);
        self.client.session.send(text, &arguments);
    }
}

fn take(inbox: &mut Inbox, event: &str) -> Option<Received> {
    let place = inbox.events.iter().position(|received| received.name == event)?;
    inbox.events.remove(place)
}

fn read<T: FromArguments>(what: &str, arguments: &Arguments) -> T {
    arguments.read().unwrap_or_else(|error| {
        panic!("{what} is no {}: {error}; it was {}", std::any::type_name::<T>(), arguments.json())
    })
}

//! Plain WebSocket: clients with nothing but `new WebSocket(url)`.
//!
//! Such a client is a `Connection` with one `Socket` in the root namespace, let in as every other. Here is what it says
//! and hears instead of packets: JSON envelopes, or bare texts until its first envelope. It cannot come back to its
//! socket, which ends with the connection.

mod close;
mod envelope;
mod inbound;
mod rendering;

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::{Mutex, MutexGuard};

use super::{connection::Connection, frame::Frame, socket::Socket};
use envelope::Asked;

pub(super) use close::goodbye;
pub(super) use inbound::Inbound;
pub(super) use rendering::{bare_text, envelope};

/// What the engine has to know of the configuration.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) ping_interval: Duration,
    /// How long a client may send nothing.
    pub(crate) idle_timeout: Duration,
    /// The event that a bare text is.
    pub(crate) text_event: String,
    /// The event with which clients of bare texts hear of what is saved; `None` where they do not.
    pub(crate) saved_event: Option<&'static str>,
    /// Clients are let in before they say anything.
    pub(crate) open_at_once: bool,
}

/// What such a connection has beside the others.
#[derive(Default)]
pub(super) struct Plain {
    /// It has sent an envelope: from then on it gets no bare texts.
    has_envelopes: AtomicBool,
    /// What became of its wish to be let in; for its reader.
    verdict: Mutex<Option<Verdict>>,
    /// Events that wait for their answer, by the ids under which the socket acknowledges them.
    asked: Mutex<HashMap<u64, Asked>>,
    next_id: AtomicU64,
}

/// Whether a client is let in.
enum Verdict {
    Yes(Arc<Socket>),
    No(Refusal),
}

/// Why it is not.
struct Refusal {
    code: String,
    /// The `error` of a reply, as JSON.
    error: String,
}

impl Plain {
    /// What the client gets instead of a packet; `None` where it gets nothing.
    pub(super) fn rendered<'a>(&self, frame: &'a Arc<Frame>, settings: &Settings) -> Option<Cow<'a, Arc<Frame>>> {
        if frame.is_ack() {
            return rendering::reply(frame, |id| self.asked().remove(&id)).map(Cow::Owned);
        }
        let rendered = if self.has_envelopes() { frame.envelope() } else { frame.bare_text(settings) };
        rendered.map(Cow::Borrowed)
    }

    fn has_envelopes(&self) -> bool {
        self.has_envelopes.load(Ordering::Relaxed)
    }

    fn asked(&self) -> MutexGuard<'_, HashMap<u64, Asked>> {
        self.asked.lock()
    }

    /// Remembers what is to be answered, under an id for the socket.
    fn ask(&self, asked: Asked) -> u64 {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        self.asked().insert(id, asked);
        id
    }

    /// Whether its reader has something to go on with.
    pub(super) fn is_decided(&self) -> bool {
        self.verdict().is_some()
    }

    fn verdict(&self) -> MutexGuard<'_, Option<Verdict>> {
        self.verdict.lock()
    }
}

impl Connection {
    /// The client is let in. Its reader goes on with what has arrived since it asked.
    pub(super) fn let_in(&self, socket: &Arc<Socket>) {
        self.decided(|| Verdict::Yes(socket.clone()));
    }

    /// The client is not let in, with a message, which is a code where there is no JSON.
    pub(super) fn keep_out(&self, message: &str, data: Option<&str>) {
        self.decided(|| Verdict::No(envelope::refusal(message, data)));
    }

    fn decided(&self, verdict: impl FnOnce() -> Verdict) {
        if let Some(plain) = &self.plain {
            *plain.verdict() = Some(verdict());
            self.output().wake_reader();
        }
    }
}

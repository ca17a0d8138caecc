//! Plain WebSocket: clients with nothing but `new WebSocket(url)`.
//!
//! Such a client is a `Connection` with one `Socket` in the root namespace, let in as every other. Here is what it says
//! and hears instead of packets: JSON envelopes, or bare texts until its first envelope. It cannot come back to its
//! socket, which ends with the connection.

mod close;
mod envelope;
pub(super) mod inbound;
mod rendering;

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
    routing::{MethodRouter, any},
};
use http::{Method, Request, StatusCode, header::SEC_WEBSOCKET_VERSION};
use parking_lot::{Mutex, MutexGuard};

use super::{
    ClientAddress, Engine, Handshake, Protocol,
    client_socket::ClientSocket,
    frame::Frame,
    output::Transport,
    reader::Reader,
    requests,
    settings::PlainSettings,
    upgrade::{self, Stream},
    websocket::Decoder,
};
use envelope::Asked;

pub(super) use close::goodbye;
use inbound::Inbound;

/// The one version of WebSocket there is (RFC 6455, section 4.1).
const VERSION: &str = "13";

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

/// What was decided about a client's CONNECT.
pub(super) enum Verdict {
    /// The client has joined the namespace.
    Yes(Arc<dyn ClientSocket>),
    /// The client was refused.
    No(Refusal),
}

impl Verdict {
    /// The client was refused, with a message, which is a code where there is no data. `data` is JSON.
    pub(super) fn refused(message: &str, data: Option<&str>) -> Self {
        Self::No(envelope::refusal(message, data))
    }
}

/// Why a client was refused.
pub(super) struct Refusal {
    code: String,
    /// The `error` of a reply, as JSON.
    error: String,
}

impl Plain {
    /// What the client gets instead of a packet; `None` where it gets nothing.
    pub(super) fn rendered<'a>(&self, frame: &'a Arc<Frame>, settings: &PlainSettings) -> Option<Cow<'a, Arc<Frame>>> {
        if frame.is_ack() {
            return rendering::reply(frame, |id| self.asked().remove(&id)).map(Cow::Owned);
        }
        let rendered = if self.has_envelopes() {
            frame.envelope(rendering::envelope)
        } else {
            frame.bare_text(|frame| rendering::bare_text(frame, settings))
        };
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

    /// The client's CONNECT was decided on. Its reader must be woken then.
    pub(super) fn decide(&self, verdict: Verdict) {
        *self.verdict() = Some(verdict);
    }

    fn verdict(&self) -> MutexGuard<'_, Option<Verdict>> {
        self.verdict.lock()
    }
}

impl Engine {
    /// What answers requests for a plain WebSocket.
    pub(crate) fn plain(self: &Arc<Self>) -> MethodRouter {
        any(serve).with_state(self.clone())
    }
}

/// A request that asks for a WebSocket.
pub(super) async fn serve(State(engine): State<Arc<Engine>>, mut request: Request<Body>) -> Response {
    if request.headers().get(SEC_WEBSOCKET_VERSION).is_some_and(|version| version != VERSION) {
        return (StatusCode::UPGRADE_REQUIRED, [(SEC_WEBSOCKET_VERSION, VERSION)]).into_response();
    }
    if request.method() != Method::GET {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let address = request.extensions().get::<ClientAddress>().map(|address| address.0);
    let handshake = Handshake::of(Protocol::Plain, request.uri(), request.headers(), address);
    let Some(words) = upgrade::Handshake::of(&mut request) else { return StatusCode::BAD_REQUEST.into_response() };
    let Some(waiting) = engine.shared.wait(handshake.address) else {
        return requests::retry_after(StatusCode::SERVICE_UNAVAILABLE.into_response());
    };
    let (response, upgraded) = words.accept();
    tokio::spawn(async move {
        let Some(Stream { reader, writer, mut ahead, kept: _kept }) = upgrade::stream(upgraded).await else { return };
        let decoder = Decoder::new(engine.shared.settings.max_payload.get());
        let connection = engine.add_connection(requests::secret(), handshake, Transport::WebSocket(writer), waiting);
        let inbound = Inbound::new(&connection);
        let mut reader = Reader::plain(connection, reader, decoder, inbound);
        reader.feed(&mut ahead);
        reader.run().await;
    });
    response
}

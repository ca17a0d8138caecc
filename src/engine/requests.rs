//! The front door: requests of Engine.IO, as Node's server answers them.

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
};

use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use governor::DefaultDirectRateLimiter;
use http::{
    HeaderMap, HeaderValue, Method, Request, StatusCode, Uri,
    header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE},
};
use rand::{Rng, distr::Alphanumeric};
use serde::{Deserialize, Serialize};

use super::{
    Engine, Protocol,
    back::{Back, Behind},
    frame::Frame,
    link::Link,
    output::{Request as Waiting, Transport, Upgrade},
    polling,
    reader::Reader,
    upgrade::{self, Stream},
    websocket::Decoder,
};

/// Characters of a session id: 24 of 62 are 142 bits.
const SID_LEN: usize = 24;

/// The address a request came from, as an extension of the request: the peer's, or what a trusted proxy says.
#[derive(Debug, Clone, Copy)]
pub struct ClientAddress(pub IpAddr);

/// What a client said when it opened its connection, as far as anybody asks for it later.
#[derive(Debug, Clone)]
pub(crate) struct Handshake {
    pub(super) protocol: Protocol,
    /// Of the request's URI; kept out of logs, a token may be in it.
    pub(crate) query: String,
    /// The Authorization header.
    pub(crate) authorization: Option<String>,
    /// Where it comes from.
    pub(crate) address: Option<IpAddr>,
    /// What the events of all its sockets are counted in, one after the other: a new socket brings no new one.
    pub(crate) events: Arc<OnceLock<Option<Arc<DefaultDirectRateLimiter>>>>,
}

impl Handshake {
    /// What a request says.
    pub(super) fn of(protocol: Protocol, uri: &Uri, headers: &HeaderMap, address: Option<IpAddr>) -> Self {
        let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        Self {
            protocol,
            query: uri.query().unwrap_or_default().to_owned(),
            authorization: authorization.map(str::to_owned),
            address,
            events: Arc::default(),
        }
    }
}

/// Why a request is refused (<https://socket.io/docs/v4/server-api/#enginefireconnection_error>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    UnknownTransport,
    UnknownSession,
    BadMethod,
    BadRequest,
    /// Too many connections wait to be let in.
    Full,
}

impl Refusal {
    fn parts(self) -> (StatusCode, u8, &'static str) {
        match self {
            Self::UnknownTransport => (StatusCode::BAD_REQUEST, 0, "Transport unknown"),
            Self::UnknownSession => (StatusCode::BAD_REQUEST, 1, "Session ID unknown"),
            Self::BadMethod => (StatusCode::BAD_REQUEST, 2, "Bad handshake method"),
            Self::BadRequest => (StatusCode::BAD_REQUEST, 3, "Bad request"),
            Self::Full => (StatusCode::SERVICE_UNAVAILABLE, 4, "Too many connections"),
        }
    }
}

#[derive(Serialize)]
struct RefusalBody {
    code: u8,
    message: &'static str,
}

pub(super) fn refuse(refusal: Refusal) -> Response {
    let (status, code, message) = refusal.parts();
    (status, axum::Json(RefusalBody { code, message })).into_response()
}

/// An upgrade is refused with a bare text, and the connection closed.
fn refuse_upgrade(refusal: Refusal) -> Response {
    let (status, _, message) = refusal.parts();
    let mut response = (status, [(CONTENT_TYPE, "text/html")], message).into_response();
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

#[derive(Deserialize)]
pub(super) struct Query {
    pub(super) transport: Option<String>,
    pub(super) sid: Option<String>,
    #[serde(rename = "EIO")]
    eio: Option<String>,
}

impl Query {
    /// Some old clients send no EIO at all; Node takes whatever is not 4 for 3.
    pub(super) fn protocol(&self) -> Protocol {
        if self.eio.as_deref() == Some("4") { Protocol::V4 } else { Protocol::V3 }
    }
}

/// OPEN's payload; durations in milliseconds.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Open<'a> {
    sid: &'a str,
    upgrades: &'static [&'static str],
    ping_interval: u64,
    ping_timeout: u64,
    max_payload: usize,
}

/// Every request under the path of Socket.IO.
pub(super) async fn serve(State(engine): State<Arc<Engine>>, mut request: Request<Body>) -> Response {
    let is_upgrade = upgrade::is_asked_for(request.headers());
    let refuse = if is_upgrade { refuse_upgrade } else { refuse };
    let query = serde_urlencoded::from_str::<Query>(request.uri().query().unwrap_or_default());
    let Ok(query) = query else { return refuse(Refusal::BadRequest) };
    let is_websocket = match query.transport.as_deref() {
        Some("websocket") => true,
        Some("polling") => false,
        _ => return refuse(Refusal::UnknownTransport),
    };
    let protocol = query.protocol();
    if let Some(sid) = query.sid {
        let Some(link) = engine.link(&sid) else { return refuse(Refusal::UnknownSession) };
        if link.protocol != protocol {
            return refuse(Refusal::BadRequest);
        }
        return match (is_upgrade, is_websocket, request.method()) {
            (true, true, _) => upgrade_link(link, &mut request),
            (false, false, &Method::GET) => polling::get(&link).await,
            (false, false, &Method::POST) => polling::post(&link, request).await,
            (false, false, _) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            _ => refuse(Refusal::BadRequest),
        };
    }
    if request.method() != Method::GET {
        return refuse(Refusal::BadMethod);
    }
    if is_websocket != is_upgrade {
        return refuse(Refusal::BadRequest);
    }
    let address = request.extensions().get::<ClientAddress>().map(|address| address.0);
    let handshake = Handshake::of(protocol, request.uri(), request.headers(), address);
    let Some(waiting) = engine.limits.wait(handshake.address) else { return refuse(Refusal::Full) };
    if !is_websocket {
        let transport = Transport::Polling { request: Waiting::None, upgrade: Upgrade::No };
        let Some(link) = open(&engine, handshake, transport, waiting, None) else { return refuse(Refusal::BadRequest) };
        return polling::get(&link).await;
    }
    let Some(words) = upgrade::Handshake::of(&mut request) else { return refuse(Refusal::BadRequest) };
    let (response, upgraded) = words.accept();
    tokio::spawn(async move {
        let Some(Stream { reader, writer, mut ahead, kept: _kept }) = upgrade::stream(upgraded).await else { return };
        let decoder = Decoder::new(engine.settings.max_payload.get());
        let Some(link) = open(&engine, handshake, Transport::WebSocket(writer), waiting, None) else { return };
        let mut reader = Reader::new(link, reader, decoder);
        reader.feed(&mut ahead);
        reader.run().await;
    });
    response
}

/// A session's id.
pub(super) fn secret() -> String {
    rand::rng().sample_iter(Alphanumeric).take(SID_LEN).map(char::from).collect()
}

fn upgrade_link(link: Arc<Link>, request: &mut Request<Body>) -> Response {
    let Some(words) = upgrade::Handshake::of(request) else { return refuse_upgrade(Refusal::BadRequest) };
    if !link.begin_upgrade() {
        return refuse_upgrade(Refusal::BadRequest);
    }
    let (response, upgraded) = words.accept();
    tokio::spawn(async move {
        match upgrade::stream(upgraded).await {
            Some(stream) => upgrade::probe(link, stream).await,
            None => link.abandon_upgrade(),
        }
    });
    response
}

/// A new link: OPEN is the first thing it sends, after the response's head where that is left to it. Clients of
/// Engine.IO 3 are in the root namespace without asking, and take the session's id for that of their socket.
pub(super) fn open(
    engine: &Arc<Engine>,
    handshake: Handshake,
    transport: Transport,
    waiting: crate::limits::Waiting,
    head: Option<&Arc<Frame>>,
) -> Option<Arc<Link>> {
    let upgrades: &[&str] = if matches!(transport, Transport::WebSocket(_)) { &[] } else { &["websocket"] };
    let protocol = handshake.protocol;
    let behind = Behind::default();
    let (sid, root) = match protocol {
        Protocol::V4 | Protocol::Plain => (secret(), None),
        Protocol::V3 => {
            let back = Back::open(engine.library(), &behind)?;
            (back.sid().to_string(), Some(back))
        }
    };
    let settings = &engine.settings;
    let open = Open {
        sid: &sid,
        upgrades,
        ping_interval: settings.ping_interval.as_millis() as u64,
        ping_timeout: settings.ping_timeout.as_millis() as u64,
        max_payload: settings.max_payload.get(),
    };
    let packet = format!("0{}", serde_json::to_string(&open).expect("plain data"));
    let link = Link::new(engine, sid, handshake, transport, waiting);
    if let Some(head) = head {
        link.output().cork();
        link.send(head);
    }
    link.send(&Frame::engine(&packet));
    if let Some(back) = root
        && let Some(route) = engine.route("/")
    {
        link.connect_through(back, &behind, "/", route, "");
    }
    Some(link)
}

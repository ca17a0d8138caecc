//! The front door: requests of Engine.IO, as Node's server answers them.

use std::{net::IpAddr, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
    routing::any,
};
use http::{
    HeaderMap, HeaderValue, Method, Request, StatusCode, Uri,
    header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER},
};
use rand::{Rng, distr::Alphanumeric};
use serde::Serialize;

use super::{
    ClientAddress, Engine, Handshake, Protocol, clients,
    connection::Connection,
    engine_side::EngineSide,
    frame::Frame,
    jsonp,
    library::LibrarySession,
    output::{Request as Waiting, Transport, Upgrade},
    polling,
    reader::Reader,
    upgrade::{self, Stream},
    websocket::Decoder,
};

/// Characters of a session id: 24 of 62 are 142 bits.
const SID_LEN: usize = 24;

impl Handshake {
    /// What the first request of a client of Engine.IO says.
    pub(super) fn of_client(
        engine: &Engine,
        query: &Query,
        uri: &Uri,
        headers: &HeaderMap,
        address: Option<IpAddr>,
    ) -> Result<Self, Refusal> {
        let protocol = query.protocol();
        if protocol == Protocol::V3 && !engine.shared.settings.allow_eio3 {
            return Err(Refusal::UnsupportedProtocol);
        }
        let mut handshake = Self::of(protocol, uri, headers, address);
        let is_websocket = query.transport.as_deref() == Some("websocket");
        if !is_websocket {
            handshake.jsonp = query.j.as_deref().map(jsonp::Callback::of);
        }
        if protocol == Protocol::V4 {
            let asked = clients::asked(query.recovery.as_deref());
            let recovery = &engine.shared.settings.recovery;
            let wants_offsets = asked.unwrap_or_else(|| {
                clients::are_offsets_sent(recovery.clients, &handshake.query, headers, is_websocket)
            });
            handshake.asked_recovery = asked;
            handshake.is_recoverable = recovery.is_on() && wants_offsets;
        }
        Ok(handshake)
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
    /// Engine.IO 3, which is not let in here.
    UnsupportedProtocol,
}

impl Refusal {
    fn parts(self) -> (StatusCode, u8, &'static str) {
        match self {
            Self::UnknownTransport => (StatusCode::BAD_REQUEST, 0, "Transport unknown"),
            Self::UnknownSession => (StatusCode::BAD_REQUEST, 1, "Session ID unknown"),
            Self::BadMethod => (StatusCode::BAD_REQUEST, 2, "Bad handshake method"),
            Self::BadRequest => (StatusCode::BAD_REQUEST, 3, "Bad request"),
            Self::Full => (StatusCode::SERVICE_UNAVAILABLE, 4, "Too many connections"),
            Self::UnsupportedProtocol => (StatusCode::BAD_REQUEST, 5, "Unsupported protocol version"),
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
    retry_after((status, axum::Json(RefusalBody { code, message })).into_response())
}

/// Says when to try again, where that may help.
pub(super) fn retry_after(mut response: Response) -> Response {
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// An upgrade is refused with a bare text, and the connection closed.
fn refuse_upgrade(refusal: Refusal) -> Response {
    let (status, _, message) = refusal.parts();
    let mut response = (status, [(CONTENT_TYPE, "text/html")], message).into_response();
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    retry_after(response)
}

/// What a request's query says to Engine.IO. Of two parameters of one name the last counts, as in Node.
#[derive(Default)]
pub(super) struct Query {
    pub(super) transport: Option<String>,
    /// Of which session; an empty one is none.
    pub(super) sid: Option<String>,
    eio: Option<String>,
    /// There for JSONP.
    j: Option<String>,
    recovery: Option<String>,
}

/// Whether a request wants its answer as a script, which a page of any origin may load.
pub(crate) fn asks_for_jsonp(uri: &Uri) -> bool {
    Query::of(uri).j.is_some()
}

/// Whether a request belongs to a session that exists, or did.
pub(crate) fn names_a_session(uri: &Uri) -> bool {
    Query::of(uri).sid.is_some()
}

impl Query {
    pub(super) fn of(uri: &Uri) -> Self {
        let text = uri.query().unwrap_or_default();
        let fields: Vec<(String, String)> = serde_urlencoded::from_str(text).expect("every text is a query");
        let mut query = Self::default();
        for (name, value) in fields {
            let field = match name.as_str() {
                "transport" => &mut query.transport,
                "sid" => &mut query.sid,
                "EIO" => &mut query.eio,
                "j" => &mut query.j,
                "recovery" => &mut query.recovery,
                _ => continue,
            };
            *field = Some(value);
        }
        query.sid = query.sid.filter(|sid| !sid.is_empty());
        query
    }

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

impl Engine {
    /// The routes of Engine.IO under a path.
    pub(crate) fn routes(self: &Arc<Self>, path: &str) -> Router {
        Router::new()
            .route(path, any(serve))
            .route(&format!("{path}/"), any(serve))
            .route(&format!("{path}/{{*rest}}"), any(serve))
            .with_state(self.clone())
    }
}

/// Every request under the path of Socket.IO.
pub(super) async fn serve(State(engine): State<Arc<Engine>>, mut request: Request<Body>) -> Response {
    let is_upgrade = upgrade::is_asked_for(request.headers());
    let refuse = if is_upgrade { refuse_upgrade } else { refuse };
    let query = Query::of(request.uri());
    let is_websocket = match query.transport.as_deref() {
        Some("websocket") => true,
        Some("polling") => false,
        _ => return refuse(Refusal::UnknownTransport),
    };
    if let Some(sid) = &query.sid {
        let Some(connection) = engine.connections.find(sid) else { return refuse(Refusal::UnknownSession) };
        if connection.protocol != query.protocol() {
            return refuse(Refusal::BadRequest);
        }
        return match (is_upgrade, is_websocket, request.method()) {
            (true, true, _) => upgrade_link(connection, &mut request),
            (true, false, _) => accept_and_close(&mut request),
            (false, false, &Method::GET) => polling::get(&connection).await,
            (false, false, &Method::POST) => polling::post(&connection, request).await,
            (false, false, _) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            (false, true, _) => refuse(Refusal::BadRequest),
        };
    }
    if request.method() != Method::GET {
        return refuse(Refusal::BadMethod);
    }
    match (is_upgrade, is_websocket) {
        (true, false) => return accept_and_close(&mut request),
        (false, true) => return refuse(Refusal::BadRequest),
        _ => {}
    }
    let address = request.extensions().get::<ClientAddress>().map(|address| address.0);
    let handshake = match Handshake::of_client(&engine, &query, request.uri(), request.headers(), address) {
        Ok(handshake) => handshake,
        Err(refusal) => return refuse(refusal),
    };
    let Some(waiting) = engine.shared.wait(handshake.address) else { return refuse(Refusal::Full) };
    if !is_websocket {
        let transport = Transport::Polling { request: Waiting::None, upgrade: Upgrade::No };
        let Some(connection) = open(&engine, handshake, transport, waiting, None) else {
            return refuse(Refusal::BadRequest);
        };
        return polling::get(&connection).await;
    }
    let Some(words) = upgrade::Handshake::of(&mut request) else { return refuse(Refusal::BadRequest) };
    let (response, upgraded) = words.accept();
    tokio::spawn(async move {
        let Some(Stream { reader, writer, mut ahead, kept: _kept }) = upgrade::stream(upgraded).await else { return };
        let decoder = Decoder::new(engine.shared.settings.max_payload.get());
        let Some(connection) = open(&engine, handshake, Transport::WebSocket(writer), waiting, None) else { return };
        let mut reader = Reader::new(connection, reader, decoder);
        reader.feed(&mut ahead);
        reader.run().await;
    });
    response
}

/// A session's id.
pub(super) fn secret() -> String {
    rand::rng().sample_iter(Alphanumeric).take(SID_LEN).map(char::from).collect()
}

fn upgrade_link(connection: Arc<Connection>, request: &mut Request<Body>) -> Response {
    let Some(words) = upgrade::Handshake::of(request) else { return refuse_upgrade(Refusal::BadRequest) };
    let is_first = connection.begin_upgrade();
    let (response, upgraded) = words.accept();
    if !is_first {
        tokio::spawn(upgrade::close(upgraded));
        return response;
    }
    tokio::spawn(async move {
        match upgrade::stream(upgraded).await {
            Some(stream) => upgrade::probe(connection, stream).await,
            None => connection.abandon_upgrade(),
        }
    });
    response
}

/// A WebSocket handshake that gets no session, since its transport is polling: accepted and closed, as Node does.
fn accept_and_close(request: &mut Request<Body>) -> Response {
    let Some(words) = upgrade::Handshake::of(request) else { return refuse_upgrade(Refusal::BadRequest) };
    let (response, upgraded) = words.accept();
    tokio::spawn(upgrade::close(upgraded));
    response
}

/// A new connection: OPEN is the first thing it sends, after the response's head where that is left to it. Clients of
/// Engine.IO 3 are in the root namespace without asking, and take the session's id for that of their socket.
pub(super) fn open(
    engine: &Arc<Engine>,
    handshake: Handshake,
    transport: Transport,
    waiting: crate::limits::Waiting,
    head: Option<&Arc<Frame>>,
) -> Option<Arc<Connection>> {
    let upgrades: &[&str] = if matches!(transport, Transport::WebSocket(_)) { &[] } else { &["websocket"] };
    let protocol = handshake.protocol;
    let engine_side = EngineSide::default();
    let (sid, root) = match protocol {
        Protocol::V4 | Protocol::Plain => (secret(), None),
        Protocol::V3 => {
            let session = LibrarySession::open(engine.shared.library(), engine_side.clone())?;
            (session.sid().to_string(), Some(session))
        }
    };
    let settings = &engine.shared.settings;
    let open = Open {
        sid: &sid,
        upgrades,
        ping_interval: settings.ping_interval.as_millis() as u64,
        ping_timeout: settings.ping_timeout.as_millis() as u64,
        max_payload: settings.max_payload.get(),
    };
    let packet = format!("0{}", serde_json::to_string(&open).expect("plain data"));
    let connection = engine.add_connection(sid, handshake, transport, waiting);
    if let Some(head) = head {
        connection.output().cork();
        connection.send(head);
    }
    connection.send(&Frame::engine(&packet));
    if let Some(session) = root {
        engine.join_root(&connection, session, &engine_side);
    }
    Some(connection)
}

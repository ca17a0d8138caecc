//! CONNECT: a client wants to join a namespace, or to recover a socket that it had.

use std::{borrow::Cow, sync::Arc};

use super::{
    away::AwaySockets,
    connection::Connection,
    engine_side::EngineSide,
    library::LibrarySession,
    reason::DisconnectReason,
    replays::Seen,
    socket::{Socket, recovery::Resumed},
    version::Protocol,
};
use crate::{
    error::Error,
    input::{self, Object, check_depth},
    protocol::Failure,
};

/// Maximal bytes of a namespace's path, which is part of every packet.
const NAMESPACE_MAX: usize = 256;
/// Maximal bytes of `auth`, which is kept as long as the socket.
const AUTH_MAX: usize = 128 * 1024;

/// What a client that wants to recover its socket sends beside its own `auth`.
struct Return {
    /// The socket's secret.
    pid: String,
    /// The offset of the last event that the client has received.
    offset: Option<String>,
}

impl Return {
    /// `None` where there is no `pid`. Fields of these names may also be the application's own, of any type.
    fn of(auth: &str) -> Option<Self> {
        let auth = Object::of(auth)?;
        let text = |name| auth.get(name).and_then(|value| input::decoded(value.get())).map(Cow::into_owned);
        Some(Self { pid: text("pid")?, offset: text("offset") })
    }
}

/// Answers CONNECT, with `auth` as JSON, or empty.
pub(super) fn connect(connection: &Arc<Connection>, away: &Arc<AwaySockets<Socket>>, namespace: &str, auth: &str) {
    if namespace.len() > NAMESPACE_MAX {
        return connection.refuse_connect("/", "Invalid namespace", None);
    }
    if auth.len() > AUTH_MAX {
        let sentence = format!("auth has more than {} KiB", AUTH_MAX / 1024);
        return refuse(connection, namespace, &Error::TooLarge(sentence));
    }
    if let Err(sentence) = check_depth(auth, "auth") {
        return refuse(connection, namespace, &Error::BadPayload(sentence));
    }
    if recover(connection, away, namespace, auth) {
        return;
    }
    let engine_side = EngineSide::default();
    let Some(route) = connection.shared.route(namespace) else {
        return connection.refuse_connect(namespace, "Invalid namespace", None);
    };
    match LibrarySession::open(connection.shared.library(), engine_side.clone()) {
        Some(session) => join(connection, away, session, &engine_side, namespace, route, auth),
        None => refuse(connection, namespace, &Error::unavailable("no session could be opened")),
    }
}

/// Makes a socket and has the library decide on its CONNECT, through a session that is open already. `route` is the
/// library's name of the namespace.
pub(super) fn join(
    connection: &Arc<Connection>,
    away: &Arc<AwaySockets<Socket>>,
    session: LibrarySession,
    engine_side: &EngineSide,
    namespace: &str,
    route: &str,
    auth: &str,
) {
    let socket = Socket::new(connection, away, session, namespace, auth.len());
    engine_side.set(&socket, connection);
    if connection.add_socket(&socket) {
        socket.ask_library(route, auth);
    } else {
        socket.end(DisconnectReason::TransportClose);
    }
}

/// Whether the client has recovered its socket.
fn recover(connection: &Arc<Connection>, away: &AwaySockets<Socket>, namespace: &str, auth: &str) -> bool {
    // A client that names a `pid` was sent offsets before, so it may be recovered through any connection, unless it
    // says in the query of this one that it wants no recovery.
    let may_recover = connection.protocol == Protocol::V4 && connection.handshake.asked_recovery != Some(false);
    let shared = &connection.shared;
    if !may_recover || !shared.settings.recovery.is_on() || auth.is_empty() {
        return false;
    }
    let Some(Return { pid, offset }) = Return::of(auth) else { return false };
    let found = away.find(&pid).filter(|socket| &*socket.namespace == namespace);
    let resumed = found.map(|socket| {
        let seen = match offset.map(|offset| shared.offsets.parse(&offset)) {
            None => Seen::Nothing,
            Some(Some(number)) => Seen::Until(number),
            Some(None) => Seen::Unknown,
        };
        socket.resume(connection, seen, auth)
    });
    shared.metrics.recovered(match resumed {
        Some(Resumed::Yes) => "recovered",
        Some(Resumed::NotYours) => "refused",
        Some(Resumed::Lost) => "lost",
        Some(Resumed::Broken) => "broken",
        None => "unknown",
    });
    resumed == Some(Resumed::Yes)
}

/// Answers CONNECT_ERROR for what the engine itself refuses, before the library is asked, and writes a log line.
fn refuse(connection: &Arc<Connection>, namespace: &str, error: &Error) {
    let failure = serde_json::to_string(&Failure::of(error)).expect("it is plain text");
    let code = error.code();
    if connection.shared.mistake_lines.check().is_ok() {
        let address = connection.handshake.address.map(tracing::field::display);
        tracing::info!(address, error = code.as_str(), data = failure, "connection refused");
    }
    connection.shared.metrics.refused(code);
    connection.refuse_connect(namespace, code.as_str(), Some(&failure));
}

//! CONNECT: a client asks to join a namespace, or to recover its earlier socket.

use std::{borrow::Cow, sync::Arc};

use super::{
    connection::Connection,
    engine_side::EngineSide,
    library::LibrarySession,
    reason::DisconnectReason,
    recoverable_sockets::RecoverableSockets,
    replays::LastReceived,
    socket::{Socket, recovery::RecoveryResult},
    version::Protocol,
};
use crate::{
    error::Error,
    input::{self, Object, check_depth},
    protocol::Failure,
};

/// Maximal bytes of a namespace's path, which is part of every packet.
const NAMESPACE_MAX: usize = 256;
/// Maximum number of bytes of `auth`, which is kept until the socket ends.
const AUTH_MAX: usize = 128 * 1024;

/// The fields of `auth` with which a client asks to recover its socket. The client's library adds them to the
/// application's own.
struct RecoveryRequest {
    /// The socket's secret.
    pid: String,
    /// The offset of the last event that the client has received.
    offset: Option<String>,
}

impl RecoveryRequest {
    /// Reads the fields. `None` if there is no `pid`. An application may use the same names for values of any type.
    fn of(auth: &str) -> Option<Self> {
        let auth = Object::of(auth)?;
        let text = |name| auth.get(name).and_then(|value| input::decoded(value.get())).map(Cow::into_owned);
        Some(Self { pid: text("pid")?, offset: text("offset") })
    }
}

/// Processes a CONNECT: recovers the client's socket, or creates a new one. `auth` is JSON, or empty.
pub(super) fn connect(
    connection: &Arc<Connection>,
    recoverable: &Arc<RecoverableSockets<Socket>>,
    namespace: &str,
    auth: &str,
) {
    if connection.shared.is_closing() {
        return connection.end(DisconnectReason::ServerShuttingDown, None);
    }
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
    if recover(connection, recoverable, namespace, auth) {
        return;
    }
    if !connection.shared.knows(namespace) {
        return connection.refuse_connect(namespace, "Invalid namespace", None);
    }
    let engine_side = EngineSide::default();
    match LibrarySession::open(connection.shared.library(), engine_side.clone()) {
        Some(session) => join(connection, recoverable, session, &engine_side, namespace, auth),
        None => refuse(connection, namespace, &Error::unavailable("the server cannot process CONNECT now")),
    }
}

/// Creates a socket and passes its CONNECT to the library, through an open session.
pub(super) fn join(
    connection: &Arc<Connection>,
    recoverable: &Arc<RecoverableSockets<Socket>>,
    session: LibrarySession,
    engine_side: &EngineSide,
    namespace: &str,
    auth: &str,
) {
    let socket = Socket::new(connection, recoverable, session, namespace, auth);
    engine_side.set(&socket, connection);
    if connection.add_socket(&socket) {
        socket.ask_library(auth);
    } else {
        socket.end(DisconnectReason::TransportClose);
    }
}

/// Recovers the client's socket if `auth` asks for it. True if it was recovered.
fn recover(
    connection: &Arc<Connection>,
    recoverable: &RecoverableSockets<Socket>,
    namespace: &str,
    auth: &str,
) -> bool {
    // A client that sends a `pid` has received offsets before. So it may be recovered through any connection, unless
    // the query of this connection turns recovery off.
    let may_recover = connection.protocol == Protocol::V4 && connection.request.recovery_choice != Some(false);
    let shared = &connection.shared;
    if !may_recover || !shared.settings.recovery.is_on() || auth.is_empty() {
        return false;
    }
    let Some(RecoveryRequest { pid, offset }) = RecoveryRequest::of(auth) else { return false };
    let found = recoverable.find(&pid).filter(|socket| &*socket.namespace == namespace);
    let result = found.map(|socket| {
        let last_received = match offset.map(|offset| shared.offsets.parse(&offset)) {
            None => LastReceived::NoEvent,
            Some(Some(number)) => LastReceived::Event(number),
            Some(None) => LastReceived::Unknown,
        };
        socket.recover(connection, last_received, auth)
    });
    shared.metrics.recovered(match result {
        Some(RecoveryResult::Recovered) => "recovered",
        Some(RecoveryResult::Refused) => "refused",
        Some(RecoveryResult::Lost) => "lost",
        Some(RecoveryResult::Broken) => "broken",
        None => "unknown",
    });
    result == Some(RecoveryResult::Recovered)
}

/// Sends CONNECT_ERROR for a CONNECT that the engine itself refuses, before the library sees it, and logs it.
fn refuse(connection: &Arc<Connection>, namespace: &str, error: &Error) {
    let failure = serde_json::to_string(&Failure::of(error)).expect("it is plain text");
    let code = error.code();
    if connection.shared.mistake_lines.check().is_ok() {
        let address = connection.request.head.address().map(tracing::field::display);
        tracing::info!(address, error = code.as_str(), data = failure, "connection refused");
    }
    connection.shared.metrics.refused(code);
    connection.refuse_connect(namespace, code.as_str(), Some(&failure));
}

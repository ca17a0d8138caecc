//! CONNECT: a client asks to be let into a namespace, or to find its socket again.

use std::{borrow::Cow, sync::Arc};

use super::{
    DisconnectReason, Protocol,
    connection::Connection,
    frame::Frame,
    library::{EngineSide, LibrarySession},
    plain::Verdict,
    socket::{Resumed, Seen, Socket},
};
use crate::{
    error::Error,
    input::{self, Object, check_depth},
    protocol::Failure,
};

/// Bytes of a namespace's path, which stands in every packet.
const NAMESPACE_MAX: usize = 256;
/// Bytes of `auth`, which is kept as long as the socket.
const AUTH_MAX: usize = 128 * 1024;

/// What a client that comes back puts beside its own `auth`.
struct Return {
    pid: String,
    offset: Option<String>,
}

impl Return {
    /// `None` where it has never been here. Fields of these names may as well be the application's own, of any type.
    fn of(auth: &str) -> Option<Self> {
        let auth = Object::of(auth)?;
        let text = |name| auth.get(name).and_then(|value| input::decoded(value.get())).map(Cow::into_owned);
        Some(Self { pid: text("pid")?, offset: text("offset") })
    }
}

impl Connection {
    /// CONNECT, with the JSON of `auth`, or nothing.
    pub(super) fn connect(self: &Arc<Self>, namespace: &str, auth: &str) {
        if namespace.len() > NAMESPACE_MAX {
            return self.refuse_connect("/", "Invalid namespace", None);
        }
        if auth.len() > AUTH_MAX {
            let sentence = format!("auth has more than {} KiB", AUTH_MAX / 1024);
            return self.refuse_with(namespace, &Error::TooLarge(sentence));
        }
        if let Err(sentence) = check_depth(auth, "auth") {
            return self.refuse_with(namespace, &Error::BadPayload(sentence));
        }
        if self.resume(namespace, auth) {
            return;
        }
        let engine_side = EngineSide::default();
        let Some(route) = self.engine.route(namespace) else {
            return self.refuse_connect(namespace, "Invalid namespace", None);
        };
        match LibrarySession::open(self.engine.library(), &engine_side) {
            Some(session) => self.connect_through(session, &engine_side, namespace, route, auth),
            None => self.refuse_with(namespace, &Error::unavailable("no session could be opened")),
        }
    }

    /// CONNECT through a session of the library that is open already.
    pub(super) fn connect_through(
        self: &Arc<Self>,
        session: LibrarySession,
        engine_side: &EngineSide,
        namespace: &str,
        route: &str,
        auth: &str,
    ) {
        let socket = Socket::open(self, session, engine_side, namespace, auth);
        if self.add_socket(&socket) {
            socket.ask_in(route, auth);
        } else {
            socket.finish(DisconnectReason::TransportClose);
        }
    }

    /// Whether the client has found its socket again.
    fn resume(self: &Arc<Self>, namespace: &str, auth: &str) -> bool {
        // A client that names a `pid` was sent offsets before, so it may be recovered through any connection, unless it
        // says in the query of this one that it wants none.
        let may_resume = self.protocol == Protocol::V4 && self.handshake.asked_recovery != Some(false);
        if !may_resume || !self.engine.settings.recovery.is_on() || auth.is_empty() {
            return false;
        }
        let Some(Return { pid, offset }) = Return::of(auth) else { return false };
        let found = self.engine.away.find(&pid).filter(|socket| &*socket.namespace == namespace);
        let resumed = found.map(|socket| {
            let seen = match offset.map(|offset| self.engine.offsets.parse(&offset)) {
                None => Seen::Nothing,
                Some(Some(number)) => Seen::Until(number),
                Some(None) => Seen::Unknown,
            };
            socket.resume(self, seen, auth)
        });
        self.engine.metrics.recovered(match resumed {
            Some(Resumed::Yes) => "recovered",
            Some(Resumed::NotYours) => "refused",
            Some(Resumed::Lost) => "lost",
            Some(Resumed::Broken) => "broken",
            None => "unknown",
        });
        resumed == Some(Resumed::Yes)
    }

    /// CONNECT_ERROR for what the server itself finds wrong before anybody is asked, with a line in the log.
    fn refuse_with(self: &Arc<Self>, namespace: &str, error: &Error) {
        let failure = serde_json::to_string(&Failure::of(error)).expect("it is plain text");
        let code = error.code();
        if self.engine.mistake_lines.check().is_ok() {
            let address = self.handshake.address.map(tracing::field::display);
            tracing::info!(address, error = code.as_str(), data = failure, "connection refused");
        }
        self.engine.metrics.refused(code);
        self.refuse_connect(namespace, code.as_str(), Some(&failure));
    }

    /// CONNECT_ERROR, with data as JSON.
    pub(super) fn refuse_connect(self: &Arc<Self>, namespace: &str, message: &str, data: Option<&str>) {
        if self.protocol == Protocol::Plain {
            return self.decided(|| Verdict::refused(message, data));
        }
        let message = serde_json::to_string(message).expect("text is JSON");
        let json = match (self.protocol, data) {
            // Its clients take the payload for the message.
            (Protocol::V3, _) => message,
            (_, None) => format!(r#"{{"message":{message}}}"#),
            (_, Some(data)) => format!(r#"{{"message":{message},"data":{data}}}"#),
        };
        self.send(&Frame::connect_error(namespace, &json));
    }

    /// The server closes the whole connection: DISCONNECT for every namespace, then the end.
    pub(super) fn kick(self: &Arc<Self>) {
        for socket in self.sockets() {
            socket.kick(false);
        }
        self.end(DisconnectReason::ServerNamespaceDisconnect, None);
    }
}

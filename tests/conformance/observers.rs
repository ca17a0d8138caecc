//! The namespace `/watch` of the server under test, whose sockets are told what an observer is told; the same as
//! `peer-observers.mjs`.

use serde::Serialize;
use serde_json::json;
use sockeye::{ConnectionError, Ctx, Events, Io, Observer, Server, SocketId};

const WATCH: &str = "/watch";

/// Passes on what it is told.
struct Watch(Io);

pub fn watched(server: Server) -> Server {
    let (watch, io) = (Watch(server.io()), server.io());
    server
        .namespace(WATCH, Events::new().connection(async |ctx: Ctx| ctx.emit("welcome", json!({}))))
        .observe(watch)
        .new_namespace(move |namespace| Watch(io.clone()).tell(("new_namespace", namespace.path())))
}

impl Watch {
    fn tell(&self, what: impl Serialize) {
        self.0.of(WATCH).emit("told", json!(what)).expect("texts");
    }
}

impl Observer for Watch {
    fn room_created(&self, namespace: &str, room: &str) {
        self.tell(("create-room", namespace, room));
    }

    fn room_joined(&self, namespace: &str, room: &str, socket: SocketId) {
        self.tell(("join-room", namespace, room, socket));
    }

    fn room_left(&self, namespace: &str, room: &str, socket: SocketId) {
        self.tell(("leave-room", namespace, room, socket));
    }

    fn room_deleted(&self, namespace: &str, room: &str) {
        self.tell(("delete-room", namespace, room));
    }

    fn connection_error(&self, error: &ConnectionError<'_>) {
        let mark = error.headers.get("x-mark").and_then(|mark| mark.to_str().ok());
        let request = (error.method.as_str(), error.uri.to_string());
        self.tell(("connection_error", mark, error.code, error.message, request));
    }

    fn upgraded(&self, sockets: &[SocketId]) {
        let mut ids: Vec<_> = sockets.iter().map(ToString::to_string).collect();
        ids.sort_unstable();
        self.tell(("upgrade", ids));
    }
}

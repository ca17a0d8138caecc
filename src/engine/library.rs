//! The library's side of a socket. It decides: which namespaces there are, who is let in, which handlers run. It is
//! driven as an in-memory client of long polling, and only for that: a GET opens its session, and POSTs carry CONNECT
//! and, as soon as that is decided, the end. What it would send is never fetched: the connect handlers say what becomes
//! of CONNECT, and everything else is written by the engine.

use std::sync::{Arc, LazyLock, OnceLock};

use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use http::{Method, Request, Uri};
use http_body_util::Full;

use super::{
    connection::{Admission, Connection},
    socket::Socket,
};
use crate::model::SocketId;

/// The library: a service that answers requests. `None` where it fails.
pub(crate) type Library = Box<dyn Fn(Request<Full<Bytes>>) -> BoxFuture<'static, Option<Bytes>> + Send + Sync>;

/// The engine's socket behind a socket of the library, as an extension of the request that opened it.
#[derive(Clone, Default)]
pub(crate) struct EngineSide(Arc<OnceLock<(Arc<Socket>, Admission)>>);

impl EngineSide {
    pub(crate) fn socket(&self) -> Option<&Arc<Socket>> {
        self.0.get().map(|(socket, _)| socket)
    }
}

/// A session of the library, open until CONNECT is decided on.
pub(super) struct LibrarySession {
    sid: SocketId,
}

#[derive(serde::Deserialize)]
struct Open {
    sid: SocketId,
}

impl LibrarySession {
    /// Opens one. Its id is that of its sockets.
    pub(super) fn open(library: &Library, engine_side: &EngineSide) -> Option<Self> {
        static URI: LazyLock<Uri> = LazyLock::new(|| Uri::from_static("/socket.io/?EIO=4&transport=polling"));
        let mut request = request(Method::GET, URI.clone(), String::new());
        request.extensions_mut().insert(engine_side.clone());
        let answer = library(request).now_or_never().flatten()?;
        let open: Open = serde_json::from_slice(answer.strip_prefix(b"0")?).ok()?;
        Some(Self { sid: open.sid })
    }

    pub(super) fn sid(&self) -> SocketId {
        self.sid
    }

    /// CONNECT: what becomes of it, the connect handlers say.
    pub(super) fn connect(&self, library: &Library, namespace: &str, auth: &str) {
        self.post(library, if namespace == "/" { format!("40{auth}") } else { format!("40{namespace},{auth}") });
    }

    /// Nothing is left to decide: the session is over.
    pub(super) fn close(&self, library: &Library) {
        self.post(library, "1".to_owned());
    }

    fn post(&self, library: &Library, packet: String) {
        let uri = format!("/socket.io/?EIO=4&transport=polling&sid={}", self.sid);
        let uri = Uri::try_from(uri).expect("a path of our own");
        let mut answer = library(request(Method::POST, uri, packet));
        // It waits for nothing: the body is there, and handlers run in tasks of their own.
        if (&mut answer).now_or_never().is_none() {
            tokio::spawn(answer);
        }
    }
}

impl EngineSide {
    /// Until the library has dropped it, its connection has one undecided CONNECT more.
    pub(super) fn set(&self, socket: &Arc<Socket>, connection: &Arc<Connection>) {
        assert!(self.0.set((socket.clone(), connection.admission())).is_ok(), "it is set once");
    }
}

fn request(method: Method, uri: Uri, body: String) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::from(body));
    (*request.method_mut(), *request.uri_mut()) = (method, uri);
    request
}

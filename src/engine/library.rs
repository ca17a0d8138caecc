//! Calls socketioxide ("the library"), which runs connect middleware and connect handlers. In the library,
//! all clients join the same namespace. The connect handlers read from the engine's socket which of the server's
//! namespaces the client asks for.
//!
//! For each CONNECT, the engine acts as an in-memory long-polling client of socketioxide. A GET opens a session, one
//! POST sends CONNECT, and a second POST closes the session when CONNECT has been accepted or refused. The engine never
//! polls socketioxide for packets: the connect handlers call the engine, and the engine writes every packet itself.

use std::sync::LazyLock;

use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use http::{Method, Request, Uri};
use http_body_util::Full;

use crate::model::SocketId;

/// socketioxide as an in-memory HTTP service: takes a request, returns the response body. `None` if the request fails.
pub(crate) type Library = Box<dyn Fn(Request<Full<Bytes>>) -> BoxFuture<'static, Option<Bytes>> + Send + Sync>;

/// A session of socketioxide. It is closed when CONNECT has been accepted or refused.
pub(super) struct LibrarySession {
    sid: SocketId,
}

/// The payload of an Engine.IO OPEN packet.
#[derive(serde::Deserialize)]
struct Open {
    sid: SocketId,
}

impl LibrarySession {
    /// Opens a session. Connect handlers can read `extension` from the extensions of the request.
    pub(super) fn open(library: &Library, extension: impl Clone + Send + Sync + 'static) -> Option<Self> {
        static URI: LazyLock<Uri> = LazyLock::new(|| Uri::from_static("/socket.io/?EIO=4&transport=polling"));
        let mut request = request(Method::GET, URI.clone(), String::new());
        request.extensions_mut().insert(extension);
        let answer = library(request).now_or_never().flatten()?;
        let open: Open = serde_json::from_slice(answer.strip_prefix(b"0")?).ok()?;
        Some(Self { sid: open.sid })
    }

    /// A session of an earlier process, which was closed there.
    pub(super) fn closed(sid: SocketId) -> Self {
        Self { sid }
    }

    /// The session's id, which is also the id of the engine's `Socket`.
    pub(super) fn sid(&self) -> SocketId {
        self.sid
    }

    /// Sends CONNECT, which the connect handler then accepts or refuses.
    pub(super) fn connect(&self, library: &Library, auth: &str) {
        self.post(library, format!("40{auth}"));
    }

    /// Closes the session.
    pub(super) fn close(&self, library: &Library) {
        self.post(library, "1".to_owned());
    }

    fn post(&self, library: &Library, packet: String) {
        let uri = format!("/socket.io/?EIO=4&transport=polling&sid={}", self.sid);
        let uri = Uri::try_from(uri).expect("a path of our own");
        let mut answer = library(request(Method::POST, uri, packet));
        // Normally ready at the first poll: the request body is in memory, and handlers run in their own tasks.
        if (&mut answer).now_or_never().is_none() {
            tokio::spawn(answer);
        }
    }
}

fn request(method: Method, uri: Uri, body: String) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::from(body));
    (*request.method_mut(), *request.uri_mut()) = (method, uri);
    request
}

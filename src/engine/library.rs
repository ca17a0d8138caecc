//! The library (`socketioxide`), as far as the engine drives it: it knows the namespaces and runs their connect
//! middleware and connect handlers.
//!
//! It is driven as an in-memory client of long polling: a GET opens a session, one POST carries CONNECT, and another
//! one closes the session as soon as CONNECT is decided on. Nothing is fetched from it: the connect handlers tell the
//! engine what to answer, and the engine writes every packet itself.

use std::sync::LazyLock;

use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use http::{Method, Request, Uri};
use http_body_util::Full;

use crate::model::SocketId;

/// The library: a service that answers requests. `None` where it fails.
pub(crate) type Library = Box<dyn Fn(Request<Full<Bytes>>) -> BoxFuture<'static, Option<Bytes>> + Send + Sync>;

/// A session of the library, open until CONNECT is decided on.
pub(super) struct LibrarySession {
    sid: SocketId,
}

/// OPEN's payload.
#[derive(serde::Deserialize)]
struct Open {
    sid: SocketId,
}

impl LibrarySession {
    /// Opens a session. The connect handlers find `extension` among the extensions of the request.
    pub(super) fn open(library: &Library, extension: impl Clone + Send + Sync + 'static) -> Option<Self> {
        static URI: LazyLock<Uri> = LazyLock::new(|| Uri::from_static("/socket.io/?EIO=4&transport=polling"));
        let mut request = request(Method::GET, URI.clone(), String::new());
        request.extensions_mut().insert(extension);
        let answer = library(request).now_or_never().flatten()?;
        let open: Open = serde_json::from_slice(answer.strip_prefix(b"0")?).ok()?;
        Some(Self { sid: open.sid })
    }

    /// Its id, which is that of its socket too.
    pub(super) fn sid(&self) -> SocketId {
        self.sid
    }

    /// Sends CONNECT. The connect handlers decide on it.
    pub(super) fn connect(&self, library: &Library, namespace: &str, auth: &str) {
        self.post(library, if namespace == "/" { format!("40{auth}") } else { format!("40{namespace},{auth}") });
    }

    /// Closes the session.
    pub(super) fn close(&self, library: &Library) {
        self.post(library, "1".to_owned());
    }

    fn post(&self, library: &Library, packet: String) {
        let uri = format!("/socket.io/?EIO=4&transport=polling&sid={}", self.sid);
        let uri = Uri::try_from(uri).expect("a path of our own");
        let mut answer = library(request(Method::POST, uri, packet));
        // Ready at once: the body is there, and handlers run in tasks of their own.
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

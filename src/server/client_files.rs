//! Serves the official client's files, which are built into the binary, at the same paths as Node's `serveClient`.

use axum::{
    Router,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{
    HeaderMap, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, X_CONTENT_TYPE_OPTIONS},
};
use rust_embed::RustEmbed;
use tower_http::compression::CompressionLayer;

use super::negotiation;

#[derive(RustEmbed)]
#[folder = "client-demo/node_modules/socket.io-client/dist"]
#[allow_missing = true]
struct Files;

/// The version of socket.io-client, from its package. `None` if the package was not installed at build time.
const VERSION: Option<&str> = option_env!("SOCKET_IO_CLIENT_VERSION");

/// `CLIENT_FILES` of socket.io 4.
const NAMES: [&str; 8] = [
    "socket.io.esm.min.js",
    "socket.io.esm.min.js.map",
    "socket.io.js",
    "socket.io.js.map",
    "socket.io.min.js",
    "socket.io.min.js.map",
    "socket.io.msgpack.min.js",
    "socket.io.msgpack.min.js.map",
];

const NOT_BUILT: &str = "The official client is not part of this build: run npm ci in client-demo and build the server again, \
or install socket.io-client from npm.\n";

/// `<path>/socket.io.js` and its siblings, for GET and HEAD, compressed if the client accepts it. All other paths below
/// `path` belong to Engine.IO.
pub(super) fn routes(path: &str) -> Router {
    let serve = |name| get(move |headers: HeaderMap| std::future::ready(file(name, &headers)));
    NAMES
        .into_iter()
        .fold(Router::new(), |router, name| router.route(&format!("{path}/{name}"), serve(name)))
        .layer(CompressionLayer::new())
}

fn file(name: &'static str, headers: &HeaderMap) -> Response {
    let (Some(version), Some(file)) = (VERSION, Files::get(name)) else {
        return (StatusCode::NOT_FOUND, NOT_BUILT).into_response();
    };
    let etag = format!("\"{version}\"");
    let validity = [(ETAG, etag.as_str()), (CACHE_CONTROL, "public, max-age=0")];
    if negotiation::has(headers, &etag) {
        return (StatusCode::NOT_MODIFIED, validity).into_response();
    }
    let content_type = if name.ends_with(".map") {
        "application/json; charset=utf-8"
    } else {
        "application/javascript; charset=utf-8"
    };
    (validity, [(CONTENT_TYPE, content_type), (X_CONTENT_TYPE_OPTIONS, "nosniff")], file.data).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use http::{
        Method, Request,
        header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, HeaderName, IF_NONE_MATCH, VARY},
    };
    use tower::ServiceExt;

    use super::*;

    async fn answer(method: Method, path: &str, headers: &[(HeaderName, &str)]) -> Response {
        let request = Request::builder().method(method).uri(path);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(name, *value));
        routes("/socket.io").oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    async fn body(response: Response) -> Vec<u8> {
        to_bytes(response.into_body(), usize::MAX).await.unwrap().into()
    }

    fn header(response: &Response, name: HeaderName) -> &str {
        response.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The version, if this build has the files.
    fn built() -> Option<&'static str> {
        VERSION.filter(|_| Files::get("socket.io.js").is_some())
    }

    #[tokio::test]
    async fn every_file_is_served_or_the_response_says_how_to_build_it() {
        for name in NAMES {
            let response = answer(Method::GET, &format!("/socket.io/{name}"), &[]).await;
            let Some(version) = built() else {
                assert_eq!(response.status(), StatusCode::NOT_FOUND);
                assert_eq!(body(response).await, NOT_BUILT.as_bytes());
                continue;
            };
            assert_eq!(response.status(), StatusCode::OK, "{name}");
            assert_eq!(header(&response, ETAG), format!("\"{version}\""));
            assert_eq!(header(&response, CACHE_CONTROL), "public, max-age=0");
            let kind = if name.ends_with(".map") { "json" } else { "javascript" };
            assert_eq!(header(&response, CONTENT_TYPE), format!("application/{kind}; charset=utf-8"));
            assert_eq!(body(response).await, &*Files::get(name).unwrap().data);
        }
    }

    #[tokio::test]
    async fn a_client_that_has_this_version_gets_304() {
        let Some(version) = built() else { return };
        let (etag, other) = (format!("\"{version}\""), "\"0.0.0\"".to_owned());
        for known in [etag.clone(), format!("W/{etag}"), format!("{other}, W/{etag}")] {
            let response = answer(Method::GET, "/socket.io/socket.io.js", &[(IF_NONE_MATCH, &known)]).await;
            assert_eq!((response.status(), header(&response, ETAG)), (StatusCode::NOT_MODIFIED, &*etag));
            assert!(body(response).await.is_empty());
        }
        for unknown in [other, version.to_owned()] {
            let response = answer(Method::GET, "/socket.io/socket.io.js", &[(IF_NONE_MATCH, &unknown)]).await;
            assert_eq!(response.status(), StatusCode::OK);
        }
    }

    #[tokio::test]
    async fn the_encoding_is_one_that_the_client_accepts() {
        let Some(version) = built() else { return };
        let whole = Files::get("socket.io.js").unwrap().data.len();
        let accepted = [
            ("br", "br"),
            ("gzip", "gzip"),
            ("deflate", "deflate"),
            ("gzip, deflate, br", "br"),
            ("br;q=0, gzip", "gzip"),
        ];
        for (accept, encoding) in accepted {
            let response = answer(Method::GET, "/socket.io/socket.io.js", &[(ACCEPT_ENCODING, accept)]).await;
            assert_eq!(header(&response, CONTENT_ENCODING), encoding);
            assert_eq!(
                (header(&response, VARY), header(&response, ETAG)),
                ("accept-encoding", &*format!("\"{version}\""))
            );
            assert!(body(response).await.len() < whole / 3);
        }
    }

    #[tokio::test]
    async fn head_answers_without_the_file() {
        let Some(version) = built() else { return };
        let response = answer(Method::HEAD, "/socket.io/socket.io.min.js", &[]).await;
        assert_eq!((response.status(), header(&response, ETAG)), (StatusCode::OK, &*format!("\"{version}\"")));
        assert_eq!(header(&response, CONTENT_LENGTH), Files::get("socket.io.min.js").unwrap().data.len().to_string());
        assert!(body(response).await.is_empty());
    }

    #[tokio::test]
    async fn other_names_are_not_served() {
        for path in ["/socket.io/", "/socket.io/socket.io.d.ts", "/socket.io/socket.io.js/", "/socket.io.js"] {
            let response = answer(Method::GET, path, &[]).await;
            assert_eq!(response.status(), StatusCode::NOT_FOUND);
            assert!(body(response).await.is_empty(), "{path} is not a route of ours");
        }
    }
}

//! The application's functions around requests: `Server::allow_request` and `Server::response_headers`.

use axum::http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use sockeye::{Config, Handshake, Server};

use crate::{
    client::Client,
    harness::{TestServer, get},
};

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";
const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";
/// What a WebSocket handshake needs.
const UPGRADE: [(&str, &str); 3] =
    [("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")];

async fn allow(request: Handshake) -> Result<(), String> {
    tokio::task::yield_now().await;
    match request.header("x-api-key") {
        Some("secret") => Ok(()),
        Some("broken") => panic!("the look-up has failed"),
        key => Err(format!("no key: {key:?}")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_application_refuses_connections_as_nodes_allow_request() {
    let plain = |_| {
        let mut config = Config::bare();
        config.ws.paths = vec!["/ws".to_owned()];
        Server::bare(config).allow_request(allow)
    };
    let server = TestServer::with(|_| (), plain).await;
    for (key, message) in [("none", "no key: Some(\"none\")"), ("broken", "the server failed")] {
        let refused = server.get(POLLING, &[("x-api-key", key)]).await;
        assert_eq!(refused.status, 403);
        assert_eq!(serde_json::from_str::<Value>(&refused.body).unwrap(), json!({ "code": 4, "message": message }));
        let upgrade = [UPGRADE[0], UPGRADE[1], UPGRADE[2], ("Connection", "Upgrade"), ("x-api-key", key)];
        let refused = server.get(WEBSOCKET, &upgrade).await;
        assert_eq!((refused.status, &*refused.body), (400, message));
        assert_eq!(server.get("/ws", &upgrade).await.status, 403);
    }
    let opened = server.get(POLLING, &[("x-api-key", "secret")]).await;
    assert_eq!(opened.status, 200);
    // Only new connections are asked for: the next request of this one has no key.
    let open: Value = serde_json::from_str(opened.body.strip_prefix('0').unwrap()).unwrap();
    let body = format!("{POLLING}&sid={}", open["sid"].as_str().unwrap());
    assert_eq!(crate::harness::request(server.address, "POST", &body, &[("Content-Length", "0")]).await.status, 200);
    let mut ada = Client::open(server.address, "", &[("x-api-key", "secret")]).await.unwrap();
    assert_eq!(ada.connect("", &json!({})).await, Ok(()));
}

fn change(headers: &mut HeaderMap, request: &Handshake) {
    let is_first = request.query("sid").is_none();
    headers.insert("x-first", HeaderValue::from_static(if is_first { "yes" } else { "no" }));
    headers.append("x-agent", request.header("user-agent").unwrap_or("none").parse().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_application_changes_the_headers_of_responses() {
    let server = TestServer::with(|_| (), |_| Server::bare(Config::bare()).response_headers(change)).await;
    let opened = get(server.address, POLLING, &[("User-Agent", "Tester")]).await;
    assert!(opened.head.contains("\r\nx-first: yes") && opened.head.contains("\r\nx-agent: tester"), "{}", opened.head);
    let open: Value = serde_json::from_str(opened.body.strip_prefix('0').unwrap()).unwrap();
    let path = format!("{POLLING}&sid={}", open["sid"].as_str().unwrap());
    let posted = crate::harness::request(server.address, "POST", &path, &[("Content-Length", "0")]).await;
    assert!(posted.head.contains("\r\nx-first: no"), "{}", posted.head);
    // A long handshake is read by hyper, a short one before it.
    for padding in [1, 10_000] {
        let headers = [("x-padding", &*"x".repeat(padding))];
        let head = Client::response_head(server.address, &headers).await;
        assert_eq!(head.get("x-first").unwrap(), "yes", "{padding}");
        assert_eq!(head.get("upgrade").unwrap(), "websocket", "{padding}");
    }
}

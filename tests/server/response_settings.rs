//! The settings of transports, of the session's cookie, and of CORS.

use std::time::Duration;

use serde_json::{Value, json};
use sockeye::config::{SameSite, TransportKind};

use crate::{
    client::Client,
    harness::{Answer, TestServer, request},
};

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transport_that_is_not_in_the_settings_is_unknown() {
    let only = |kind| TestServer::configured(move |config| config.server.transports = vec![kind]);
    let unknown = json!({ "code": 0, "message": "Transport unknown" });

    let server = only(TransportKind::WebSocket).await;
    let refused = server.get(POLLING, &[]).await;
    assert_eq!((refused.status, serde_json::from_str(&refused.body).unwrap()), (400, unknown));
    Client::named(server.address, "Ada").await;

    let server = only(TransportKind::Polling).await;
    assert_eq!(Client::open(server.address, "", &[]).await.err(), Some(400));
    let opened = server.get(POLLING, &[]).await;
    let open: Value = serde_json::from_str(opened.body.strip_prefix('0').unwrap()).unwrap();
    assert_eq!(open["upgrades"], json!([]));
    let path = format!("/socket.io/?EIO=4&transport=websocket&sid={}", open["sid"].as_str().unwrap());
    assert_eq!(server.get(&path, &[]).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_response_of_polling_sets_the_sessions_cookie() {
    let server = TestServer::configured(|config| {
        config.cookie.name = "io".to_owned();
        config.cookie.max_age = Duration::from_secs(60);
        config.cookie.same_site = SameSite::Strict;
        config.cookie.secure = true;
    })
    .await;
    let opened = server.get(POLLING, &[]).await;
    let open: Value = serde_json::from_str(opened.body.strip_prefix('0').unwrap()).unwrap();
    let sid = open["sid"].as_str().unwrap();
    let wanted = format!("io={sid}; max-age=60; path=/; httponly; secure; samesite=strict").to_lowercase();
    assert_eq!(header(&opened, "set-cookie"), Some(&*wanted));
    let posted = request(server.address, "POST", &format!("{POLLING}&sid={sid}"), &[("Content-Length", "0")]).await;
    assert_eq!((posted.status, header(&posted, "set-cookie")), (200, None));
    assert!(Client::response_head(server.address, &[]).await.get("set-cookie").is_none());

    let server = TestServer::start().await;
    assert_eq!(header(&server.get(POLLING, &[]).await, "set-cookie"), None, "there is none unless it is named");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_headers_of_cors_are_settings() {
    let page = "http://localhost:5173";
    let preflight =
        [("Origin", page), ("Access-Control-Request-Method", "GET"), ("Access-Control-Request-Headers", "x-own")];
    let server = TestServer::start().await;
    let answer = request(server.address, "OPTIONS", POLLING, &preflight).await;
    assert_eq!(answer.status, 204);
    assert_eq!(header(&answer, "access-control-allow-methods"), Some("get,post,put,patch,delete"));
    assert_eq!(header(&answer, "access-control-allow-headers"), Some("x-own"));
    assert_eq!(header(&answer, "access-control-allow-credentials"), Some("true"));
    assert_eq!(header(&answer, "access-control-max-age"), None);
    let answer = server.get(POLLING, &[("Origin", page)]).await;
    assert_eq!(header(&answer, "access-control-expose-headers"), Some("retry-after,x-request-id"));

    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let server = TestServer::configured(|config| {
        config.cors.methods = texts(&["GET", "POST"]);
        config.cors.allowed_headers = texts(&["Authorization"]);
        config.cors.exposed_headers = texts(&["X-Own"]);
        config.cors.credentials = false;
        config.cors.max_age = Duration::from_secs(600);
    })
    .await;
    let answer = request(server.address, "OPTIONS", POLLING, &preflight).await;
    assert_eq!(header(&answer, "access-control-allow-methods"), Some("get,post"));
    assert_eq!(header(&answer, "access-control-allow-headers"), Some("authorization"));
    assert_eq!(header(&answer, "access-control-allow-credentials"), None);
    assert_eq!(header(&answer, "access-control-max-age"), Some("600"));
    let answer = server.get(POLLING, &[("Origin", page)]).await;
    assert_eq!(header(&answer, "access-control-expose-headers"), Some("x-own"));
}

#[tokio::test]
async fn settings_that_are_no_headers_are_refused() {
    let mut config = sockeye::Config::default();
    config.cors.methods.push("GET IT".to_owned());
    config.cors.exposed_headers.push("a b".to_owned());
    config.cookie.name = "a;b".to_owned();
    config.cookie.path = "here".to_owned();
    config.server.transports.clear();
    let mistakes = config.check().unwrap_err().to_string();
    for key in ["cors.methods", "cors.exposed-headers", "cookie.name", "cookie.path", "server.transports"] {
        assert!(mistakes.contains(key), "{key}: {mistakes}");
    }
}

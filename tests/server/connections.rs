//! TCP connections, independent of the protocol on them.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
};

use serde_json::json;
use sha2::{Digest, Sha256};
use sockeye::config::{Key, Scope};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
};

use crate::{
    client::Client,
    harness::{Binary, TestServer, get, soon},
};

/// Opens a connection from this loopback address.
async fn connect(from: u8, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((IpAddr::V4(Ipv4Addr::new(127, 0, 0, from)), 0).into()).unwrap();
    soon(socket.connect(to)).await.unwrap()
}

/// Requests `/health` and keeps the connection. `None` if it was closed.
async fn ask(stream: &mut TcpStream, headers: &str) -> Option<u16> {
    let request = format!("GET /health HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    while !answer.windows(4).any(|bytes| bytes == b"\r\n\r\n") || !answer.ends_with(b"\n") {
        if soon(stream.read_buf(&mut answer)).await.ok()? == 0 {
            return None;
        }
    }
    String::from_utf8(answer).unwrap().split(' ').nth(1)?.parse().ok()
}

/// The binary with this limit of open files.
async fn with_files(files: u32, data: &Path, settings: &[&str]) -> Binary {
    Binary::serve_in(&format!("ulimit -n {files}"), data, settings).await
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_at_the_limit_are_closed_for_new_ones() {
    let data = tempfile::tempdir().unwrap();
    let server = with_files(256, data.path(), &[]).await;
    let address = server.address;
    let mut crowd = Vec::new();
    for _ in 0..300 {
        let mut stream = connect(1, address).await;
        assert_eq!(ask(&mut stream, "").await, Some(200), "the newest one is served");
        crowd.push(stream);
    }
    // New clients, also from the same address, and idle ones that reconnect.
    assert_eq!(ask(&mut connect(2, address).await, "").await, Some(200));
    assert_eq!(get(address, "/ready", &[]).await.status, 200);
    let mut ada = Client::named(address, "Ada").await;
    let mut open = 0;
    for stream in &mut crowd {
        open += usize::from(ask(stream, "").await.is_some());
    }
    assert!((100..256).contains(&open), "{open} have stayed");
    ada.done("send-message", json!({ "text": "still here" })).await;
    let log = server.log();
    assert!(log.contains("limits.connections is 100000, but this process may have 256 files open"), "{log}");
    assert!(!log.contains("could not be accepted"), "{log}");
    server.kill_9().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_and_half_requests_are_closed_for_new_ones() {
    let data = tempfile::tempdir().unwrap();
    let server = with_files(256, data.path(), &[]).await;
    let mut crowd = Vec::new();
    for number in 0..400_u16 {
        let mut stream = connect(1 + (number % 4) as u8, server.address).await;
        if number % 2 == 0 {
            // The server may have closed it.
            drop(stream.write_all(b"GET /health HTTP/1.1\r\nHost: ").await);
        }
        crowd.push(stream);
    }
    let mut ada = Client::named(server.address, "Ada").await;
    ada.done("send-message", json!({ "text": "served" })).await;
    assert_eq!(ask(&mut connect(9, server.address).await, "").await, Some(200));
    server.kill_9().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_requests_from_one_address_do_not_delay_other_addresses() {
    let half = "GET / HTTP/1.1\r\n";
    let whole = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n";
    for flood in [half.to_owned(), format!("{whole}{half}")] {
        let data = tempfile::tempdir().unwrap();
        let server = with_files(96, data.path(), &[]).await;
        let mut crowd = Vec::new();
        // Far more than may be open at once. The rest wait in the listen backlog, with the bystander behind them.
        for _ in 0..900 {
            let mut stream = connect(1, server.address).await;
            // The server may have closed it.
            drop(stream.write_all(flood.as_bytes()).await);
            crowd.push(stream);
        }
        for _ in 0..10 {
            assert_eq!(ask(&mut connect(9, server.address).await, "").await, Some(200));
        }
        server.kill_9().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_with_only_busy_connections_gets_503_and_others_are_served() {
    for is_proxied in [false, true] {
        an_address_has_its_share(is_proxied).await;
    }
}

/// Behind a proxy all connections come from one address, and the proxy forwards the client's.
async fn an_address_has_its_share(is_proxied: bool) {
    let peer = |client: u8| if is_proxied { 1 } else { client };
    let forwarded = |client: u8| format!("X-Forwarded-For: 203.0.113.{client}\r\n");
    let server = TestServer::configured(|config| {
        config.limits.sockets_per_address = 1;
        config.server.trusted_proxies = is_proxied.then(|| "127.0.0.1/32".parse().unwrap()).into_iter().collect();
        config.api.requests_per_second = 0;
        let hash = hex::encode(Sha256::digest("sk_key"));
        config.key.insert("test".to_owned(), Key::new(hash, [Scope::Everything]));
    })
    .await;
    // Requests whose bodies never arrive: two per connection that this limit admits or refuses.
    let head = format!(
        "POST /api/events HTTP/1.1\r\nHost: a\r\n{}Authorization: Bearer sk_key\r\nContent-Type: application/json\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n",
        forwarded(1)
    );
    let mut waiting = Vec::new();
    for _ in 0..2 * (1 + 100) {
        let mut stream = connect(peer(1), server.address).await;
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        soon(stream.read_exact(&mut answer)).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 100", "the body is waited for");
        waiting.push(stream);
    }
    let mut refused = String::new();
    let mut stream = connect(peer(1), server.address).await;
    let request = format!("GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{}\r\n", forwarded(1));
    stream.write_all(request.as_bytes()).await.unwrap();
    soon(stream.read_to_string(&mut refused)).await.unwrap();
    assert!(refused.starts_with("HTTP/1.1 503") && refused.to_lowercase().contains("retry-after: 1"), "{refused}");
    assert!(refused.contains("too many connections from this address (limits.sockets-per-address)"), "{refused}");
    assert_eq!(ask(&mut connect(peer(2), server.address).await, &forwarded(2)).await, Some(200));
    drop(waiting);
    soon(async { while ask(&mut connect(peer(1), server.address).await, &forwarded(1)).await != Some(200) {} }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_open_file_limit_is_raised_to_the_hard_limit() {
    let data = tempfile::tempdir().unwrap();
    let script = "ulimit -Sn 300 && ulimit -Hn 2000";
    let server = Binary::serve_in(script, data.path(), &["limits.connections=1000"]).await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.child.id().unwrap())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(line.split_whitespace().nth(3), Some("2000"), "{line}");
    assert!(!server.log().contains("limits.connections is"), "1,000 connections have room in 2,000 files");
    server.kill_9().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_served_while_the_connection_limit_is_reached() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let metrics = listener.local_addr().unwrap();
    let _server = TestServer::with(|_| (), |server| server.metrics_on(listener)).await;
    let mut crowd = Vec::new();
    for _ in 0..100 {
        crowd.push(connect(1, metrics).await);
    }
    assert_eq!(get(metrics, "/metrics", &[]).await.status, 200);
    let mut open = 0;
    for stream in &mut crowd {
        open += usize::from(ask(stream, "").await.is_some());
    }
    assert!(open <= 12, "{open} have stayed");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_websocket_is_counted_until_it_closes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let metrics = listener.local_addr().unwrap();
    let server = TestServer::with(|_| (), |server| server.metrics_on(listener)).await;
    let counts = async |number: usize| {
        let line = format!("sockeye_tcp_connections {number}\n");
        soon(async { while !get(metrics, "/metrics", &[]).await.body.contains(&line) {} }).await;
    };
    let upgrade = "HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
    let (at_once, plain) = ("GET /socket.io/?EIO=4&transport=websocket ", "GET /ws ");
    for (pieces, path) in [(1, at_once), (2, at_once), (1, plain)] {
        let mut stream = connect(1, server.address).await;
        let request = format!("{path}{upgrade}");
        let middle = request.len() / pieces;
        stream.write_all(&request.as_bytes()[..middle]).await.unwrap();
        // The first part is processed before the second one is sent.
        counts(1).await;
        stream.write_all(&request.as_bytes()[middle..]).await.unwrap();
        let mut answer = [0; 12];
        soon(stream.read_exact(&mut answer)).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 101");
        // From here on the connection is no HTTP connection any more.
        for _ in 0..20 {
            counts(1).await;
        }
        drop(stream);
        counts(0).await;
    }
}

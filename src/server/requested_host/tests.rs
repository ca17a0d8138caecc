//! Tests of the requested host and of the origins that it serves.

use http::{HeaderName, HeaderValue};

use super::*;

/// The host of a request from a trusted proxy with these headers.
fn proxied(headers: &[(&'static str, &'static str)]) -> Option<RequestedHost> {
    RequestedHost::of(true, &map(headers))
}

fn map(headers: &[(&'static str, &'static str)]) -> HeaderMap {
    let header =
        |(name, value): &(&'static str, &'static str)| (HeaderName::from_static(name), HeaderValue::from_static(value));
    headers.iter().map(header).collect()
}

fn direct(host: &'static str) -> RequestedHost {
    RequestedHost::of(false, &map(&[("host", host)])).unwrap()
}

fn serves(host: &RequestedHost, origin: &'static str) -> bool {
    SentOrigin::parse(&HeaderValue::from_static(origin)).is_some_and(|origin| host.serves(&origin))
}

#[test]
fn default_ports_count_as_omitted() {
    for host in ["chat.example", "chat.example:80", "chat.example:443", "Chat.Example", "chat.example:"] {
        for origin in
            ["https://chat.example", "http://chat.example", "https://chat.example:443", "http://chat.example:443"]
        {
            assert!(serves(&direct(host), origin), "{host} {origin}");
        }
        for origin in ["https://chat.example:8443", "https://example", "https://chat.example.evil", "null"] {
            assert!(!serves(&direct(host), origin), "{host} {origin}");
        }
    }
    assert!(serves(&direct("[::1]:8000"), "http://[::1]:8000"));
    assert!(!serves(&direct("[::1]:8000"), "http://[::1]"));
}

#[test]
fn only_origins_with_http_or_https_are_served() {
    for scheme in ["ftp", "capacitor", "file", "ws", "wss", "chrome-extension"] {
        let origin = HeaderValue::from_str(&format!("{scheme}://chat.example")).unwrap();
        assert!(!direct("chat.example").serves(&SentOrigin::parse(&origin).unwrap()), "{scheme}");
    }
}

#[test]
fn the_first_of_several_forwarded_values_is_used() {
    let host = proxied(&[
        ("host", "sockeye:8000"),
        ("x-forwarded-host", "chat.example, inner.example"),
        ("x-forwarded-proto", "https,http"),
        ("x-forwarded-port", "8443, 8000"),
    ])
    .unwrap();
    assert!(serves(&host, "https://chat.example:8443"));
    for origin in ["https://inner.example", "http://sockeye:8000", "http://chat.example:8443"] {
        assert!(!serves(&host, origin), "{origin}");
    }
    assert_eq!(host.to_string(), "https://chat.example:8443");
    let empty = proxied(&[("host", "chat.example"), ("x-forwarded-host", " , ")]).unwrap();
    assert!(serves(&empty, "https://chat.example"));
}

#[test]
fn a_forwarded_port_is_used_for_a_host_without_a_port() {
    let elsewhere = [("host", "chat.example:9000"), ("x-forwarded-proto", "http"), ("x-forwarded-port", "8443")];
    assert!(serves(&proxied(&elsewhere).unwrap(), "http://chat.example:9000"));
    assert!(!serves(&proxied(&elsewhere).unwrap(), "http://chat.example:8443"));
    let dropped = proxied(&[("host", "chat.example"), ("x-forwarded-for", "1.2.3.4"), ("x-forwarded-port", "8443")]);
    for origin in ["https://chat.example:8443", "https://chat.example"] {
        assert!(serves(dropped.as_ref().unwrap(), origin), "{origin}");
    }
    assert!(!serves(dropped.as_ref().unwrap(), "https://chat.example:9443"));
}

#[test]
fn an_http_origin_is_refused_if_the_client_uses_https() {
    for proto in ["https", "HTTPS", "wss", "https, http"] {
        let host = proxied(&[("host", "chat.example"), ("x-forwarded-proto", proto)]).unwrap();
        assert!(serves(&host, "https://chat.example") && !serves(&host, "http://chat.example"), "{proto}");
    }
    for proto in ["http", "ws", "gopher", ""] {
        let host = proxied(&[("host", "chat.example"), ("x-forwarded-proto", proto)]).unwrap();
        assert!(serves(&host, "https://chat.example") && serves(&host, "http://chat.example"), "{proto}");
    }
}

#[test]
fn forwarding_headers_are_used_only_from_trusted_proxies() {
    let headers = [
        ("host", "chat.example"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-port", "8443"),
    ];
    let host = RequestedHost::of(false, &map(&headers)).unwrap();
    assert_eq!(host, direct("chat.example"));
    for wrong in ["a:b:c", "::1", "chat.example:x", "chat.example:99999", "[::1"] {
        assert_eq!(RequestedHost::of(false, &map(&[("host", wrong)])), None, "{wrong}");
    }
    assert_eq!(RequestedHost::of(false, &HeaderMap::new()), None);
}

#[test]
fn on_a_loopback_address_only_its_names_and_the_configured_hosts_are_accepted() {
    let hosts = [HostPattern::parse("chat.test").unwrap(), HostPattern::parse("*.dev.test").unwrap()];
    for own in [
        "localhost:8000",
        "LOCALHOST",
        "localhost.",
        "app.localhost:1",
        "127.0.0.1:8000",
        "127.9.9.9",
        "[::1]:8000",
        "[::ffff:127.0.0.1]",
        "chat.test:8000",
        "Chat.Test",
        "a.dev.test",
    ] {
        assert!(direct(own).is_ours(true, &hosts), "{own}");
    }
    for foreign in [
        "evil.example:8000",
        "localhost.evil.example",
        "evillocalhost",
        "192.168.1.5:8000",
        "0.0.0.0",
        "[::]",
        "dev.test",
        "127.0.0.1.evil.example",
        "[::2]",
        "2130706433",
    ] {
        assert!(!direct(foreign).is_ours(true, &hosts), "{foreign}");
        assert!(direct(foreign).is_ours(false, &[]), "not on a loopback address");
    }
    let by_proxy = proxied(&[("host", "chat.example"), ("x-forwarded-for", "203.0.113.1")]).unwrap();
    assert!(by_proxy.is_ours(true, &[]));
    assert!(!by_proxy.is_ours(true, &hosts), "if hosts are configured, it must be one of them");
    assert!(by_proxy.is_ours(true, &[HostPattern::parse("chat.example").unwrap()]));
    assert!(!proxied(&[("host", "evil.example")]).unwrap().is_ours(true, &[]), "it came through no proxy");
}

//! Checks that no type can express: settings that contradict each other or cannot work on this machine.

mod auth;
mod http_headers;

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use super::{Config, ConfigErrors, Key, LimitsConfig, RelayTo, findings::Findings, log_level};
use crate::protocol;

/// Paths that the server uses itself.
const TAKEN: [&str; 4] = ["/health", "/ready", "/api", "/apps"];

impl Config {
    /// Checks all settings before any port or file is opened. Returns the warnings, or all mistakes.
    pub fn check(&self) -> Result<Vec<String>, ConfigErrors> {
        let mut findings = Findings::default();
        self.check_all(&mut findings);
        findings.or(()).map(|((), warnings)| warnings)
    }

    pub(super) fn check_all(&self, findings: &mut Findings) {
        self.check_addresses(findings);
        self.check_server(findings);
        http_headers::check(&self.cors, &self.cookie, findings);
        self.check_sizes(findings);
        self.check_relays(findings);
        self.retention.check(findings);
        self.check_keys(findings);
        self.check_pusher(findings);
        self.check_ws(findings);
        if let Some(complaint) = log_level::complaint(&self.log.level) {
            findings.wrong(&["log.level"], complaint);
        }
    }

    fn check_addresses(&self, findings: &mut Findings) {
        let address = resolve("server.listen", &self.server.listen, findings);
        auth::check(&self.auth, address, findings);
        if self.metrics.listen.is_empty() {
            return;
        }
        let metrics = resolve("metrics.listen", &self.metrics.listen, findings);
        if let (Some(address), Some(metrics)) = (address, metrics)
            && cannot_both_listen(address, metrics)
        {
            let sentence =
                format!("is {metrics}, which conflicts with server.listen ({address}): give it another port");
            findings.wrong(&["metrics.listen", "server.listen"], sentence);
        }
    }

    fn check_server(&self, findings: &mut Findings) {
        let path = self.server.path();
        if path.len() < 2 {
            findings.wrong(&["server.path"], "must be longer than \"/\", as in \"/socket.io\"");
        } else if let Some(sentence) = out_of_reach(path) {
            findings.wrong(&["server.path"], format!("is {path:?}: {sentence}"));
        } else if TAKEN.iter().any(|taken| is_within(path, taken)) || path == "/users" {
            // `/users` belongs to Pusher's API, for its Python library.
            findings.wrong(&["server.path"], format!("is {path:?}, where something else is served"));
        }
        if self.server.transports.is_empty() {
            findings.wrong(&["server.transports"], "must have \"polling\" or \"websocket\"");
        }
        if self.store.readers == 0 {
            findings.wrong(&["store.readers"], "must be at least 1");
        }
        if self.search.fields.iter().any(String::is_empty) {
            findings.wrong(&["search.fields"], "has an empty name");
        }
        let server = &self.server;
        for (key, time) in
            [("server.ping-interval", server.ping_interval), ("server.ping-timeout", server.ping_timeout)]
        {
            if time.is_zero() {
                findings.wrong(&[key], "must be longer than 0 s");
            }
        }
        // Node's options of the same names are in milliseconds.
        let times = [
            ("ping-interval", server.ping_interval),
            ("ping-timeout", server.ping_timeout),
            ("connect-timeout", server.connect_timeout),
            ("upgrade-timeout", server.upgrade_timeout),
        ];
        for (name, time) in times.into_iter().filter(|(_, time)| time.as_secs() >= 3_600) {
            findings.warn(format!(
                "server.{name} is {}: a number without a unit is seconds, not milliseconds",
                humantime::format_duration(time)
            ));
        }
    }

    fn check_sizes(&self, findings: &mut Findings) {
        let (kept, queued) = (self.recovery.bytes, LimitsConfig::or_none(self.limits.queued_bytes));
        if !self.recovery.window.is_zero() && kept > queued {
            findings.warn("recovery.bytes is more than limits.queued-bytes: a client that missed that much is dropped when it comes back");
        }
    }

    fn check_relays(&self, findings: &mut Findings) {
        for (event, relay) in &self.relay {
            let key = format!("relay.{event}");
            if event.is_empty() || protocol::is_reserved(event) {
                let sentence = "is an event of the server's own or of Socket.IO: give the relay another name";
                findings.wrong(&[&key], sentence);
                continue;
            }
            let keys = ["", ".to", ".field", ".argument"].map(|setting| format!("{key}{setting}"));
            let keys = keys.each_ref().map(String::as_str);
            let places = usize::from(relay.field.is_some()) + usize::from(relay.argument.is_some());
            match relay.to {
                RelayTo::Room | RelayTo::User if places != 1 => {
                    findings.wrong(
                        &keys,
                        "needs field or argument, and not both: they say where in the event the room or user is named",
                    );
                }
                RelayTo::Everyone | RelayTo::Others if places != 0 => {
                    let sentence = "goes to everybody: field and argument are for to = \"room\" or \"user\"";
                    findings.wrong(&keys, sentence);
                }
                _ => {}
            }
        }
    }

    fn check_keys(&self, findings: &mut Findings) {
        for (name, key) in &self.key {
            let setting = format!("key.{name}.hash");
            if key.hash.len() != 64 || hex::decode(&key.hash).is_err() {
                let sentence = "must be the SHA-256 of the key in hexadecimal: `sockeye api-key` prints it";
                findings.wrong(&[&setting], sentence);
                continue;
            }
            let hash = |key: &Key| key.hash.to_ascii_lowercase();
            let twin = self.key.iter().find(|(other, twin)| *other < name && hash(twin) == hash(key));
            if let Some((twin, _)) = twin {
                findings.wrong(&[&setting], format!("is the same as key.{twin}.hash: two keys must not share a hash"));
            }
        }
    }

    fn check_pusher(&self, findings: &mut Findings) {
        let pusher = &self.pusher;
        if !pusher.app_id.is_empty() && (pusher.key.is_empty() || pusher.secret.expose().is_empty()) {
            let keys = ["pusher.app-id", "pusher.key", "pusher.secret"];
            findings.wrong(&keys, "needs pusher.key and pusher.secret too");
        }
    }

    fn check_ws(&self, findings: &mut Findings) {
        let ws = &self.ws;
        let taken = TAKEN.iter().copied().chain([self.server.path()]);
        let mut complaints = Vec::new();
        for (place, path) in ws.paths.iter().enumerate() {
            if let Some(sentence) = out_of_reach(path) {
                complaints.push(format!("has {path:?}: {sentence}"));
            } else if taken.clone().any(|taken| is_within(path, taken)) {
                complaints.push(format!("has {path:?}: something else is served there"));
            } else if ws.paths[..place].contains(path) {
                complaints.push(format!("has {path:?} twice"));
            }
        }
        findings.each_wrong("ws.paths", complaints);
        if ws.ping_interval.is_zero() || ws.idle_timeout <= ws.ping_interval {
            let sentence = "must be longer than ws.ping-interval, and ws.ping-interval longer than 0 s";
            findings.wrong(&["ws.idle-timeout", "ws.ping-interval"], sentence);
        }
        if ws.text_event.is_empty() || protocol::RESERVED_BY_SOCKET_IO.contains(&&*ws.text_event) {
            findings.wrong(&["ws.text-event"], "must name an event, and none of Socket.IO's own");
        }
    }
}

/// The reason if no client can request this path. Clients normalize paths by the URL standard
/// (<https://url.spec.whatwg.org/#path-state>), and patterns are not supported.
fn out_of_reach(path: &str) -> Option<&'static str> {
    if !path.starts_with('/') {
        return Some("a path begins with a slash");
    }
    if path.contains(['{', '}', '*', ':']) {
        return Some("a path holds no pattern");
    }
    if path.contains(['?', '#']) {
        return Some("a path ends before ? and #");
    }
    let is_dots = |segment: &str| matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..");
    if path.split('/').any(is_dots) {
        return Some("clients take . and .. out of a path");
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()+,;=@%/".contains(&byte);
    if !path.bytes().all(is_plain) {
        return Some("clients percent-encode such characters: write it so, as in /caf%C3%A9");
    }
    let is_hex = |digits: &str| digits.get(..2).is_some_and(|two| two.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if path.split('%').skip(1).any(|after| !is_hex(after)) {
        return Some("after % there must be two hexadecimal digits");
    }
    None
}

fn is_within(path: &str, other: &str) -> bool {
    path.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn resolve(key: &str, text: &str, findings: &mut Findings) -> Option<SocketAddr> {
    let address = text.to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
    if address.is_none() {
        findings.wrong(&[key], format!("is {text:?}, which is no address and port as in \"127.0.0.1:8000\""));
    }
    address
}

/// Whether two listeners would conflict. `[::]` also takes the port on every IPv4 address.
fn cannot_both_listen(one: SocketAddr, other: SocketAddr) -> bool {
    let is_every = |every: IpAddr, address: IpAddr| every.is_unspecified() && (every.is_ipv6() || address.is_ipv4());
    let (first, second) = (one.ip(), other.ip());
    one.port() != 0
        && one.port() == other.port()
        && (first == second || is_every(first, second) || is_every(second, first))
}

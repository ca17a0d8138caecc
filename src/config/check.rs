//! What no type can say: settings that contradict each other or the machine.

use std::net::{SocketAddr, ToSocketAddrs};

use super::{Algorithm, AuthMode, Config, ConfigError, Key, LimitsConfig, RelayTo};
use crate::protocol;

/// Below this, an HS256 secret is weaker than its signature (RFC 7518, section 3.2).
const SECRET_BYTES: usize = 32;

/// Paths at which something is always served.
const TAKEN: [&str; 4] = ["/health", "/ready", "/api", "/apps"];

impl Config {
    /// Checks everything that can be checked before anything is opened; returns what deserves a warning.
    pub fn check(&self) -> Result<Vec<String>, ConfigError> {
        let mut warnings = Vec::new();
        let address = resolve("server.listen", &self.server.listen)?;
        if !self.metrics.listen.is_empty() {
            resolve("metrics.listen", &self.metrics.listen)?;
        }
        let path = self.server.path();
        if path.len() < 2 {
            return wrong("server.path", "must have a name, as in \"/socket.io\"");
        }
        if let Some(sentence) = out_of_reach(path) {
            return wrong("server.path", &format!("is {path:?}: {sentence}"));
        }
        // The last one is Pusher's, for its library for Python.
        if TAKEN.iter().any(|taken| is_within(path, taken)) || path == "/users" {
            return wrong("server.path", "is where something else is served");
        }
        if self.store.readers == 0 {
            return wrong("store.readers", "must be at least 1");
        }
        if self.server.ping_interval.is_zero() || self.server.ping_timeout.is_zero() {
            return wrong("server.ping-interval", "and server.ping-timeout must be longer than 0 s");
        }
        let (kept, queued) = (self.recovery.bytes, LimitsConfig::or_none(self.limits.queued_bytes));
        if !self.recovery.window.is_zero() && kept > queued {
            warnings.push("recovery.bytes is more than limits.queued-bytes: a client that missed that much is dropped when it comes back".to_owned());
        }
        self.check_auth(address, &mut warnings)?;
        self.check_relays()?;
        self.check_keys()?;
        self.check_pusher()?;
        self.check_ws()?;
        if self.log.level.parse::<tracing_subscriber::EnvFilter>().is_err() {
            return wrong("log.level", &format!("{:?} is no level and no list of directives", self.log.level));
        }
        Ok(warnings)
    }

    fn check_auth(&self, address: SocketAddr, warnings: &mut Vec<String>) -> Result<(), ConfigError> {
        let auth = &self.auth;
        match auth.mode {
            AuthMode::Open if !address.ip().is_loopback() && !auth.allow_open_public => wrong(
                "auth.mode",
                &format!(
                    "is \"open\" and {address} can be reached by others, who may then be anybody: set auth.mode to \"jwt\", or auth.allow-open-public to true if that is meant"
                ),
            ),
            AuthMode::Open => Ok(()),
            AuthMode::Jwt if auth.algorithm == Algorithm::HS256 => {
                let bytes = auth.secret.expose().len();
                if bytes == 0 {
                    return wrong("auth.secret", "must be set for auth.mode = \"jwt\" with HS256");
                }
                if bytes < SECRET_BYTES {
                    warnings.push(format!("auth.secret has {bytes} bytes; {SECRET_BYTES} or more are wise"));
                }
                Ok(())
            }
            AuthMode::Jwt if auth.key_file.as_os_str().is_empty() => {
                wrong("auth.key-file", "must be set for auth.mode = \"jwt\" with RS256, ES256 or EdDSA")
            }
            AuthMode::Jwt => Ok(()),
        }
    }

    fn check_relays(&self) -> Result<(), ConfigError> {
        for (event, relay) in &self.relay {
            let key = format!("relay.{event}");
            if event.is_empty() || protocol::is_reserved(event) {
                return wrong(&key, "is an event of the server's own or of Socket.IO's: a relay needs another name");
            }
            let places = usize::from(relay.field.is_some()) + usize::from(relay.argument.is_some());
            match relay.to {
                RelayTo::Room | RelayTo::User if places != 1 => {
                    return wrong(&key, "needs either field or argument, to say where the room or user stands");
                }
                RelayTo::Everyone | RelayTo::Others if places != 0 => {
                    return wrong(&key, "goes to everybody: field and argument are for to = \"room\" or \"user\"");
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn check_keys(&self) -> Result<(), ConfigError> {
        for (name, key) in &self.key {
            if key.hash.len() != 64 || hex::decode(&key.hash).is_err() {
                return wrong(
                    &format!("key.{name}.hash"),
                    "must be the SHA-256 of the key in hexadecimal: `sockeye api-key` prints it",
                );
            }
            let hash = |key: &Key| key.hash.to_ascii_lowercase();
            if self.key.iter().any(|(other, twin)| other != name && hash(twin) == hash(key)) {
                return wrong(&format!("key.{name}.hash"), "is another key's too");
            }
        }
        Ok(())
    }

    fn check_pusher(&self) -> Result<(), ConfigError> {
        let pusher = &self.pusher;
        if !pusher.app_id.is_empty() && (pusher.key.is_empty() || pusher.secret.expose().is_empty()) {
            return wrong("pusher.app-id", "needs pusher.key and pusher.secret too");
        }
        Ok(())
    }

    fn check_ws(&self) -> Result<(), ConfigError> {
        let ws = &self.ws;
        let taken = TAKEN.iter().copied().chain([self.server.path()]);
        for (place, path) in ws.paths.iter().enumerate() {
            if let Some(sentence) = out_of_reach(path) {
                return wrong("ws.paths", &format!("has {path:?}: {sentence}"));
            }
            if taken.clone().any(|taken| is_within(path, taken)) {
                return wrong("ws.paths", &format!("has {path:?}: something else is served there"));
            }
            if ws.paths[..place].contains(path) {
                return wrong("ws.paths", &format!("has {path:?} twice"));
            }
        }
        if ws.ping_interval.is_zero() || ws.idle_timeout <= ws.ping_interval {
            return wrong("ws.idle-timeout", "must be longer than ws.ping-interval, and that longer than 0 s");
        }
        if ws.text_event.is_empty() || protocol::SOCKET_IO.contains(&&*ws.text_event) {
            return wrong("ws.text-event", "must name an event, and none of Socket.IO's own");
        }
        Ok(())
    }
}

/// Why no client can ask for a path, if that is so: clients send a path as the URL standard writes it
/// (<https://url.spec.whatwg.org/#path-state>). Nor is there a way to write patterns.
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
        return Some("% begins two hexadecimal digits");
    }
    None
}

fn is_within(path: &str, other: &str) -> bool {
    path.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn resolve(key: &str, text: &str) -> Result<SocketAddr, ConfigError> {
    let address = text.to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
    address.ok_or_else(|| ConfigError(format!("{key}: {text:?} is no address and port, as in \"127.0.0.1:8000\"")))
}

fn wrong<T>(key: &str, sentence: &str) -> Result<T, ConfigError> {
    Err(ConfigError(format!("{key} {sentence}")))
}

//! Every setting, its default and a sentence about it; the only reader of file, environment and flags.
//!
//! The doc comments below are what `sockeye default-config` prints and what the README's table of settings
//! says: a test writes both from here.

mod check;
mod duration;
mod file;
mod findings;
mod host_pattern;
mod kind;
mod load;
mod log_level;
mod moment;
mod networks;
mod origin;
mod read;
mod reference;
mod secret;
mod size;

use std::{collections::BTreeMap, num::NonZeroU64, path::PathBuf, time::Duration};

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use duration::parse_duration;
pub use findings::ConfigErrors;
pub use host_pattern::HostPattern;
pub(crate) use host_pattern::split_port;
pub use load::{Loaded, Sources};
pub use origin::Origin;
pub(crate) use origin::SentOrigin;
pub use reference::default_toml;
#[cfg(test)]
pub(crate) use reference::settings_table;
pub use secret::Secret;

use crate::model::{RoomName, Timestamp};

/// What is wrong with a setting, in one sentence that names it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub(crate) String);

/// All settings. `Config::default()` is what an empty file means.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Config {
    /// Where and how the server listens.
    pub server: ServerConfig,
    /// Which web pages may connect.
    pub cors: CorsConfig,
    /// Who may connect.
    pub auth: AuthConfig,
    /// Rooms, and where an old app's payloads name them.
    pub rooms: RoomsConfig,
    /// Events that the server passes on without knowing them, one table `[relay.<event>]` each. Whoever names one names them all: `message` is the default.
    pub relay: Relays,
    /// Where messages are kept.
    pub store: StoreConfig,
    /// Who is online.
    pub presence: PresenceConfig,
    /// What is kept for clients whose connection was lost, so that they miss nothing: Socket.IO's connection state recovery.
    pub recovery: RecoveryConfig,
    /// What one client may do; 0 means no limit.
    pub limits: LimitsConfig,
    /// Plain WebSocket, for clients without Socket.IO.
    pub ws: WsConfig,
    /// The HTTP API under /api.
    pub api: ApiConfig,
    /// Keys of backends that use the HTTP API, one table `[key.<name>]` each; `sockeye api-key` makes one. They can be changed while the server runs: SIGHUP reads them again.
    pub key: Keys,
    /// The HTTP API of Pusher Channels, for Pusher's server libraries. Without `app-id` there is none.
    pub pusher: PusherConfig,
    /// Prometheus metrics.
    pub metrics: MetricsConfig,
    /// Logs, on standard error.
    pub log: LogConfig,
}

/// `[server]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct ServerConfig {
    /// Address and port. Port 0 takes a free one; the first line on standard output says which.
    pub listen: String,
    /// The path of Socket.IO, as in the client's `path` option; a slash at the end makes no difference.
    pub path: String,
    /// How often a client is asked whether it is still there.
    #[serde(with = "duration")]
    #[schemars(with = "duration::Written")]
    pub ping_interval: Duration,
    /// How long its answer may take, and the body of a request.
    #[serde(with = "duration")]
    #[schemars(with = "duration::Written")]
    pub ping_timeout: Duration,
    /// How long a client that has opened a connection may take to join a namespace.
    #[serde(with = "duration")]
    #[schemars(with = "duration::Written")]
    pub connect_timeout: Duration,
    /// How long a client may take to move from polling to WebSocket; after that it stays with polling.
    #[serde(with = "duration")]
    #[schemars(with = "duration::Written")]
    pub upgrade_timeout: Duration,
    /// Let clients of Socket.IO 1 and 2 in, which speak Engine.IO 3. Otherwise they are refused with code 5, "Unsupported protocol version".
    pub allow_eio3: bool,
    /// How long a shutdown lets clients finish before the connections are closed.
    #[serde(with = "duration")]
    #[schemars(with = "duration::Written")]
    pub drain: Duration,
    /// Names by which pages on this machine may call a server that listens on a loopback address, besides localhost, `*.localhost`, 127.0.0.1 and `[::1]`: "chat.test", or "*.test" for all names below. It ends DNS rebinding. What a trusted proxy forwards needs no entry while there are none at all.
    #[schemars(with = "Vec<String>")]
    pub hosts: Vec<HostPattern>,
    /// Networks of the proxies in front, as CIDR. Only their X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Port and X-Forwarded-Proto are believed.
    #[serde(with = "networks")]
    #[schemars(with = "Vec<String>")]
    pub trusted_proxies: Vec<IpNet>,
    /// Serve the client for browsers under server.path, as in /socket.io/socket.io.js.
    pub serve_client: bool,
    /// Serve the demo at /.
    pub demo: bool,
}

/// `[cors]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct CorsConfig {
    /// Origins whose pages may connect: scheme, host and port as in `https://app.example.com`; `https://*.example.com` for all names below, but not that name itself; `http://localhost:*` for every port; an app's, as `capacitor://localhost` or `file://`; or "*". Pages of the server's own host and port always may, and so may clients that send no Origin. "null" counts only if listed.
    #[schemars(with = "Vec<String>")]
    pub origins: Vec<Origin>,
}

/// How users prove who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AuthMode {
    /// Everybody is who they say they are. Not access control.
    Open,
    /// A JSON Web Token (RFC 7519) that the operator's backend issued.
    Jwt,
}

/// The signature a token must bear, whatever its header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub enum Algorithm {
    /// HMAC with SHA-256, by `auth.secret`.
    HS256,
    /// RSA with SHA-256, by `auth.key-file`.
    RS256,
    /// ECDSA on P-256 with SHA-256, by `auth.key-file`.
    ES256,
    /// Ed25519, by `auth.key-file`.
    EdDSA,
}

/// `[auth]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct AuthConfig {
    /// "open": everybody is who they say they are, which is not access control. "jwt": a signed token says it.
    pub mode: AuthMode,
    /// Allow open mode on an address that others can reach.
    pub allow_open_public: bool,
    /// The signature tokens must bear: HS256, RS256, ES256 or EdDSA. A token's own header has no say.
    pub algorithm: Algorithm,
    /// The secret for HS256; 32 bytes or more are wise.
    pub secret: Secret,
    /// A PEM file with the public key for RS256, ES256 or EdDSA.
    pub key_file: PathBuf,
    /// More keys, one table `[auth.keys.<kid>]` each, for the tokens whose header has this `kid`. `auth.secret` and `auth.key-file` are then for tokens without one, and may be left out. SIGHUP reads all keys again, files too.
    pub keys: TokenKeys,
    /// The claim that is the user's id: a string or a whole number. A path of names with dots between them leads into objects, as in "data.id".
    pub user_claim: String,
    /// The claim that is the user's name, likewise; a token without it names the user by the id.
    pub name_claim: String,
    /// The claim that lists patterns of the rooms which the token opens, likewise.
    pub rooms_claim: String,
    /// The audience (`aud`) tokens must name; empty: not checked.
    pub audience: String,
    /// The issuer (`iss`) tokens must name; empty: not checked.
    pub issuer: String,
}

/// The keys that have a `kid`, by it.
pub type TokenKeys = BTreeMap<String, TokenKey>;

/// `[auth.keys.<kid>]`
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct TokenKey {
    /// The signature this key makes; without it, `auth.algorithm`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<Algorithm>,
    /// The secret for HS256.
    #[schemars(with = "String")]
    pub secret: Secret,
    /// A PEM file with the public key for RS256, ES256 or EdDSA.
    pub key_file: PathBuf,
}

/// `[rooms]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct RoomsConfig {
    /// The room that every socket hears, and where a message goes that names no other.
    #[schemars(with = "String")]
    pub lobby: RoomName,
    /// Patterns of the rooms anybody may enter in jwt mode, `*` standing for any text and `?` for one character; a token's `rooms` claim allows more. The lobby is always open, and in open mode every room is.
    pub open: Vec<String>,
    /// The field of an old app's payload that names a room; empty: only `room` does.
    pub room_field: String,
    /// The field of an old app's payload that names the recipient of a direct message; empty: only `to` does.
    pub recipient_field: String,
}

/// The relays by the name of their event.
pub type Relays = BTreeMap<String, Relay>;

/// Who hears a relayed event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RelayTo {
    /// Every socket, the sender's included.
    Everyone,
    /// Every socket but the sender's.
    Others,
    /// The sockets that hear a room; the sender's must be one of them.
    Room,
    /// All sockets of a user.
    User,
}

/// `[relay.<event>]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Relay {
    /// Who hears it: "everyone", "others" (all but the sender), "room" or "user".
    pub to: RelayTo,
    /// The field of the first argument that names the room or the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The argument, counted from 0, that is the room's name or the user's id itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argument: Option<usize>,
    /// Leave the sender out of a room or a user's sockets.
    #[serde(default)]
    pub except_sender: bool,
    /// May be lost by a client that is slow at that moment.
    #[serde(default)]
    pub volatile: bool,
}

/// What the disk promises when a commit is done: SQLite's `PRAGMA synchronous`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Synchronous {
    /// A commit survives a crash of the process; power loss may undo the last ones.
    Normal,
    /// A commit survives power loss.
    Full,
}

/// `[store]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct StoreConfig {
    /// The folder with the SQLite database; made if missing.
    pub path: PathBuf,
    /// "normal": a saved message survives a crash of the process, power loss may undo the last ones. "full": survives power loss too, each commit waits for the disk.
    pub synchronous: Synchronous,
    /// Threads that read beside the one that writes.
    pub readers: usize,
}

/// `[presence]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct PresenceConfig {
    /// How long a user counts as online after the last socket went.
    #[serde(with = "duration")]
    #[schemars(with = "duration::Written")]
    pub grace: Duration,
    /// In rooms with more users, `presence-changed` carries the count alone and `typing` is not passed on.
    pub max_room_size: usize,
}

/// Which clients are recovered, of those that do not say it in their query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RecoveryClients {
    /// Those that are known not to be hurt by one more argument.
    Auto,
    /// All of v3 and v4.
    All,
    /// None.
    None,
}

/// `[recovery]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct RecoveryConfig {
    /// How long a client may stay away and still find its socket, its rooms and what it missed; 0s: nothing is kept, and events carry no offset.
    #[serde(with = "duration")]
    #[schemars(with = "duration::Written")]
    pub window: Duration,
    /// Which clients are recovered: "auto", those whose first request shows that one more argument, the offset, does not hurt them; "all"; or "none". `recovery=true` or `recovery=false` in a client's query decides for that client.
    pub clients: RecoveryClients,
    /// Events kept for one socket. A client that missed more begins anew.
    pub events: usize,
    /// Bytes of the events kept for one socket.
    #[serde(with = "size")]
    #[schemars(with = "size::Size")]
    pub bytes: usize,
    /// Sockets of one user that are away; the oldest makes room.
    pub sockets_per_user: usize,
    /// Sockets that are away in all; the oldest makes room.
    pub sockets: usize,
    /// Bytes of the events kept for all sockets; what many of them get counts once. Beyond: sockets that are away are given up, the oldest first, then connected ones can no longer be recovered.
    #[serde(with = "size")]
    #[schemars(with = "size::Size")]
    pub total_bytes: usize,
}

/// `[limits]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct LimitsConfig {
    /// Events per second and connection, all its namespaces together, with bursts of the same size. Beyond: rate-limited.
    pub events_per_second: u32,
    /// Bytes of one frame or request, and of one event with its attachments. Beyond: a WebSocket is closed with 1009, a polling request answered 413, an event refused with too-large.
    #[serde(with = "size")]
    #[schemars(with = "size::Size")]
    pub payload_bytes: usize,
    /// Binary attachments of one event or acknowledgement. Beyond: a client's connection is closed, as Node's server does; what would send such an event gets an error. Clients of Socket.IO take 10: more ends their connection.
    pub attachments: usize,
    /// Memberships of one user. Beyond: forbidden.
    pub rooms_per_user: usize,
    /// Sockets of one user. Beyond: the connection is refused with rate-limited.
    pub sockets_per_user: usize,
    /// Sockets from one IP address. Beyond: the connection is refused with rate-limited. Behind a proxy, set server.trusted-proxies.
    pub sockets_per_address: usize,
    /// Sockets in all. Beyond: the connection is refused with unavailable.
    pub connections: usize,
    /// Events of one socket that wait for their answer. Beyond: rate-limited.
    pub events_in_flight: usize,
    /// Bytes of one client's messages that have not arrived whole or wait for their answer. Beyond: the server reads no more from it until there are fewer. Never less than three times limits.payload-bytes.
    #[serde(with = "size")]
    #[schemars(with = "size::Size")]
    pub received_bytes: usize,
    /// Bytes that wait for one client to read them. Beyond: its connection is dropped with the reason slow-consumer.
    #[serde(with = "size")]
    #[schemars(with = "size::Size")]
    pub queued_bytes: usize,
    /// Bytes that wait for all clients; what many of them get counts once. Beyond: connections that do not keep up are dropped likewise.
    #[serde(with = "size")]
    #[schemars(with = "size::Size")]
    pub queued_bytes_total: usize,
    /// Bytes that the server holds for all its clients, whatever it holds them for; what many of them get counts once. Beyond: it forgets what clients missed, stops reading from those that hold most, refuses new work with rate-limited, unavailable or 503, and drops those that hold more than an equal share.
    #[serde(with = "size")]
    #[schemars(with = "size::Size")]
    pub memory: usize,
}

/// `[ws]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct WsConfig {
    /// Paths at which `new WebSocket(url)` is answered; [] for none. Other requests for "/" get the demo.
    pub paths: Vec<String>,
    /// How often a client is pinged.
    #[serde(with = "duration")]
    #[schemars(with = "duration::Written")]
    pub ping_interval: Duration,
    /// How long a client may send nothing, not even a pong. Beyond: closed with 4008.
    #[serde(with = "duration")]
    #[schemars(with = "duration::Written")]
    pub idle_timeout: Duration,
    /// The event that a text of a client without envelopes is. With "send-message", texts are saved in the lobby, and such clients get what others save there.
    pub text_event: String,
    /// Let clients in as soon as they are connected, as a guest unless the address or a header says who they are, instead of with their first frame.
    pub open_at_once: bool,
}

/// `[api]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct ApiConfig {
    /// Serve a description of the API (OpenAPI) at /api/openapi.json, and a page to try it at /api/docs.
    pub docs: bool,
    /// Requests per second of one key, or of one user with a token, with bursts of the same size. Beyond: 429 with Retry-After; 0: no limit.
    pub requests_per_second: u32,
    /// Sockets whose answers one request with `ack` may wait for. Beyond: too-large; 0: no limit.
    pub asked_sockets: usize,
}

/// The keys by their names.
pub type Keys = BTreeMap<String, Key>;

/// `[key.<name>]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Key {
    /// The SHA-256 of the key, in hexadecimal. The key itself is kept nowhere.
    pub hash: String,
    /// What it may do: "events:write", "messages:read", "messages:write", "rooms:read", "rooms:write", "users:read", "users:write", or "*" for everything.
    pub scopes: Vec<Scope>,
    /// When it ends, as in "2027-01-31T00:00:00Z"; without it, never.
    #[serde(with = "moment", default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub expires_at: Option<Timestamp>,
}

/// What a backend's key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub enum Scope {
    /// Emit events.
    #[serde(rename = "events:write")]
    EventsWrite,
    /// Read messages, direct ones too.
    #[serde(rename = "messages:read")]
    MessagesRead,
    /// Post, edit and delete messages, as any user.
    #[serde(rename = "messages:write")]
    MessagesWrite,
    /// See rooms and who is in them.
    #[serde(rename = "rooms:read")]
    RoomsRead,
    /// Put users into rooms and take them out.
    #[serde(rename = "rooms:write")]
    RoomsWrite,
    /// See users, their devices, rooms and unread counts.
    #[serde(rename = "users:read")]
    UsersRead,
    /// Disconnect users.
    #[serde(rename = "users:write")]
    UsersWrite,
    /// All of it.
    #[serde(rename = "*")]
    Everything,
}

/// `[pusher]`
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct PusherConfig {
    /// The app's id, as in the library's `appId`; empty: Pusher's API is not served.
    pub app_id: String,
    /// The app's key.
    pub key: String,
    /// The app's secret, by which requests are signed.
    pub secret: Secret,
}

/// `[metrics]`
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct MetricsConfig {
    /// Address and port of a listener of its own for GET /metrics; empty: none.
    pub listen: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// `[log]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct LogConfig {
    /// "text" or "json".
    pub format: LogFormat,
    /// error, warn, info, debug or trace; or directives such as "info,sockeye::store=debug".
    pub level: String,
}

impl Relay {
    /// A relay to these, with the other settings at their defaults.
    pub fn new(to: RelayTo) -> Self {
        Self { to, field: None, argument: None, except_sender: false, volatile: false }
    }
}

impl Key {
    /// A key that does not end: the SHA-256 of its text in hexadecimal digits, and what it may do.
    pub fn new(hash: impl Into<String>, scopes: impl Into<Vec<Scope>>) -> Self {
        Self { hash: hash.into(), scopes: scopes.into(), expires_at: None }
    }
}

impl ServerConfig {
    /// The path of Socket.IO without a slash at its end.
    pub(crate) fn path(&self) -> &str {
        self.path.strip_suffix('/').unwrap_or(&self.path)
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8000".to_owned(),
            path: "/socket.io".to_owned(),
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            connect_timeout: Duration::from_secs(20),
            upgrade_timeout: Duration::from_secs(10),
            allow_eio3: true,
            drain: Duration::from_secs(5),
            hosts: Vec::new(),
            trusted_proxies: Vec::new(),
            serve_client: true,
            demo: true,
        }
    }
}

impl Default for CorsConfig {
    fn default() -> Self {
        Self { origins: vec![Origin::parse("http://localhost:5173").expect("an origin")] }
    }
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            mode: AuthMode::Open,
            allow_open_public: false,
            algorithm: Algorithm::HS256,
            secret: Secret::default(),
            key_file: PathBuf::new(),
            keys: TokenKeys::new(),
            user_claim: "sub".to_owned(),
            name_claim: "name".to_owned(),
            rooms_claim: "rooms".to_owned(),
            audience: String::new(),
            issuer: String::new(),
        }
    }
}

impl Default for RoomsConfig {
    fn default() -> Self {
        Self {
            lobby: RoomName::parse("lobby").expect("a name"),
            open: Vec::new(),
            room_field: String::new(),
            recipient_field: String::new(),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        let message =
            Relay { to: RelayTo::Everyone, field: None, argument: None, except_sender: false, volatile: false };
        Self {
            server: ServerConfig::default(),
            cors: CorsConfig::default(),
            auth: AuthConfig::default(),
            rooms: RoomsConfig::default(),
            relay: Relays::from([("message".to_owned(), message)]),
            store: StoreConfig::default(),
            presence: PresenceConfig::default(),
            recovery: RecoveryConfig::default(),
            limits: LimitsConfig::default(),
            ws: WsConfig::default(),
            api: ApiConfig::default(),
            key: Keys::new(),
            pusher: PusherConfig::default(),
            metrics: MetricsConfig::default(),
            log: LogConfig::default(),
        }
    }
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { path: PathBuf::from("data"), synchronous: Synchronous::Normal, readers: 2 }
    }
}

impl Default for PresenceConfig {
    fn default() -> Self {
        Self { grace: Duration::from_secs(5), max_room_size: 500 }
    }
}

impl Default for RecoveryConfig {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(120),
            clients: RecoveryClients::Auto,
            events: 1_000,
            bytes: 1_000_000,
            sockets_per_user: 10,
            sockets: 10_000,
            total_bytes: 32_000_000,
        }
    }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            events_per_second: 100,
            payload_bytes: 1_000_000,
            attachments: 10,
            rooms_per_user: 1_000,
            sockets_per_user: 50,
            sockets_per_address: 1_000,
            connections: 100_000,
            events_in_flight: 1_024,
            received_bytes: 4_000_000,
            queued_bytes: 4_000_000,
            queued_bytes_total: 256_000_000,
            memory: 512_000_000,
        }
    }
}

impl Default for WsConfig {
    fn default() -> Self {
        Self {
            paths: vec!["/ws".to_owned(), "/".to_owned()],
            ping_interval: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(30),
            text_event: "message".to_owned(),
            open_at_once: false,
        }
    }
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self { docs: true, requests_per_second: 1_000, asked_sockets: 10_000 }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned() }
    }
}

impl LogConfig {
    /// The level as directives of `EnvFilter`.
    pub(crate) fn directives(&self) -> String {
        log_level::directives(&self.level)
    }
}

impl AuthConfig {
    /// Whether there is a key for tokens without a `kid`.
    pub(crate) fn has_unnamed_key(&self) -> bool {
        match self.algorithm {
            Algorithm::HS256 => !self.secret.expose().is_empty(),
            Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA => !self.key_file.as_os_str().is_empty(),
        }
    }
}

impl LimitsConfig {
    /// A limit as a number to compare with: 0 becomes the largest there is.
    pub(crate) fn or_none(limit: usize) -> usize {
        NonZeroU64::new(limit as u64).map_or(usize::MAX, |limit| limit.get() as usize)
    }
}

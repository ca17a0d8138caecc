//! All settings with their defaults and descriptions. Only this module reads the configuration file, the environment and the flags.
//!
//! `sockeye default-config` and the table in `docs/configuration.md` are generated from the doc comments below.

mod bare;
mod base;
mod check;
mod default_file;
mod duration;
mod file;
mod findings;
mod host_pattern;
mod load;
mod log_level;
mod moment;
mod networks;
mod origin;
mod own_settings;
mod read;
mod reference;
mod retention;
mod secret;
mod sections;
mod size;
mod value_kind;

use std::{collections::BTreeMap, num::NonZeroU64, path::PathBuf, time::Duration};

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use base::Base;
pub use default_file::default_toml;
pub(crate) use default_file::{toml_key, toml_of};
pub(crate) use duration::parse_duration;
pub use findings::ConfigErrors;
pub use host_pattern::HostPattern;
pub(crate) use host_pattern::split_port;
pub use load::{Loaded, Sources};
pub use origin::Origin;
pub(crate) use origin::SentOrigin;
pub(crate) use own_settings::OwnSettings;
#[cfg(test)]
pub(crate) use reference::settings_table;
pub use retention::{Retention, RetentionRule};
pub use secret::Secret;
pub(crate) use sections::Sections;

use crate::model::{RoomName, Timestamp};

/// One mistake in the settings: a sentence that names the setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub(crate) String);

/// All settings. An empty file means `Config::default()`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Config {
    /// Where and how the server listens.
    pub server: ServerConfig,
    /// Which web pages may connect.
    pub cors: CorsConfig,
    /// A cookie with the id of the Engine.IO session, for a load balancer that keeps clients on one server.
    pub cookie: CookieConfig,
    /// Who may connect.
    pub auth: AuthConfig,
    /// Rooms, and the payload fields in which an existing app names them.
    pub rooms: RoomsConfig,
    /// Events that the server forwards without interpreting them, one table `[relay.<event>]` each. By default `message` is relayed to everyone; a table of your own replaces this default.
    pub relay: Relays,
    /// Where messages are stored.
    pub store: StoreConfig,
    /// Which messages are removed, one table `[retention.<pattern>]` each: `[retention."team-*"]`. In a pattern `*` stands for any text and `?` for one character. The first table whose pattern matches a room's name applies to it; without one, nothing is removed. A direct message has the name `dm:<id>:<id>`.
    #[schemars(with = "BTreeMap<String, RetentionRule>")]
    pub retention: Retention,
    /// The search for messages.
    pub search: SearchConfig,
    /// Online status of users.
    pub presence: PresenceConfig,
    /// Socket.IO's connection state recovery: the state of a disconnected socket is kept, so that its client misses no event.
    pub recovery: RecoveryConfig,
    /// Limits per client and for the server; 0 means no limit.
    pub limits: LimitsConfig,
    /// Plain WebSocket, for clients without Socket.IO.
    pub ws: WsConfig,
    /// The HTTP API under /api.
    pub api: ApiConfig,
    /// Keys of backends that use the HTTP API, one table `[key.<name>]` each; `sockeye api-key` generates one. They can be changed while the server runs: SIGHUP reloads them.
    pub key: Keys,
    /// The HTTP API of Pusher Channels, for Pusher's server libraries. Not served without `app-id`.
    pub pusher: PusherConfig,
    /// Prometheus metrics.
    pub metrics: MetricsConfig,
    /// Logs, written to standard error.
    pub log: LogConfig,
}

/// `[server]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct ServerConfig {
    /// Address and port. Port 0 selects a free port; the first line on standard output names it.
    pub listen: String,
    /// The path of Socket.IO, as in the client's `path` option; a trailing slash makes no difference.
    pub path: String,
    /// Interval of the heartbeat: how often the server sends a ping to each client.
    #[serde(with = "duration")]
    #[schemars(with = "duration::DurationSchema")]
    pub ping_interval: Duration,
    /// How long the client may take to answer a ping, and to send the body of a request.
    #[serde(with = "duration")]
    #[schemars(with = "duration::DurationSchema")]
    pub ping_timeout: Duration,
    /// How long a client may take to join a namespace after it has opened a connection.
    #[serde(with = "duration")]
    #[schemars(with = "duration::DurationSchema")]
    pub connect_timeout: Duration,
    /// How long a client may take to upgrade from polling to WebSocket; after that it stays with polling.
    #[serde(with = "duration")]
    #[schemars(with = "duration::DurationSchema")]
    pub upgrade_timeout: Duration,
    /// The transports of Socket.IO's clients. Another one is refused with code 0, "Transport unknown". Without "websocket", clients are not told to upgrade.
    pub transports: Vec<TransportKind>,
    /// Accept clients of Socket.IO 1 and 2, which speak Engine.IO 3. If false, they are refused with code 5, "Unsupported protocol version".
    pub allow_eio3: bool,
    /// How long a shutdown waits for clients to finish before it closes their connections.
    #[serde(with = "duration")]
    #[schemars(with = "duration::DurationSchema")]
    pub drain: Duration,
    /// Host names that pages on this machine may use for a server that listens on a loopback address, besides localhost, `*.localhost`, 127.0.0.1 and `[::1]`: "chat.test", or "*.test" for all names below. Requests under other names are refused, which prevents DNS rebinding. If the list is empty, requests forwarded by a trusted proxy are accepted under any name.
    #[schemars(with = "Vec<String>")]
    pub hosts: Vec<HostPattern>,
    /// Networks of the reverse proxies in front, in CIDR notation. X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Port and X-Forwarded-Proto are trusted only from these.
    #[serde(with = "networks")]
    #[schemars(with = "Vec<String>")]
    pub trusted_proxies: Vec<IpNet>,
    /// Serve the browser client under server.path, as in /socket.io/socket.io.js.
    pub serve_client: bool,
    /// Serve the demo at /.
    pub demo: bool,
}

/// `[cors]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct CorsConfig {
    /// Origins whose pages may connect: scheme, host and port as in `https://app.example.com`; `https://*.example.com` for all names below, but not that name itself; `http://localhost:*` for every port; the origin of an app, as `capacitor://localhost` or `file://`; or "*". Pages from the server's own host and port may always connect, and so may clients that send no Origin. "null" is accepted only if it is listed.
    #[schemars(with = "Vec<String>")]
    pub origins: Vec<Origin>,
    /// Methods that a preflight request allows.
    pub methods: Vec<String>,
    /// Request headers that a preflight request allows. If the list is empty, those that the page asks for.
    pub allowed_headers: Vec<String>,
    /// Response headers that pages may read.
    pub exposed_headers: Vec<String>,
    /// Whether pages may send cookies and other credentials.
    pub credentials: bool,
    /// How long a browser may keep the answer to a preflight request. 0s: the server does not send Access-Control-Max-Age, and the browser uses its own default.
    #[serde(with = "duration")]
    #[schemars(with = "duration::DurationSchema")]
    pub max_age: Duration,
}

/// A transport of Engine.IO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum TransportKind {
    /// HTTP long polling.
    Polling,
    /// WebSocket.
    WebSocket,
}

/// Which requests a browser sends a cookie with (RFC 6265bis).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SameSite {
    /// Only those of the same site.
    Strict,
    /// Those of the same site, and when the user follows a link.
    Lax,
    /// All. Browsers then demand `cookie.secure`.
    None,
}

/// `[cookie]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct CookieConfig {
    /// The name, as "io"; empty: no cookie. The first response of long polling sets it.
    pub name: String,
    /// The path below which browsers send it.
    pub path: String,
    /// Hide it from the scripts of pages.
    pub http_only: bool,
    /// Send it over HTTPS only.
    pub secure: bool,
    /// Which requests it is sent with.
    pub same_site: SameSite,
    /// How long browsers keep it. 0s: until the browser is closed.
    #[serde(with = "duration")]
    #[schemars(with = "duration::DurationSchema")]
    pub max_age: Duration,
}

/// How users are authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AuthMode {
    /// No authentication: each client states its own user id. Not access control.
    Open,
    /// A JSON Web Token (RFC 7519) that the operator's backend issued.
    Jwt,
}

/// The signature algorithm of tokens. The `alg` of a token's header must match it and never selects one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub enum Algorithm {
    /// HMAC with SHA-256, verified with `auth.secret`.
    HS256,
    /// RSA with SHA-256, verified with `auth.key-file`.
    RS256,
    /// ECDSA on P-256 with SHA-256, verified with `auth.key-file`.
    ES256,
    /// Ed25519, verified with `auth.key-file`.
    EdDSA,
}

/// `[auth]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct AuthConfig {
    /// "open": clients state their own user id, which is not access control. "jwt": a signed token contains it.
    pub mode: AuthMode,
    /// Allow open mode on an address that other machines can reach.
    pub allow_open_public: bool,
    /// The signature algorithm of tokens: HS256, RS256, ES256 or EdDSA. A token whose header names another is refused.
    pub algorithm: Algorithm,
    /// The secret for HS256; 32 bytes or more are recommended.
    pub secret: Secret,
    /// A PEM file with the public key for RS256, ES256 or EdDSA.
    pub key_file: PathBuf,
    /// More keys, one table `[auth.keys.<kid>]` each, for tokens whose header has this `kid`. `auth.secret` and `auth.key-file` then apply to tokens without a `kid`, and may be left out. SIGHUP reloads all keys and key files.
    pub keys: TokenKeys,
    /// The claim with the user's id: a string or a whole number. Names separated by dots lead into nested objects, as in "data.id".
    pub user_claim: String,
    /// The claim with the user's name, in the same form; without it the id serves as the name.
    pub name_claim: String,
    /// The claim with a list of patterns of the rooms that the user may enter, in the same form.
    pub rooms_claim: String,
    /// The audience (`aud`) that tokens must contain; empty: not checked.
    pub audience: String,
    /// The issuer (`iss`) that tokens must contain; empty: not checked.
    pub issuer: String,
}

/// The keys with a `kid`, by `kid`.
pub type TokenKeys = BTreeMap<String, TokenKey>;

/// `[auth.keys.<kid>]`
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct TokenKey {
    /// The signature algorithm of this key; by default `auth.algorithm`.
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
    /// The room that every socket is subscribed to; a message without a room goes here.
    #[schemars(with = "String")]
    pub lobby: RoomName,
    /// Patterns of the rooms that every user may enter in jwt mode; `*` stands for any text and `?` for one character. A token's `rooms` claim allows more. The lobby is always open, and in open mode every room is.
    pub open: Vec<String>,
    /// An additional payload field that names the room, for existing apps; empty: only `room` does.
    pub room_field: String,
    /// An additional payload field that names the recipient of a direct message, for existing apps; empty: only `to` does.
    pub recipient_field: String,
}

/// The relays, by event name.
pub type Relays = BTreeMap<String, Relay>;

/// The receivers of a relayed event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RelayTo {
    /// Every socket, the sender's included.
    Everyone,
    /// Every socket but the sender's.
    Others,
    /// The sockets subscribed to a room; the sender's socket must be one of them.
    Room,
    /// All sockets of a user.
    User,
}

/// `[relay.<event>]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Relay {
    /// The receivers: "everyone", "others" (all but the sender), "room" or "user".
    pub to: RelayTo,
    /// The field of the first argument that contains the room's name or the user's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The index of the argument, from 0, that is the room's name or the user's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argument: Option<usize>,
    /// Exclude the sender, with `to` = "room" or "user".
    #[serde(default)]
    pub except_sender: bool,
    /// Whether the event is volatile: dropped for a client that is not ready to receive it.
    #[serde(default)]
    pub volatile: bool,
}

/// Which failures a commit survives: SQLite's `PRAGMA synchronous`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Synchronous {
    /// A commit survives a crash of the process; a power failure may lose the newest ones.
    Normal,
    /// A commit survives a power failure.
    Full,
}

/// `[store]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct StoreConfig {
    /// The folder of the SQLite database; created if missing. Not used with `store.url`.
    pub path: PathBuf,
    /// `postgres://user@host/database`: PostgreSQL 13 or later keeps everything instead of SQLite. Parameters: `sslmode` (`disable`, `prefer`, `require`, `verify-ca`, `verify-full`), `sslrootcert` (a PEM file), `host` (a folder with the server's Unix socket) and those of tokio-postgres. Without a password.
    pub url: String,
    /// The password of the user in `store.url`.
    pub password: Secret,
    /// A file with this password; an end of line at its end is ignored.
    pub password_file: PathBuf,
    /// The schema in PostgreSQL; created if missing.
    pub schema: String,
    /// Whether several servers may write to this schema. Without it, a second one is refused.
    pub shared: bool,
    /// "normal": a saved message survives a crash of the process, but a power failure may lose the newest ones. "full": it survives a power failure too; each commit waits for the disk.
    pub synchronous: Synchronous,
    /// Number of threads that read the database; with PostgreSQL, of connections. One more writes.
    pub readers: usize,
}

/// `[search]`
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct SearchConfig {
    /// The fields of a message's body that are searched: strings, and lists of strings. A name with dots leads into nested objects, as in "file.name". []: no search; the index makes a saved message dearer. After a change, the next start makes the index anew, the newest messages first, while the server runs.
    pub fields: Vec<String>,
}

/// `[presence]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct PresenceConfig {
    /// How long a user still counts as online after the last socket has disconnected.
    #[serde(with = "duration")]
    #[schemars(with = "duration::DurationSchema")]
    pub grace: Duration,
    /// In rooms with more users, `presence-changed` contains only the count, and `typing` is not forwarded.
    pub max_room_size: usize,
}

/// Which clients are recovered. `recovery=true` or `recovery=false` in a client's query overrides this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RecoveryClients {
    /// Those known to accept the offset as an additional last argument.
    Auto,
    /// All clients of Socket.IO 3 and later.
    All,
    /// None.
    None,
}

/// `[recovery]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct RecoveryConfig {
    /// How long the state of a disconnected socket is kept: its id, its rooms and the events it missed. 0s: nothing is kept, and events have no offset.
    #[serde(with = "duration")]
    #[schemars(with = "duration::DurationSchema")]
    pub window: Duration,
    /// Which clients are recovered: "auto", those whose first request shows that they accept the offset as an additional last argument; "all"; or "none". `recovery=true` or `recovery=false` in a client's query overrides this for that client.
    pub clients: RecoveryClients,
    /// Events kept for one socket. A client that missed more is not recovered.
    pub events: usize,
    /// Bytes of the events kept for one socket.
    #[serde(with = "size")]
    #[schemars(with = "size::SizeSchema")]
    pub bytes: usize,
    /// Disconnected sockets kept for one user. Beyond: the oldest is discarded.
    pub sockets_per_user: usize,
    /// Disconnected sockets kept in all. Beyond: the oldest is discarded.
    pub sockets: usize,
    /// Bytes of the events kept for all sockets; an event for many sockets counts once. Beyond: disconnected sockets are discarded, the oldest first; then connected ones are no longer recoverable.
    #[serde(with = "size")]
    #[schemars(with = "size::SizeSchema")]
    pub total_bytes: usize,
    /// The folder in which the sockets are kept while the server restarts. Empty: `store.path`; with PostgreSQL, or without the chat, none are kept then.
    pub path: PathBuf,
}

/// `[limits]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct LimitsConfig {
    /// Events per second and connection, over all its namespaces, with bursts of the same size. Beyond: rate-limited.
    pub events_per_second: u32,
    /// Bytes of one frame or request, and of one event with its attachments. Beyond: a WebSocket is closed with 1009, a polling request is answered 413, an event is refused with too-large.
    #[serde(with = "size")]
    #[schemars(with = "size::SizeSchema")]
    pub payload_bytes: usize,
    /// Binary attachments of one event or acknowledgement. Beyond: the connection of the client that sent it is closed, as Node's server does; an event from the application or a backend is refused with an error. Socket.IO's own clients accept 10 and disconnect on more.
    pub attachments: usize,
    /// Memberships of one user. Beyond: forbidden.
    pub rooms_per_user: usize,
    /// Sockets of one user. Beyond: the connection is refused with rate-limited.
    pub sockets_per_user: usize,
    /// Sockets from one IP address. Beyond: the connection is refused with rate-limited. Behind a proxy, set server.trusted-proxies.
    pub sockets_per_address: usize,
    /// Sockets in all. Beyond: the connection is refused with unavailable.
    pub connections: usize,
    /// Events of one socket that are queued or being processed. Beyond: rate-limited.
    pub events_in_flight: usize,
    /// Bytes of one client's messages that are incomplete or not yet answered. Beyond: the server stops reading from this client until there are fewer. A value below three times limits.payload-bytes plus 64 KiB is raised to that.
    #[serde(with = "size")]
    #[schemars(with = "size::SizeSchema")]
    pub received_bytes: usize,
    /// Bytes queued for one client. Beyond: its connection is dropped with the reason slow-consumer.
    #[serde(with = "size")]
    #[schemars(with = "size::SizeSchema")]
    pub queued_bytes: usize,
    /// Bytes queued for all clients; an event for many clients counts once. Beyond: connections that do not keep up are dropped with the same reason.
    #[serde(with = "size")]
    #[schemars(with = "size::SizeSchema")]
    pub queued_bytes_total: usize,
    /// Bytes that the server holds for all clients, for any purpose; an event for many clients counts once. Beyond: the server discards recovery state, stops reading from the clients that use the most, refuses new work with rate-limited, unavailable or 503, and drops clients that use more than an equal share.
    #[serde(with = "size")]
    #[schemars(with = "size::SizeSchema")]
    pub memory: usize,
}

/// `[ws]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct WsConfig {
    /// Paths at which `new WebSocket(url)` is accepted; [] for none. Requests for "/" that open no WebSocket get the demo.
    pub paths: Vec<String>,
    /// How often the server sends a ping to each client.
    #[serde(with = "duration")]
    #[schemars(with = "duration::DurationSchema")]
    pub ping_interval: Duration,
    /// How long a client may send nothing, not even a pong. Beyond: closed with 4008.
    #[serde(with = "duration")]
    #[schemars(with = "duration::DurationSchema")]
    pub idle_timeout: Duration,
    /// The event name of text frames from a client that does not use envelopes, which are JSON objects with `eventType` and `event`. With "send-message", texts are saved in the lobby, and such clients receive what others save there.
    pub text_event: String,
    /// Register clients as soon as they connect, instead of with their first frame: as a guest, unless the URL or a header names the user.
    pub open_at_once: bool,
}

/// `[api]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct ApiConfig {
    /// Serve an OpenAPI description of the API at /api/openapi.json, and a page to try it at /api/docs.
    pub docs: bool,
    /// Requests per second of one key, or of one user with a token, with bursts of the same size. Beyond: 429 with Retry-After; 0: no limit.
    pub requests_per_second: u32,
    /// Sockets that one request with `ack` may wait for. Beyond: too-large; 0: no limit.
    pub asked_sockets: usize,
}

/// The API keys, by name.
pub type Keys = BTreeMap<String, Key>;

/// `[key.<name>]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Key {
    /// The SHA-256 of the key, in hexadecimal. The key itself is not stored.
    pub hash: String,
    /// The key's permissions: "events:write", "messages:read", "messages:write", "rooms:read", "rooms:write", "users:read", "users:write", "data:read", "data:erase", or "*" for everything.
    pub scopes: Vec<Scope>,
    /// When the key expires, as in "2027-01-31T00:00:00Z"; without it, never.
    #[serde(with = "moment", default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub expires_at: Option<Timestamp>,
}

/// A permission of an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub enum Scope {
    /// Emit events.
    #[serde(rename = "events:write")]
    EventsWrite,
    /// Read messages, including direct messages.
    #[serde(rename = "messages:read")]
    MessagesRead,
    /// Post, edit and delete messages, as any user.
    #[serde(rename = "messages:write")]
    MessagesWrite,
    /// List rooms and their users.
    #[serde(rename = "rooms:read")]
    RoomsRead,
    /// Add users to rooms and remove them.
    #[serde(rename = "rooms:write")]
    RoomsWrite,
    /// Read users, their devices, rooms and unread counts.
    #[serde(rename = "users:read")]
    UsersRead,
    /// Disconnect users.
    #[serde(rename = "users:write")]
    UsersWrite,
    /// Export rooms and what is stored of users.
    #[serde(rename = "data:read")]
    DataRead,
    /// Delete rooms, and erase what is stored of users.
    #[serde(rename = "data:erase")]
    DataErase,
    /// All of these.
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
    /// The app's secret, which signs requests.
    pub secret: Secret,
}

/// `[metrics]`
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct MetricsConfig {
    /// Address and port of a separate listener for GET /metrics; empty: none.
    pub listen: String,
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LogFormat {
    /// For people to read.
    Text,
    /// For programs: one JSON object per line.
    Json,
}

/// `[log]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct LogConfig {
    /// The format of log lines: "text" or "json".
    pub format: LogFormat,
    /// The lowest level logged: error, warn, info, debug or trace; or directives such as "info,sockeye::store=debug".
    pub level: String,
}

impl Relay {
    /// A relay to these receivers, with default values for the other fields.
    pub fn new(to: RelayTo) -> Self {
        Self { to, field: None, argument: None, except_sender: false, volatile: false }
    }
}

impl Key {
    /// A key that never expires, from the SHA-256 of its text in hexadecimal and its permissions.
    pub fn new(hash: impl Into<String>, scopes: impl Into<Vec<Scope>>) -> Self {
        Self { hash: hash.into(), scopes: scopes.into(), expires_at: None }
    }
}

impl ServerConfig {
    /// The path of Socket.IO without a trailing slash.
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
            transports: vec![TransportKind::Polling, TransportKind::WebSocket],
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
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Self {
            origins: vec![Origin::parse("http://localhost:5173").expect("an origin")],
            methods: texts(&["GET", "POST", "PUT", "PATCH", "DELETE"]),
            allowed_headers: Vec::new(),
            exposed_headers: texts(&["Retry-After", "X-Request-Id"]),
            credentials: true,
            max_age: Duration::ZERO,
        }
    }
}

impl Default for CookieConfig {
    fn default() -> Self {
        Self {
            name: String::new(),
            path: "/".to_owned(),
            http_only: true,
            secure: false,
            same_site: SameSite::Lax,
            max_age: Duration::ZERO,
        }
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
            cookie: CookieConfig::default(),
            auth: AuthConfig::default(),
            rooms: RoomsConfig::default(),
            relay: Relays::from([("message".to_owned(), message)]),
            store: StoreConfig::default(),
            retention: Retention::default(),
            search: SearchConfig::default(),
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
        Self {
            path: PathBuf::from("data"),
            url: String::new(),
            password: Secret::default(),
            password_file: PathBuf::new(),
            schema: "sockeye".to_owned(),
            shared: false,
            synchronous: Synchronous::Normal,
            readers: 2,
        }
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
            path: PathBuf::new(),
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
    /// `log.level` as directives of `EnvFilter`.
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
    /// The limit as a number to compare with: 0, which means no limit, becomes `usize::MAX`.
    pub(crate) fn or_none(limit: usize) -> usize {
        NonZeroU64::new(limit as u64).map_or(usize::MAX, |limit| limit.get() as usize)
    }
}

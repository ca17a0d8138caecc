//! The functions and settings of the server under test about requests: `allow_request`, `response_headers`, CORS, the
//! cookie, transports; the same as `peer-hooks.mjs`.

use std::time::Duration;

use axum::http::HeaderValue;
use clap::Args;
use serde::Deserialize;
use sockeye::{
    Config, Server,
    config::{Origin, SameSite, TransportKind},
};

#[derive(Args)]
pub struct HookOptions {
    /// Asks the application about each new connection, and about the headers of responses.
    #[arg(long)]
    hooks: bool,
    /// Node's `cors`, as JSON.
    #[arg(long, value_parser = json::<Cors>)]
    cors: Option<Cors>,
    /// Node's `cookie`, as JSON.
    #[arg(long, value_parser = json::<Cookie>)]
    cookie: Option<Cookie>,
    /// The only transport.
    #[arg(long, value_parser = json::<TransportKind>)]
    transport: Option<TransportKind>,
    /// Node's `path`.
    #[arg(long)]
    path: Option<String>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cors {
    origin: Vec<Origin>,
    methods: Option<Vec<String>>,
    #[serde(default)]
    allowed_headers: Vec<String>,
    #[serde(default)]
    exposed_headers: Vec<String>,
    #[serde(default)]
    credentials: bool,
    #[serde(default)]
    max_age: u64,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cookie {
    name: String,
    path: Option<String>,
    http_only: Option<bool>,
    secure: Option<bool>,
    same_site: Option<SameSite>,
    #[serde(default)]
    max_age: u64,
}

fn json<T: for<'a> Deserialize<'a>>(text: &str) -> serde_json::Result<T> {
    serde_json::from_str(text)
}

impl HookOptions {
    pub fn set(&self, config: &mut Config) {
        if let Some(cors) = &self.cors {
            config.cors.origins.clone_from(&cors.origin);
            if let Some(methods) = &cors.methods {
                config.cors.methods.clone_from(methods);
            }
            config.cors.allowed_headers.clone_from(&cors.allowed_headers);
            config.cors.exposed_headers.clone_from(&cors.exposed_headers);
            config.cors.credentials = cors.credentials;
            config.cors.max_age = Duration::from_secs(cors.max_age);
        }
        if let Some(cookie) = &self.cookie {
            let defaults = config.cookie.clone();
            config.cookie.name.clone_from(&cookie.name);
            config.cookie.path = cookie.path.clone().unwrap_or(defaults.path);
            config.cookie.http_only = cookie.http_only.unwrap_or(defaults.http_only);
            config.cookie.secure = cookie.secure.unwrap_or(defaults.secure);
            config.cookie.same_site = cookie.same_site.unwrap_or(defaults.same_site);
            config.cookie.max_age = Duration::from_secs(cookie.max_age);
        }
        if let Some(path) = &self.path {
            config.server.path.clone_from(path);
        }
        if let Some(transport) = self.transport {
            config.server.transports = vec![transport];
        }
    }

    pub fn hooked(&self, server: Server) -> Server {
        if !self.hooks {
            return server;
        }
        server
            .allow_request(async |request| {
                tokio::task::yield_now().await;
                request.header("x-refuse").map_or(Ok(()), |message| Err(message.to_owned()))
            })
            .response_headers(|headers, request| {
                if request.query("sid").is_none() {
                    headers.insert("x-initial", HeaderValue::from_static("yes"));
                }
                let mark = request.header("x-mark").unwrap_or("none").parse();
                headers.insert("x-mark", mark.expect("a header that came"));
                for cookie in ["a=1", "b=2; HttpOnly"] {
                    headers.append("set-cookie", HeaderValue::from_static(cookie));
                }
            })
    }
}

//! The host that a request is for. A page is the server's own if its origin is the same host.

use std::fmt;

use http::{HeaderMap, HeaderValue, header::HOST};

use crate::config::{HostPattern, SentOrigin, split_port};

/// Default ports, which browsers omit. Proxies often write them, even the one of the other scheme, so both count as
/// omitted in hosts and in origins.
const DEFAULT_PORTS: [u16; 2] = [80, 443];

/// The host that the client requested. An extension of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RequestedHost {
    name: String,
    port: Option<u16>,
    /// The values of a trusted proxy's headers, if the request came through one.
    forwarded: Option<Forwarded>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Forwarded {
    port: Option<u16>,
    is_https: Option<bool>,
}

impl RequestedHost {
    /// Reads the headers. Forwarding headers are used only if the peer `is_trusted`, that is in
    /// `server.trusted-proxies`. Of several forwarded values the first is used: it is the client's.
    pub(super) fn of(is_trusted: bool, headers: &HeaderMap) -> Option<Self> {
        let first = |name: &str| {
            let value = headers.get(name).filter(|_| is_trusted)?.to_str().ok()?;
            value.split(',').map(str::trim).find(|value| !value.is_empty())
        };
        let forwarded_host = first("x-forwarded-host");
        let authority = match forwarded_host {
            Some(host) => host,
            None => headers.get(HOST)?.to_str().ok()?.trim(),
        };
        let (name, port) = split_port(authority)?;
        let is_https = first("x-forwarded-proto").and_then(|scheme| match &*scheme.to_ascii_lowercase() {
            // Some proxies write the scheme of the WebSocket's URL.
            "https" | "wss" => Some(true),
            "http" | "ws" => Some(false),
            _ => None,
        });
        let port_header = first("x-forwarded-port").and_then(|port| port.parse().ok());
        let is_forwarded = forwarded_host.is_some() || is_https.is_some() || first("x-forwarded-for").is_some();
        Some(Self {
            name: name.to_owned(),
            port: port.map(str::parse).transpose().ok()?,
            forwarded: is_forwarded.then_some(Forwarded { port: port_header, is_https }),
        })
    }

    /// Whether a page with this origin was served under this host. If the proxy says that the client uses HTTPS, an
    /// HTTP origin is another page. If it says HTTP, an HTTPS origin may be the same page, since another proxy before
    /// it may terminate TLS. If the host has no port and the proxy sends X-Forwarded-Port, the origin may have that
    /// port or none.
    pub(super) fn serves(&self, origin: &SentOrigin<'_>) -> bool {
        let Forwarded { port, is_https } = self.forwarded.clone().unwrap_or_default();
        let is_http = origin.scheme.eq_ignore_ascii_case("http");
        if !(is_http && is_https != Some(true) || origin.scheme.eq_ignore_ascii_case("https")) {
            return false;
        }
        let without_default = |port: Option<u16>| port.filter(|port| !DEFAULT_PORTS.contains(port));
        let origin_port = without_default(origin.port);
        let is_port = origin_port == without_default(self.port)
            || (self.port.is_none() && port.is_some() && origin_port == without_default(port));
        is_port && origin.host.eq_ignore_ascii_case(&self.name)
    }

    /// Whether a trusted proxy says that the client speaks TLS.
    pub(super) fn is_https(&self) -> bool {
        self.forwarded.as_ref().and_then(|forwarded| forwarded.is_https) == Some(true)
    }

    /// Whether this is a name of the server. If the server listens on a loopback address, it must be a name of that
    /// address or in `server.hosts`: any other name may be that of a foreign page that resolves it to this machine (DNS
    /// rebinding). If `server.hosts` is empty, any host from a trusted proxy is accepted, although a page on the
    /// proxy's machine could forge the proxy's headers. On any other address, every name is accepted.
    pub(super) fn is_ours(&self, is_on_loopback: bool, hosts: &[HostPattern]) -> bool {
        let is_proxied = self.forwarded.is_some() && hosts.is_empty();
        !is_on_loopback || is_proxied || self.is_of_loopback(hosts)
    }

    /// The origins that a page under this host has, over HTTP and HTTPS.
    pub(super) fn origins(&self) -> [Option<HeaderValue>; 2] {
        let port = self.port.map_or_else(String::new, |port| format!(":{port}"));
        ["http", "https"].map(|scheme| HeaderValue::from_str(&format!("{scheme}://{}{port}", self.name)).ok())
    }

    fn is_of_loopback(&self, hosts: &[HostPattern]) -> bool {
        let name = self.name.strip_suffix('.').unwrap_or(&self.name).to_ascii_lowercase();
        // Resolvers never ask DNS for these names (RFC 6761, section 6.3).
        let is_localhost = name == "localhost" || name.ends_with(".localhost");
        let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(&name);
        let is_address = address.parse().is_ok_and(|address: std::net::IpAddr| address.to_canonical().is_loopback());
        is_localhost || is_address || hosts.iter().any(|host| host.matches(&name))
    }
}

/// In the form of a URL, without the parts that are unknown.
impl fmt::Display for RequestedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Forwarded { port, is_https } = self.forwarded.clone().unwrap_or_default();
        match is_https {
            Some(true) => f.write_str("https://")?,
            Some(false) => f.write_str("http://")?,
            None => {}
        }
        f.write_str(&self.name)?;
        self.port.or(port).map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests;

//! Determines the client's address and the requested host, from the peer or from a trusted proxy's headers.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, Request, State},
    middleware::Next,
    response::Response,
};
use http::HeaderMap;
use ipnet::IpNet;

use super::requested_host::RequestedHost;
use crate::{app::App, config::split_port, engine::ClientAddress};

/// Adds the client's address, if the peer is known, and the requested host to the request's extensions.
pub(super) async fn resolve(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get().map(|ConnectInfo(peer)| *peer);
    let host = match peer {
        Some(peer) => {
            let (address, host) = of(&app, peer, request.headers());
            request.extensions_mut().insert(address);
            host
        }
        // In an application that does not tell it.
        None => RequestedHost::of(false, request.headers()),
    };
    if let Some(host) = host {
        request.extensions_mut().insert(host);
    }
    next.run(request).await
}

/// The client's address and the requested host. Forwarding headers are used only if the peer is a trusted proxy.
pub(super) fn of(app: &App, peer: SocketAddr, headers: &HeaderMap) -> (ClientAddress, Option<RequestedHost>) {
    let proxies = &app.config.server.trusted_proxies;
    let peer = peer.ip().to_canonical();
    let host = RequestedHost::of(is_trusted(peer, proxies), headers);
    (ClientAddress(client(peer, headers, proxies)), host)
}

pub(super) fn is_trusted(address: IpAddr, proxies: &[IpNet]) -> bool {
    proxies.iter().any(|network| network.contains(&address))
}

/// The last address of X-Forwarded-For that is not a trusted proxy's; anything before it may be forged.
fn client(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> IpAddr {
    let mut address = peer;
    let forwarded: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|hop| !hop.is_empty())
        .collect();
    for hop in forwarded.into_iter().rev() {
        if !is_trusted(address, proxies) {
            break;
        }
        let Some(hop) = self::hop(hop) else { break };
        address = hop;
    }
    address
}

/// Parses an entry of X-Forwarded-For. Some proxies write the address with a port, in brackets, in quotes or with a
/// zone.
fn hop(text: &str) -> Option<IpAddr> {
    let text = text.trim_matches('"');
    let address = match split_port(text) {
        Some((host, _)) => host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host),
        // IPv6 without brackets, and so without a port.
        None => text,
    };
    let address = address.split('%').next()?;
    Some(address.parse::<IpAddr>().ok()?.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(peer: &str, forwarded: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", forwarded.parse().unwrap());
        let proxies = ["10.0.0.0/8".parse().unwrap()];
        client(peer.parse().unwrap(), &headers, &proxies).to_string()
    }

    #[test]
    fn only_headers_of_trusted_proxies_are_used() {
        assert_eq!(from("192.0.2.1", "203.0.113.9"), "192.0.2.1", "not a proxy of ours");
        assert_eq!(from("10.0.0.1", "203.0.113.9"), "203.0.113.9");
        assert_eq!(from("10.0.0.1", "1.1.1.1, 203.0.113.9, 10.0.0.2"), "203.0.113.9", "1.1.1.1 may be forged");
        assert_eq!(from("10.0.0.1", "nonsense"), "10.0.0.1");
    }

    #[test]
    fn addresses_are_parsed_in_every_form_that_proxies_write() {
        for (written, address) in [
            ("203.0.113.1:51008", "203.0.113.1"),
            ("[2001:db8::1]:51008", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("2001:DB8:0:0::1", "2001:db8::1"),
            ("\"[2001:db8::1]:51008\"", "2001:db8::1"),
            ("::ffff:203.0.113.1", "203.0.113.1"),
            ("[::ffff:203.0.113.1]:80", "203.0.113.1"),
            ("fe80::1%eth0", "fe80::1"),
            (" 203.0.113.1 ", "203.0.113.1"),
            ("203.0.113.1:51008, 10.0.0.2:443", "203.0.113.1"),
            ("203.0.113.1, ", "203.0.113.1"),
            (", 203.0.113.1,,10.0.0.2", "203.0.113.1"),
        ] {
            assert_eq!(from("10.0.0.1", written), address, "{written}");
        }
        for nothing in ["unknown", "_hidden", "203.0.113", "[2001:db8::1", "203.0.113.1 51008", "", "1:2:3"] {
            assert_eq!(from("10.0.0.1", nothing), "10.0.0.1", "{nothing}");
        }
    }
}

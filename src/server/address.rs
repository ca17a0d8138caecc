//! Where a request comes from, and for which host it is: what the peer says, or what a trusted proxy says.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, header::HOST};
use ipnet::IpNet;

use crate::{app::App, engine::ClientAddress};

/// The host and port the client asked for, as an extension of the request.
#[derive(Debug, Clone)]
pub(super) struct RequestedHost(pub(super) String);

pub(super) async fn resolve(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let (address, host) = of(&app, peer, request.headers());
    request.extensions_mut().insert(address);
    if let Some(host) = host {
        request.extensions_mut().insert(host);
    }
    next.run(request).await
}

/// What a request says of where it comes from and whom it is for, as far as it is believed.
pub(super) fn of(app: &App, peer: SocketAddr, headers: &HeaderMap) -> (ClientAddress, Option<RequestedHost>) {
    let proxies = &app.config.server.trusted_proxies;
    let peer = peer.ip().to_canonical();
    let host = host(is_trusted(peer, proxies), headers).map(RequestedHost);
    (ClientAddress(client(peer, headers, proxies)), host)
}

pub(super) fn is_trusted(address: IpAddr, proxies: &[IpNet]) -> bool {
    proxies.iter().any(|network| network.contains(&address))
}

/// The last address of X-Forwarded-For that is no trusted proxy's; everything before it may be made up.
fn client(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> IpAddr {
    let mut address = peer;
    let forwarded: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    for hop in forwarded.into_iter().rev() {
        if !is_trusted(address, proxies) {
            break;
        }
        let Ok(hop) = hop.trim().parse::<IpAddr>() else { break };
        address = hop.to_canonical();
    }
    address
}

fn host(is_proxied: bool, headers: &HeaderMap) -> Option<String> {
    let forwarded = headers.get("x-forwarded-host").filter(|_| is_proxied);
    Some(forwarded.or_else(|| headers.get(HOST))?.to_str().ok()?.to_owned())
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
    fn only_trusted_proxies_are_believed() {
        assert_eq!(from("192.0.2.1", "203.0.113.9"), "192.0.2.1", "not a proxy of ours");
        assert_eq!(from("10.0.0.1", "203.0.113.9"), "203.0.113.9");
        assert_eq!(from("10.0.0.1", "1.1.1.1, 203.0.113.9, 10.0.0.2"), "203.0.113.9", "1.1.1.1 is made up");
        assert_eq!(from("10.0.0.1", "nonsense"), "10.0.0.1");
    }
}

//! What a client said in the request that opened its connection, as far as it is needed later.

use std::net::IpAddr;

use http::{HeaderMap, Uri, header::AUTHORIZATION};

use super::{jsonp, version::Protocol};

/// The address of a request's client, as an extension of the request: the peer's address, or the one that a trusted
/// proxy names.
#[derive(Debug, Clone, Copy)]
pub struct ClientAddress(pub IpAddr);

/// What a client said in the request that opened its connection.
#[derive(Debug, Clone)]
pub(crate) struct Handshake {
    pub(super) protocol: Protocol,
    /// The query of the URI. It may hold a token, and is never logged.
    pub(crate) query: String,
    /// The `Authorization` header.
    pub(crate) authorization: Option<String>,
    /// The client's address.
    pub(crate) address: Option<IpAddr>,
    /// The client's own choice in the parameter `recovery`, if it made one.
    pub(super) asked_recovery: Option<bool>,
    /// Whether its events carry offsets, so that its sockets can be recovered.
    pub(super) is_recoverable: bool,
    /// The callback of JSONP, if it polls by JSONP.
    pub(super) jsonp: Option<jsonp::Callback>,
}

impl Handshake {
    /// Of a client without recovery and without JSONP.
    pub(super) fn of(protocol: Protocol, uri: &Uri, headers: &HeaderMap, address: Option<IpAddr>) -> Self {
        let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        Self {
            protocol,
            query: uri.query().unwrap_or_default().to_owned(),
            authorization: authorization.map(str::to_owned),
            address,
            asked_recovery: None,
            is_recoverable: false,
            jsonp: None,
        }
    }
}

//! The head of a request, read by hyper or before hyper.

use std::net::IpAddr;

use http::{HeaderMap, Method, Request, Uri, Version};

/// The address of a request's client, as an extension of the request: the peer's address, or the address that a trusted
/// proxy sends.
#[derive(Debug, Clone, Copy)]
pub struct ClientAddress(pub IpAddr);

/// The parts of a request that are verified.
pub(crate) struct RequestHead<'a> {
    pub(crate) method: &'a Method,
    pub(crate) version: Version,
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
    /// The client's address, if it is known.
    pub(crate) address: Option<IpAddr>,
    /// Whether the client speaks TLS, as far as the server knows.
    pub(crate) is_secure: bool,
}

impl<'a> RequestHead<'a> {
    /// The head of a request from this address.
    pub(crate) fn of<B>(request: &'a Request<B>, address: Option<ClientAddress>, is_secure: bool) -> Self {
        Self {
            method: request.method(),
            version: request.version(),
            uri: request.uri(),
            headers: request.headers(),
            address: address.map(|address| address.0),
            is_secure,
        }
    }
}

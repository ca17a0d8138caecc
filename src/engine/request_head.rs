//! The head of a request, whichever way it was read: by hyper, or before hyper.

use std::net::IpAddr;

use http::{HeaderMap, Method, Request, Uri, Version};

/// The address of a request's client, as an extension of the request: the peer's address, or the one that a trusted
/// proxy names.
#[derive(Debug, Clone, Copy)]
pub struct ClientAddress(pub IpAddr);

/// What the checks of a request look at.
pub(crate) struct RequestHead<'a> {
    pub(crate) method: &'a Method,
    pub(crate) version: Version,
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
    /// The client's address, where it is known.
    pub(crate) address: Option<IpAddr>,
}

impl<'a> RequestHead<'a> {
    /// The head of a request from this address.
    pub(crate) fn of<B>(request: &'a Request<B>, address: Option<ClientAddress>) -> Self {
        Self {
            method: request.method(),
            version: request.version(),
            uri: request.uri(),
            headers: request.headers(),
            address: address.map(|address| address.0),
        }
    }
}

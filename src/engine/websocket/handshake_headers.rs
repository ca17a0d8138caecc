//! The headers of a WebSocket handshake (RFC 6455, section 4.2): checks the request's and builds the response's.

use std::collections::HashSet;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{
    HeaderMap, HeaderValue,
    header::{CONNECTION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE},
};
use sha1::{Digest, Sha1};

/// The constant that is hashed together with the client's key (section 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Whether a request asks for a WebSocket, by its `Upgrade` header.
pub(crate) fn asks_for_websocket(headers: &HeaderMap) -> bool {
    headers.get(UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// The response to a handshake whose headers are valid.
pub(crate) struct HandshakeResponse {
    /// `Sec-WebSocket-Accept`: proof that the server has read the key.
    accept: HeaderValue,
    /// The first subprotocol that the client offers, as npm `ws` selects it. A browser that offers subprotocols closes
    /// the connection if the server selects none.
    subprotocol: Option<HeaderValue>,
}

impl HandshakeResponse {
    /// Checks the headers of a handshake: `Upgrade`, `Connection`, the version, the key and the subprotocols. `None` if
    /// one is wrong. The version must be 13, or 8 as in old drafts, which npm `ws` also accepts.
    pub(in crate::engine) fn of(headers: &HeaderMap) -> Option<Self> {
        let key = headers.get(SEC_WEBSOCKET_KEY)?.as_bytes();
        let is_key = STANDARD.decode(key).is_ok_and(|key| key.len() == 16);
        let version = headers.get(SEC_WEBSOCKET_VERSION)?.as_bytes();
        if !is_key || !matches!(version, b"13" | b"8") || !is_upgrade(headers) || !asks_for_websocket(headers) {
            return None;
        }
        let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
        let accept = HeaderValue::from_str(&STANDARD.encode(digest)).expect("base64 is a header's value");
        Some(Self { accept, subprotocol: subprotocol(headers)? })
    }

    /// The headers of the response with status 101.
    pub(in crate::engine) fn headers(self) -> impl Iterator<Item = (&'static str, HeaderValue)> {
        [
            ("Upgrade", Some(HeaderValue::from_static("websocket"))),
            ("Connection", Some(HeaderValue::from_static("Upgrade"))),
            ("Sec-WebSocket-Accept", Some(self.accept)),
            ("Sec-WebSocket-Protocol", self.subprotocol),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
    }
}

/// Whether `upgrade` is among the tokens of the `Connection` headers.
fn is_upgrade(headers: &HeaderMap) -> bool {
    let mut tokens = headers.get_all(CONNECTION).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    tokens.any(|token| token.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
}

/// The first offered subprotocol; `Some(None)` if none is offered. `None` if the header is not a list of names, or has
/// a name twice.
fn subprotocol(headers: &HeaderMap) -> Option<Option<HeaderValue>> {
    let mut first = None;
    let mut names = HashSet::new();
    for offered in headers.get_all(SEC_WEBSOCKET_PROTOCOL) {
        for name in offered.as_bytes().split(|byte| *byte == b',') {
            let name = name.trim_ascii();
            if name.is_empty() || !name.iter().copied().all(is_in_token) || !names.insert(name) {
                return None;
            }
            first.get_or_insert(name);
        }
    }
    Some(first.map(|name| HeaderValue::from_bytes(name).expect("a token is a header's value")))
}

/// Whether a byte may be part of a token (RFC 9110, section 5.6.2).
fn is_in_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

//! The headers of a WebSocket handshake (RFC 6455, section 4.2): those that a client must send, and those that answer
//! it.

use std::collections::HashSet;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{
    HeaderMap, HeaderValue,
    header::{CONNECTION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE},
};
use sha1::{Digest, Sha1};

/// What is hashed together with the client's key (section 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Whether a request asks for a WebSocket: its `Upgrade` header says so.
pub(crate) fn asks_for_websocket(headers: &HeaderMap) -> bool {
    headers.get(UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// The answer to a handshake whose headers are valid.
pub(crate) struct Acceptance {
    /// `Sec-WebSocket-Accept`: proof that the server has read the key.
    accept: HeaderValue,
    /// The first subprotocol that the client offers, as npm `ws` answers. A browser that offers some closes the
    /// connection where it gets none.
    subprotocol: Option<HeaderValue>,
}

impl Acceptance {
    /// Checks the headers of a handshake: `Upgrade`, `Connection`, the version (13, or 8, which clients of old drafts
    /// send and npm `ws` takes), the key and the subprotocols. `None` where one of them is wrong.
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

/// The first offered subprotocol, if any is offered. `None` where the header is no list of names, or a name is in it
/// twice.
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

//! The head of the request that opened a connection, as it is kept as long as the connection and its sockets: one
//! allocation of about 120 bytes for a WebSocket handshake of Node's client.
//!
//! ```text
//! flags | address: 0, 4 or 16 bytes | milliseconds: 8 bytes | length, URL | headers
//! header: 128 + place in PAIRS
//!       | 1 + place in NAMES, length, value
//!       | 0, length, name, length, value
//! ```
//!
//! A length is written in groups of seven bits, the lowest first; the eighth bit says that another group follows.

mod known_headers;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use http::HeaderMap;

use self::known_headers::{NAMES, PAIRS};
use super::request_head::RequestHead;
use crate::model::Timestamp;

/// Bits of the flags.
const SECURE: u8 = 1;
const V4: u8 = 2;
const V6: u8 = 4;
/// The first code of a header that is in [`PAIRS`].
const FIRST_PAIR: u8 = 128;

/// The head of the request that opened a connection. Cheap to clone.
#[derive(Clone)]
pub(crate) struct StoredHead(Arc<[u8]>);

impl StoredHead {
    /// Stores the head of a request that has arrived now.
    pub(super) fn of(head: &RequestHead<'_>) -> Self {
        let mut bytes = Vec::with_capacity(512);
        put_beginning(&mut bytes, head.address, Timestamp::now());
        if head.is_secure {
            bytes[0] |= SECURE;
        }
        put(&mut bytes, head.uri.path_and_query().map_or("/", |text| text.as_str()).as_bytes());
        put_headers(&mut bytes, head.headers);
        Self(bytes.into())
    }

    /// The head of a request that arrived in an earlier process, of which only this is known. Its URL is `/`.
    pub(super) fn of_earlier_process(address: Option<IpAddr>, time: Timestamp) -> Self {
        let mut bytes = Vec::new();
        put_beginning(&mut bytes, address, time);
        put(&mut bytes, b"/");
        Self(bytes.into())
    }

    /// Bytes that it holds.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the client speaks TLS, as far as the server knows.
    pub(super) fn is_secure(&self) -> bool {
        self.0[0] & SECURE != 0
    }

    /// The client's address, where it is known.
    pub(super) fn address(&self) -> Option<IpAddr> {
        let rest = &self.0[1..];
        match self.0[0] & (V4 | V6) {
            V4 => rest.first_chunk().map(|octets: &[u8; 4]| Ipv4Addr::from(*octets).into()),
            V6 => rest.first_chunk().map(|octets: &[u8; 16]| Ipv6Addr::from(*octets).into()),
            _ => None,
        }
    }

    /// When the request arrived.
    pub(super) fn time(&self) -> Timestamp {
        let millis = self.0[self.time_at()..].first_chunk().expect("the time is always there");
        Timestamp::from_millis(u64::from_le_bytes(*millis))
    }

    /// The path and the query. It may hold a token, and is never logged.
    pub(super) fn url(&self) -> &str {
        std::str::from_utf8(self.parts().0).expect("it was a text")
    }

    /// The query.
    pub(super) fn query(&self) -> &str {
        self.url().split_once('?').map_or("", |(_, query)| query)
    }

    /// The headers in the order in which they came, except that headers with the same name follow the first of them.
    /// Names are in lower case.
    pub(super) fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let mut rest = self.parts().1;
        std::iter::from_fn(move || {
            let (code, after) = rest.split_first()?;
            rest = after;
            if let Some(place) = code.checked_sub(FIRST_PAIR) {
                let (name, value) = PAIRS[usize::from(place)];
                return Some((name, value.as_bytes()));
            }
            let name = match code.checked_sub(1) {
                Some(place) => NAMES[usize::from(place)],
                None => std::str::from_utf8(take(&mut rest)).expect("names are ASCII"),
            };
            Some((name, take(&mut rest)))
        })
    }

    /// Where the time begins.
    fn time_at(&self) -> usize {
        match self.0[0] & (V4 | V6) {
            V4 => 5,
            V6 => 17,
            _ => 1,
        }
    }

    /// The URL, and the headers as they are stored.
    fn parts(&self) -> (&[u8], &[u8]) {
        let mut rest = &self.0[self.time_at() + size_of::<u64>()..];
        let url = take(&mut rest);
        (url, rest)
    }
}

/// Writes the flags, the address and the time.
fn put_beginning(bytes: &mut Vec<u8>, address: Option<IpAddr>, time: Timestamp) {
    match address {
        Some(IpAddr::V4(address)) => {
            bytes.push(V4);
            bytes.extend(address.octets());
        }
        Some(IpAddr::V6(address)) => {
            bytes.push(V6);
            bytes.extend(address.octets());
        }
        None => bytes.push(0),
    }
    bytes.extend(time.as_millis().to_le_bytes());
}

fn put_headers(bytes: &mut Vec<u8>, headers: &HeaderMap) {
    for (name, value) in headers {
        let (name, value) = (name.as_str(), value.as_bytes());
        if let Some(place) = PAIRS.iter().position(|pair| pair.0 == name && pair.1.as_bytes() == value) {
            bytes.push(FIRST_PAIR + place as u8);
            continue;
        }
        match NAMES.iter().position(|known| *known == name) {
            Some(place) => bytes.push(1 + place as u8),
            None => {
                bytes.push(0);
                put(bytes, name.as_bytes());
            }
        }
        put(bytes, value);
    }
}

/// Writes a text with its length.
fn put(bytes: &mut Vec<u8>, text: &[u8]) {
    let mut len = text.len();
    while len >= 0x80 {
        bytes.push(len as u8 | 0x80);
        len >>= 7;
    }
    bytes.push(len as u8);
    bytes.extend_from_slice(text);
}

/// Reads a text with its length.
fn take<'a>(bytes: &mut &'a [u8]) -> &'a [u8] {
    let groups = bytes.iter().position(|group| group & 0x80 == 0).expect("a length has an end");
    let len = bytes[..=groups].iter().rev().fold(0, |len, group| len << 7 | usize::from(group & 0x7f));
    let (text, rest) = bytes[groups + 1..].split_at(len);
    *bytes = rest;
    text
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue, Request};

    use super::*;
    use crate::engine::request_head::ClientAddress;

    fn stored(uri: &str, headers: &[(&'static str, &[u8])], address: Option<&str>, is_secure: bool) -> StoredHead {
        let mut request = Request::get(uri).body(()).unwrap();
        for (name, value) in headers {
            let value = HeaderValue::from_bytes(value).unwrap();
            request.headers_mut().append(HeaderName::from_static(name), value);
        }
        let address = address.map(|address| ClientAddress(address.parse().unwrap()));
        StoredHead::of(&RequestHead::of(&request, address, is_secure))
    }

    #[test]
    fn what_goes_in_comes_out() {
        let long = "x".repeat(20_000);
        let headers: &[(&'static str, &[u8])] = &[
            ("host", b"127.0.0.1:8000"),
            ("connection", b"Upgrade"),
            ("x-own", b"1"),
            ("x-own", b"2"),
            ("cookie", long.as_bytes()),
            ("referer", b""),
            ("user-agent", b"caf\xe9"),
        ];
        for (address, is_secure) in [(None, false), (Some("192.0.2.1"), true), (Some("2001:db8::1"), false)] {
            let head = stored("/socket.io/?EIO=4&a=%20", headers, address, is_secure);
            assert_eq!(head.address().map(|address| address.to_string()).as_deref(), address);
            assert_eq!(head.is_secure(), is_secure);
            assert_eq!((head.url(), head.query()), ("/socket.io/?EIO=4&a=%20", "EIO=4&a=%20"));
            assert!(head.time() <= Timestamp::now());
            assert!(head.headers().eq(headers.iter().copied()), "{:?}", head.headers().collect::<Vec<_>>());
        }
        let head = stored("/", &[], None, false);
        assert_eq!((head.url(), head.query(), head.headers().count()), ("/", "", 0));
    }

    #[test]
    fn a_handshake_of_nodes_client_is_small() {
        let headers: &[(&'static str, &[u8])] = &[
            ("sec-websocket-version", b"13"),
            ("sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
            ("connection", b"Upgrade"),
            ("upgrade", b"websocket"),
            ("sec-websocket-extensions", b"permessage-deflate; client_max_window_bits"),
            ("host", b"127.0.0.1:8000"),
        ];
        let head = stored("/socket.io/?EIO=4&transport=websocket", headers, Some("127.0.0.1"), false);
        assert!(head.len() < 100, "{} bytes", head.len());
    }

    #[test]
    fn every_header_of_the_lists_has_a_code() {
        assert!(NAMES.len() < usize::from(FIRST_PAIR) - 1);
        assert!(PAIRS.len() <= usize::from(u8::MAX - FIRST_PAIR) + 1);
    }
}

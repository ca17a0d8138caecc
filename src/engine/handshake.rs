//! What a client sent when it connected, as the application reads it: the head of its request, and the `auth` of its
//! CONNECT.

use std::{fmt, net::IpAddr, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue, header::COOKIE};
use serde::de::DeserializeOwned;

use super::stored_head::StoredHead;
use crate::{
    error::{Error, Result},
    input,
    model::Timestamp,
};

/// What a client sent when it connected: Node's `socket.handshake`. The request is the one that opened the client's
/// connection, so it is the first request of long polling where the client has moved to a WebSocket. After a recovery,
/// it is the handshake of the new connection. Cheap to clone; it is kept after the client has gone. After a restart of the
/// server, only the address and the time are known until the client is back.
///
/// ```
/// use sockeye::{Ctx, Events};
///
/// Events::new().connection(async |ctx: Ctx| {
///     let handshake = ctx.handshake();
///     let (room, session) = (handshake.query("room"), handshake.cookie("sid"));
///     let language = handshake.header("accept-language").unwrap_or("en");
///     ctx.emit("welcome", (room, session.is_some(), language))
/// });
/// ```
#[derive(Clone)]
pub struct Handshake {
    head: StoredHead,
    /// As JSON; empty where there was none.
    auth: Arc<str>,
}

impl Handshake {
    pub(super) fn new(head: &StoredHead, auth: &str) -> Self {
        Self { head: head.clone(), auth: if auth.is_empty() { Arc::default() } else { auth.into() } }
    }

    /// That of a request in an earlier process: only its address and time are known.
    pub(super) fn of_earlier_process(address: Option<IpAddr>, time: Timestamp) -> Self {
        Self::new(&StoredHead::of_earlier_process(address, time), "")
    }

    /// The value of a header, whatever case the name is written in. If the header occurs several times, the first
    /// value. `None` also where the value is no UTF-8.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.head.headers().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok()
    }

    /// All headers, copied.
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in self.head.headers() {
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value)) {
                headers.append(name, value);
            }
        }
        headers
    }

    /// The value of a cookie, with its percent-encoding decoded as by the package `cookie` in Node. If the cookie
    /// occurs several times, the first value. `None` also where the decoded value is no UTF-8.
    pub fn cookie(&self, name: &str) -> Option<String> {
        let cookies = self.head.headers().filter(|(header, _)| *header == COOKIE.as_str());
        let pairs = cookies.filter_map(|(_, value)| std::str::from_utf8(value).ok()).flat_map(|text| text.split(';'));
        let mut values = pairs.filter_map(|pair| {
            let (known, value) = pair.split_once('=')?;
            (known.trim() == name).then(|| value.trim())
        });
        let value = values.next()?;
        let unquoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        percent_decoded(unquoted)
    }

    /// The path and the query of the request, as they were sent. They may hold a token: do not log them.
    pub fn url(&self) -> &str {
        self.head.url()
    }

    /// The query as it was sent, without the `?`; empty where there was none.
    pub fn query_text(&self) -> &str {
        self.head.query()
    }

    /// The decoded value of a parameter of the query. If the parameter occurs several times, the last value, as in
    /// Node.
    pub fn query(&self, name: &str) -> Option<String> {
        self.query_pairs().into_iter().rev().find_map(|(known, value)| (known == name).then_some(value))
    }

    /// All parameters of the query, decoded and in their order. Engine.IO's own, such as `EIO`, are among them.
    pub fn query_pairs(&self) -> Vec<(String, String)> {
        // Every text is a query.
        serde_urlencoded::from_str(self.query_text()).unwrap_or_default()
    }

    /// The query as a type of one's own, whose fields are its parameters. `bad-payload` if it does not fit.
    pub fn read_query<T: DeserializeOwned>(&self) -> Result<T> {
        input::read_query(self.query_text()).map_err(Error::BadPayload)
    }

    /// The `auth` of CONNECT, as JSON text; `{}` if there was none.
    pub fn auth(&self) -> &str {
        if self.auth.is_empty() { "{}" } else { &self.auth }
    }

    /// The `auth` of CONNECT as a type of one's own. `bad-payload` if it does not fit.
    pub fn read_auth<T: DeserializeOwned>(&self) -> Result<T> {
        input::read(self.auth(), "auth").map_err(Error::BadPayload)
    }

    /// The client's address: that of the TCP connection, or the one that a proxy of `server.trusted-proxies` names.
    pub fn address(&self) -> Option<IpAddr> {
        self.head.address()
    }

    /// When the request arrived: Node's `time` and `issued`.
    pub fn time(&self) -> Timestamp {
        self.head.time()
    }

    /// Whether the client speaks TLS: a proxy of `server.trusted-proxies` says so, in `X-Forwarded-Proto`.
    pub fn is_secure(&self) -> bool {
        self.head.is_secure()
    }

    /// The `auth` of CONNECT; empty where there was none.
    pub(crate) fn sent_auth(&self) -> &str {
        &self.auth
    }
}

/// Without what the client sent: a token may be anywhere in it.
impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake").field("address", &self.address()).finish_non_exhaustive()
    }
}

/// A text without its percent-encoding. A `%` that begins none stays.
fn percent_decoded(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.first_chunk().filter(|_| *first == b'%').and_then(|[high, low]: &[u8; 2]| {
            let digit = |digit: &u8| char::from(*digit).to_digit(16);
            Some((digit(high)? * 16 + digit(low)?) as u8)
        });
        decoded.push(digits.unwrap_or(*first));
        rest = if digits.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::engine::request_head::RequestHead;

    fn handshake(uri: &str, headers: &[(&str, &str)]) -> Handshake {
        let mut request = Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).unwrap();
        Handshake::new(&StoredHead::of(&RequestHead::of(&request, None, false)), "")
    }

    #[test]
    fn cookies_are_read_as_node_reads_them() {
        let cookies = "a=1; sid=s%3Aabc.d%2Bx; quoted=\"x y\"; sid=second; empty=; percent=100%; broken=%ff";
        let handshake = handshake("/", &[("cookie", cookies), ("cookie", "more=2")]);
        for (name, value) in [
            ("a", Some("1")),
            ("sid", Some("s:abc.d+x")),
            ("quoted", Some("x y")),
            ("empty", Some("")),
            ("percent", Some("100%")),
            ("broken", None),
            ("more", Some("2")),
            ("A", None),
            ("none", None),
        ] {
            assert_eq!(handshake.cookie(name).as_deref(), value, "{name}");
        }
    }

    #[test]
    fn the_query_is_read_by_name_and_as_a_type() {
        let handshake = handshake("/socket.io/?room=blue%20one&level=3&room=two&EIO=4", &[]);
        assert_eq!(handshake.query("room").as_deref(), Some("two"));
        assert_eq!(handshake.query("missing"), None);
        assert_eq!(handshake.query_pairs().len(), 4);
        #[derive(serde::Deserialize)]
        struct Wanted {
            level: u8,
        }
        assert_eq!(handshake.read_query::<Wanted>().unwrap().level, 3);
        assert_eq!(handshake.auth(), "{}");
    }

    #[test]
    fn headers_have_any_case_and_all_their_values() {
        let handshake = handshake("/", &[("x-tag", "1"), ("x-tag", "2"), ("host", "example.com")]);
        assert_eq!(handshake.header("Host"), Some("example.com"));
        assert_eq!(handshake.headers().get_all("X-Tag").iter().count(), 2);
        assert!(!format!("{handshake:?}").contains("example.com"));
    }
}

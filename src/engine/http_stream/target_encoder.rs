//! Percent-encodes `"`, `<`, `>` and the backtick in the targets of request lines, before hyper parses them:
//! `http::Uri` refuses these characters. Node accepts them, and some clients send them, for example JSON in a query.
//!
//! To find the beginning of each request, the length of each body is read from its head. After a head whose body length
//! is not a plain Content-Length, all further bytes pass unchanged: hyper and this file must never disagree about the
//! end of a request.

/// Maximum number of bytes of an incomplete line that are held.
const LINE_MAX: usize = 64 * 1024;

/// Encodes the request lines of one connection, and passes all other bytes unchanged.
pub(super) struct TargetEncoder {
    state: State,
    /// The beginning of a line of a head, until it is complete.
    line: Vec<u8>,
    /// The length of the body, from the headers that were read so far.
    body: u64,
}

/// The position in a request.
enum State {
    /// Before or in a request line.
    Request,
    /// In the headers.
    Headers,
    /// In the body, with this number of bytes missing.
    Body(u64),
    /// All further bytes pass unchanged.
    Over,
}

impl TargetEncoder {
    /// Skips the next `len` bytes if they pass unchanged. False if they must go through [`Self::encode`].
    pub(super) fn skip(&mut self, len: usize) -> bool {
        match &mut self.state {
            State::Over => true,
            State::Body(missing) if *missing > len as u64 => {
                *missing -= len as u64;
                true
            }
            _ => false,
        }
    }

    /// An encoder at the beginning of a connection.
    pub(super) fn new() -> Self {
        Self { state: State::Request, line: Vec::new(), body: 0 }
    }

    /// Appends the bytes for hyper to `into`. An incomplete request line is held until it is complete.
    pub(super) fn encode(&mut self, mut bytes: &[u8], into: &mut Vec<u8>) {
        while !bytes.is_empty() {
            let len = match self.state {
                State::Over => bytes.len(),
                State::Body(missing) => usize::try_from(missing).unwrap_or(usize::MAX).min(bytes.len()),
                State::Request | State::Headers => {
                    bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |place| place + 1)
                }
            };
            let (piece, rest) = bytes.split_at(len);
            bytes = rest;
            match self.state {
                State::Over => into.extend_from_slice(piece),
                State::Body(missing) => {
                    into.extend_from_slice(piece);
                    let missing = missing - len as u64;
                    self.state = if missing == 0 { State::Request } else { State::Body(missing) };
                }
                State::Request => {
                    self.line.extend_from_slice(piece);
                    self.take_request_line(into);
                }
                State::Headers => {
                    into.extend_from_slice(piece);
                    self.line.extend_from_slice(piece);
                    self.take_header();
                }
            }
        }
    }

    /// Appends the request line, if it is complete or too long to be held.
    fn take_request_line(&mut self, into: &mut Vec<u8>) {
        let is_whole = self.line.ends_with(b"\n");
        if !is_whole && self.line.len() <= LINE_MAX {
            return;
        }
        let line = std::mem::take(&mut self.line);
        let is_empty = line.trim_ascii().is_empty();
        // After the HTTP method CONNECT, the bytes are not HTTP.
        self.state = match (is_whole, is_empty) {
            (true, true) => State::Request,
            (true, false) if !line.starts_with(b"CONNECT ") => State::Headers,
            _ => State::Over,
        };
        self.body = 0;
        encode_line(&line, into);
    }

    /// Parses a header, if its line is complete.
    fn take_header(&mut self) {
        if !self.line.ends_with(b"\n") {
            if self.line.len() > LINE_MAX {
                self.state = State::Over;
            }
            return;
        }
        let line = std::mem::take(&mut self.line);
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            self.state = if self.body == 0 { State::Request } else { State::Body(self.body) };
            return;
        }
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        let value = &line[(name.len() + 1).min(line.len())..];
        let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
        let is_unusual = name.is_empty() || name.iter().any(u8::is_ascii_whitespace) || line.contains(&b'\r');
        if is_unusual || is(b"transfer-encoding") || is(b"upgrade") {
            self.state = State::Over;
        } else if is(b"content-length") {
            match length(value.trim_ascii()) {
                Some(length) if self.body == 0 => self.body = length,
                _ => self.state = State::Over,
            }
        }
    }
}

/// Parses a length that consists of digits only.
fn length(digits: &[u8]) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| is_number)?.parse().ok()
}

/// Appends a request line with its target percent-encoded.
fn encode_line(line: &[u8], into: &mut Vec<u8>) {
    let target = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
    for (place, byte) in line.iter().enumerate() {
        match byte {
            b'"' | b'<' | b'>' | b'`' if place > target => into.extend_from_slice(format!("%{byte:02X}").as_bytes()),
            other => into.push(*other),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn passed(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut targets, mut passed) = (TargetEncoder::new(), Vec::new());
        for piece in pieces {
            targets.encode(piece, &mut passed);
        }
        passed
    }

    const REQUESTS: &str = concat!(
        "GET /<\">?a=\"<>\" HTTP/1.1\r\nHost: \"<x>\"\r\n\r\n",
        "POST /?b=<> HTTP/1.1\r\nContent-Length: 20\r\n\r\n/?\"<>\" HTTP/1.1\r\n\r\n<",
        "\r\nGET /?c=\" HTTP/1.1\ncontent-length:0\n\n",
        "GET /?d=\" HTTP/1.1\r\nUpgrade: websocket\r\n\r\nGET /?e=\" HTTP/1.1\r\n",
    );
    const ENCODED: &str = concat!(
        "GET /%3C%22%3E?a=%22%3C%3E%22 HTTP/1.1\r\nHost: \"<x>\"\r\n\r\n",
        "POST /?b=%3C%3E HTTP/1.1\r\nContent-Length: 20\r\n\r\n/?\"<>\" HTTP/1.1\r\n\r\n<",
        "\r\nGET /?c=%22 HTTP/1.1\ncontent-length:0\n\n",
        "GET /?d=%22 HTTP/1.1\r\nUpgrade: websocket\r\n\r\nGET /?e=\" HTTP/1.1\r\n",
    );

    #[test]
    fn only_request_lines_are_encoded() {
        assert_eq!(String::from_utf8(passed(&[REQUESTS.as_bytes()])).unwrap(), ENCODED);
        let bytes: Vec<_> = REQUESTS.as_bytes().chunks(1).collect();
        assert_eq!(String::from_utf8(passed(&bytes)).unwrap(), ENCODED);
    }

    #[test]
    fn all_bytes_after_an_unusual_head_pass_unchanged() {
        for head in [
            "Transfer-Encoding: chunked",
            "Content-Length: 1\r\nContent-Length: 1",
            "Content-Length: 1, 1",
            "Content-Length: +1",
            "Content-Length:",
            "Content-Length : 1",
            " folded: 1",
            "a\rb: 1",
        ] {
            let text = format!("POST /?\" HTTP/1.1\r\n{head}\r\n\r\nGET /?\" HTTP/1.1\r\n\r\n");
            assert_eq!(passed(&[text.as_bytes()]), text.replacen('"', "%22", 1).as_bytes(), "{head}");
        }
        let connect = b"CONNECT a:1?\" HTTP/1.1\r\n\r\nGET /?\" HTTP/1.1\r\n";
        assert!(passed(&[connect]).ends_with(b"GET /?\" HTTP/1.1\r\n"));
    }

    proptest! {
        #[test]
        fn the_output_does_not_depend_on_the_pieces_in_which_bytes_arrive(
            words in vec(prop::sample::select(vec![
                "GET ", "/?", "\"", "<", " HTTP/1.1", "\r\n", "\n", "\r", "Content-Length: 3", "Upgrade: x", ":", "abc",
            ]), 0..30),
            at in any::<prop::sample::Index>(),
        ) {
            let text = words.concat();
            let whole = passed(&[text.as_bytes()]);
            let (start, end) = text.as_bytes().split_at(at.index(text.len() + 1));
            prop_assert_eq!(&passed(&[start, end]), &whole);
            let decoded = String::from_utf8(whole).unwrap().replace("%22", "\"").replace("%3C", "<");
            prop_assert!(text.starts_with(&decoded), "only an incomplete line is held");
        }
    }
}

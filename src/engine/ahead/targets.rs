//! Percent-encodes `"`, `<`, `>` and the backtick in the targets of request lines, before hyper reads them: `http::Uri`
//! refuses them. Node takes them, and some clients send them, for example JSON in a query.
//!
//! To know where each request begins, the length of each body is read from its head. After a head with anything but a
//! plain Content-Length, all further bytes pass unchanged: hyper and this file must never disagree about where a
//! request ends.

/// The most bytes of a line that are held until it is complete.
const LINE_MAX: usize = 64 * 1024;

/// Encodes the request lines of one connection.
pub(super) struct Targets {
    state: State,
    /// The beginning of a line of a head, until it is complete.
    line: Vec<u8>,
    /// The length of the body, as far as the head was read.
    body: u64,
}

/// Where in a request the last byte was.
enum State {
    /// Before or in a request line.
    Request,
    /// In the headers.
    Headers,
    /// In the body, of which this many bytes are missing.
    Body(u64),
    /// All further bytes pass unchanged.
    Over,
}

impl Targets {
    /// Lets the next `len` bytes pass if they pass unchanged. False if [`Self::pass`] has to look at them.
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

    /// At the beginning of a connection.
    pub(super) fn new() -> Self {
        Self { state: State::Request, line: Vec::new(), body: 0 }
    }

    /// Takes bytes in and appends to `into` what hyper is to read. An incomplete request line is held.
    pub(super) fn pass(&mut self, mut bytes: &[u8], into: &mut Vec<u8>) {
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
        // What follows a CONNECT of HTTP is not HTTP.
        self.state = match (is_whole, is_empty) {
            (true, true) => State::Request,
            (true, false) if !line.starts_with(b"CONNECT ") => State::Headers,
            _ => State::Over,
        };
        self.body = 0;
        encode(&line, into);
    }

    /// Reads a header, if its line is complete.
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

/// Parses a length of digits, and nothing else.
fn length(digits: &[u8]) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| is_number)?.parse().ok()
}

/// Appends a request line with its target encoded.
fn encode(line: &[u8], into: &mut Vec<u8>) {
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
        let (mut targets, mut passed) = (Targets::new(), Vec::new());
        for piece in pieces {
            targets.pass(piece, &mut passed);
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
    fn request_lines_are_encoded_and_nothing_else() {
        assert_eq!(String::from_utf8(passed(&[REQUESTS.as_bytes()])).unwrap(), ENCODED);
        let bytes: Vec<_> = REQUESTS.as_bytes().chunks(1).collect();
        assert_eq!(String::from_utf8(passed(&bytes)).unwrap(), ENCODED);
    }

    #[test]
    fn after_an_unusual_head_nothing_is_changed() {
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
        fn any_bytes_pass_and_are_the_same_in_pieces(
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
            prop_assert!(text.starts_with(&decoded), "only a line that is not whole is missing");
        }
    }
}

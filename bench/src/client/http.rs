//! A backend's requests over one persistent connection, and the responses (RFC 9112): JSON bodies, no chunks.

use std::{fmt::Display, io::Write};

use anyhow::{Context, Result, ensure};

/// The API key of the generator.
const KEY: &str = "sk_bench";
/// Its SHA-256, for the server's configuration: `printf sk_bench | sha256sum`.
pub const KEY_HASH: &str = "9145928ebb99c266d52577bdb4b07156542755bfd0477243cb0caafda43a6149";

/// Appends a request to emit an event.
pub fn write_request(out: &mut Vec<u8>, host: impl Display, body: &[u8]) {
    write!(
        out,
        "POST /api/events HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .expect("a Vec takes all");
    out.extend_from_slice(body);
}

/// A successful response.
#[derive(Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// The body.
    pub body: &'a [u8],
    /// The length in bytes, including the head.
    pub len: usize,
}

/// Parses the first response; `None` while it is incomplete. A status other than 200 is an error.
pub fn read(bytes: &[u8]) -> Result<Option<Response<'_>>> {
    let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&bytes[..end]).context("a response's head is not UTF-8")?;
    let body = end + 4;
    let len = body + content_length(head).with_context(|| format!("no Content-Length: {head}"))?;
    let Some(body) = bytes.get(body..len) else { return Ok(None) };
    ensure!(head.starts_with("HTTP/1.1 200 "), "refused: {head}\n\n{}", String::from_utf8_lossy(body));
    Ok(Some(Response { body, len }))
}

fn content_length(head: &str) -> Option<usize> {
    let mut fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let (_, length) = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
    length.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: &str, body: &str) -> Vec<u8> {
        let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\nCONTENT-length: {}", body.len());
        format!("{head}\r\nx-request-id: 7\r\n\r\n{body}").into_bytes()
    }

    #[test]
    fn responses_come_back_from_any_split() {
        for body in ["", r#"{"success":true,"data":{"delivered":3}}"#, &"long ".repeat(20_000)] {
            let one = response("200 OK", body);
            for cut in (0..one.len().min(300)).chain([one.len() - 1]) {
                assert_eq!(read(&one[..cut]).unwrap(), None, "cut at {cut}");
            }
            let two = [one.clone(), response("200 OK", "next")].concat();
            let first = read(&two).unwrap();
            assert_eq!(first, Some(Response { body: body.as_bytes(), len: one.len() }));
            assert_eq!(read(&two[one.len()..]).unwrap().unwrap().body, b"next");
        }
    }

    #[test]
    fn another_status_and_a_body_of_unknown_length_are_errors() {
        let refused = response("429 Too Many Requests", r#"{"success":false}"#);
        assert_eq!(read(&refused[..refused.len() - 1]).unwrap(), None);
        assert!(read(&refused).unwrap_err().to_string().contains("429"));
        assert!(read(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
    }

    #[test]
    fn a_request_says_how_long_it_is() {
        let mut out = Vec::new();
        write_request(&mut out, "127.0.0.1:80", b"{}");
        let text = String::from_utf8(out).unwrap();
        assert!(text.ends_with("Content-Length: 2\r\n\r\n{}"), "{text}");
    }
}

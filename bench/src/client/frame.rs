//! WebSocket framing (RFC 6455): client frames are masked, server frames are not. No extensions, no fragments.

use std::ops::Range;

use anyhow::{Result, bail, ensure};

/// Opcode of a text frame.
pub const TEXT: u8 = 0x1;
/// Opcode of a binary frame.
pub const BINARY: u8 = 0x2;
/// Opcode of a close frame.
pub const CLOSE: u8 = 0x8;
/// Opcode of a ping.
pub const PING: u8 = 0x9;
/// Opcode of a pong.
pub const PONG: u8 = 0xA;

/// The key and its answer from RFC 6455, section 1.3, so that the generator needs no SHA-1.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The upgrade request.
pub fn upgrade_request(target: &str, host: impl std::fmt::Display) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
    )
}

/// The server's response to it.
pub fn upgrade_answer() -> String {
    let accept = String::from_utf8_lossy(ACCEPT);
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

/// The length of that response; `None` while it is incomplete.
pub fn upgrade_response(bytes: &[u8]) -> Result<Option<usize>> {
    let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else { return Ok(None) };
    let head = &bytes[..end];
    let accepted = head.starts_with(b"HTTP/1.1 101") && memchr::memmem::find(head, ACCEPT).is_some();
    ensure!(accepted, "upgrade refused: {}", String::from_utf8_lossy(bytes));
    Ok(Some(end + 4))
}

/// Appends a client's frame.
pub fn write(out: &mut Vec<u8>, opcode: u8, payload: &[u8], mask: [u8; 4]) {
    write_header(out, opcode, payload.len(), 0x80);
    out.extend_from_slice(&mask);
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
}

/// Appends a server's frame.
pub fn write_bare(out: &mut Vec<u8>, opcode: u8, parts: &[&[u8]]) {
    write_header(out, opcode, parts.iter().map(|part| part.len()).sum(), 0);
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

fn write_header(out: &mut Vec<u8>, opcode: u8, len: usize, masked: u8) {
    out.push(0x80 | opcode);
    match len {
        0..=125 => out.push(masked | len as u8),
        126..=0xFFFF => {
            out.push(masked | 126);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        _ => {
            out.push(masked | 127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
}

/// A frame from the server.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The opcode.
    pub opcode: u8,
    /// The payload.
    pub payload: &'a [u8],
    /// The length in bytes, including the header.
    pub len: usize,
}

/// Parses the first frame from the server; `None` while it is incomplete.
pub fn read(bytes: &[u8]) -> Result<Option<Frame<'_>>> {
    let [first, second, ..] = bytes else { return Ok(None) };
    if first & 0xF0 != 0x80 || second & 0x80 != 0 {
        bail!("a frame that begins with {first:02x} {second:02x}: fragmented, compressed or masked");
    }
    let Some((header, len)) = header(bytes) else { return Ok(None) };
    let len = header + len;
    Ok(bytes.get(header..len).map(|payload| Frame { opcode: first & 0x0F, payload, len }))
}

/// Unmasks the first client frame in place. Returns its opcode and the range of its payload; `None` while it is
/// incomplete.
pub fn unmask(bytes: &mut [u8]) -> Option<(u8, Range<usize>)> {
    let (header, len) = header(bytes)?;
    let mask: [u8; 4] = bytes.get(header..header + 4)?.try_into().ok()?;
    let range = header + 4..header + 4 + len;
    let payload = bytes.get_mut(range.clone())?;
    payload.chunks_mut(4).for_each(|chunk| chunk.iter_mut().zip(mask).for_each(|(byte, key)| *byte ^= key));
    Some((bytes[0] & 0x0F, range))
}

/// The lengths of the header, without the mask, and of the payload.
fn header(bytes: &[u8]) -> Option<(usize, usize)> {
    let [_, second, rest @ ..] = bytes else { return None };
    match (second & 0x7F, rest) {
        (126, [a, b, ..]) => Some((4, usize::from(u16::from_be_bytes([*a, *b])))),
        (127, [a, b, c, d, e, f, g, h, ..]) => {
            Some((10, usize::try_from(u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h])).ok()?))
        }
        (126 | 127, _) => None,
        (len, _) => Some((2, usize::from(len))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bare(opcode: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_bare(&mut bytes, opcode, &[payload]);
        bytes
    }

    #[test]
    fn frames_of_every_length_come_back_from_any_split() {
        for len in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000] {
            let payload = vec![7; len];
            let bytes = bare(TEXT, &payload);
            for cut in (0..bytes.len().min(20)).chain([bytes.len() - 1]) {
                assert_eq!(read(&bytes[..cut]).unwrap(), None);
            }
            assert_eq!(read(&bytes).unwrap(), Some(Frame { opcode: TEXT, payload: &payload, len: bytes.len() }));
        }
    }

    #[test]
    fn a_mask_is_undone_by_itself() {
        let mut out = Vec::new();
        write(&mut out, TEXT, b"hello", [1, 2, 3, 4]);
        assert_ne!(&out[6..], b"hello");
        assert_eq!(unmask(&mut out[..10]), None);
        let (opcode, range) = unmask(&mut out).unwrap();
        assert_eq!((opcode, &out[range]), (TEXT, &b"hello"[..]));
    }

    #[test]
    fn a_masked_or_fragmented_frame_is_refused() {
        assert!(read(&[0x81, 0x80, 0, 0, 0, 0]).is_err());
        assert!(read(&[0x01, 0x00]).is_err());
    }
}

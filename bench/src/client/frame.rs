//! WebSocket framing (RFC 6455): masked on the way out, bare on the way in. No extensions, no fragments.

use anyhow::{Result, bail, ensure};

/// Text.
pub const TEXT: u8 = 0x1;
/// The end.
pub const CLOSE: u8 = 0x8;
/// Asks for a pong.
pub const PING: u8 = 0x9;
/// Answers a ping.
pub const PONG: u8 = 0xA;

/// Of RFC 6455, section 1.3: a key and the only answer to it, so that the generator needs no SHA-1.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The request that opens an Engine.IO connection over WebSocket.
pub fn upgrade_request(host: impl std::fmt::Display) -> String {
    format!(
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
    )
}

/// The length of the answer to it; `None` while it is incomplete.
pub fn upgrade_response(bytes: &[u8]) -> Result<Option<usize>> {
    let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else { return Ok(None) };
    let head = &bytes[..end];
    let accepted = head.starts_with(b"HTTP/1.1 101") && memchr::memmem::find(head, ACCEPT).is_some();
    ensure!(accepted, "upgrade refused: {}", String::from_utf8_lossy(bytes));
    Ok(Some(end + 4))
}

/// Appends one frame.
pub fn write(out: &mut Vec<u8>, opcode: u8, payload: &[u8], mask: [u8; 4]) {
    out.push(0x80 | opcode);
    match payload.len() {
        len @ 0..=125 => out.push(0x80 | len as u8),
        len @ 126..=0xFFFF => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&mask);
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
}

/// A frame of the server's.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it is.
    pub opcode: u8,
    /// What it holds.
    pub payload: &'a [u8],
    /// How many bytes it took, header included.
    pub len: usize,
}

/// The first frame; `None` while it is incomplete.
pub fn read(bytes: &[u8]) -> Result<Option<Frame<'_>>> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    if first & 0xF0 != 0x80 || second & 0x80 != 0 {
        bail!("a frame that begins with {first:02x} {second:02x}: fragmented, compressed or masked");
    }
    let (header, size) = match (second & 0x7F, rest) {
        (126, [a, b, ..]) => (4, u64::from(u16::from_be_bytes([*a, *b]))),
        (127, [a, b, c, d, e, f, g, h, ..]) => (10, u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h])),
        (126 | 127, _) => return Ok(None),
        (len, _) => (2, u64::from(len)),
    };
    let len = header + usize::try_from(size)?;
    Ok(bytes.get(header..len).map(|payload| Frame { opcode: first & 0x0F, payload, len }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bare(opcode: u8, payload: &[u8]) -> Vec<u8> {
        let mut masked = Vec::new();
        write(&mut masked, opcode, payload, [0; 4]);
        let header = masked.len() - payload.len() - 4;
        masked[1] &= 0x7F;
        masked.drain(header..header + 4);
        masked
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
        let undone: Vec<u8> = out[6..].iter().zip([1, 2, 3, 4, 1]).map(|(byte, key)| byte ^ key).collect();
        assert_eq!((&out[..2], &*undone), (&[0x81, 0x85][..], &b"hello"[..]));
    }

    #[test]
    fn a_masked_or_fragmented_frame_is_refused() {
        assert!(read(&[0x81, 0x80, 0, 0, 0, 0]).is_err());
        assert!(read(&[0x01, 0x00]).is_err());
    }
}

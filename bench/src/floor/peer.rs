//! One connection of the floor server: parses bytes into requests.

use std::io::{ErrorKind, Read, Write};

use mio::net::TcpStream;

use crate::{client::frame, dialect::digits};

/// A request of a client.
pub enum Asked {
    /// Joins a room.
    Join { id: Vec<u8>, room: Vec<u8> },
    /// Sends a message to a room.
    Send { id: Vec<u8>, payload: Vec<u8> },
    /// Echoes its payload.
    Echo { id: Vec<u8>, payload: Vec<u8> },
}

/// One connection.
pub struct Peer {
    /// Data to be written at the end of the turn.
    pub out: Vec<u8>,
    /// Whether it is already in the list of connections to be written.
    pub touched: bool,
    /// The room to leave on disconnect.
    pub rooms: Vec<Vec<u8>>,
    stream: TcpStream,
    partial: Vec<u8>,
    upgraded: bool,
}

impl Peer {
    /// A newly accepted connection.
    pub fn new(stream: TcpStream) -> Peer {
        Peer { out: Vec::new(), touched: false, rooms: Vec::new(), stream, partial: Vec::new(), upgraded: false }
    }

    /// Reads all available data; false if the connection has ended.
    pub fn read(&mut self, buffer: &mut [u8], asked: &mut Vec<Asked>) -> bool {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return false,
                Ok(len) => {
                    self.partial.extend_from_slice(&buffer[..len]);
                    if !self.parse(asked) {
                        return false;
                    }
                    if len < buffer.len() {
                        return true;
                    }
                }
                Err(error) => return matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
            }
        }
    }

    /// Writes as far as the kernel accepts; the rest is written on the next readiness.
    pub fn flush(&mut self) {
        if let Ok(written) = self.stream.write(&self.out) {
            self.out.drain(..written);
        }
        if self.out.is_empty() {
            self.out = Vec::new();
        }
    }

    fn parse(&mut self, asked: &mut Vec<Asked>) -> bool {
        let mut held = std::mem::take(&mut self.partial);
        let mut used = 0;
        if !self.upgraded && held.ends_with(b"\r\n\r\n") {
            self.upgraded = true;
            used = held.len();
            self.out.extend_from_slice(frame::upgrade_answer().as_bytes());
            frame::write_bare(
                &mut self.out,
                frame::TEXT,
                &[br#"0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#],
            );
        }
        let mut open = true;
        while self.upgraded
            && let Some((opcode, range)) = frame::unmask(&mut held[used..])
        {
            let payload = &held[used..][range.clone()];
            open &= opcode != frame::CLOSE;
            match payload {
                b"40" => frame::write_bare(&mut self.out, frame::TEXT, &[br#"40{"sid":"a"}"#]),
                [b'4', b'2', event @ ..] if opcode == frame::TEXT => asked.extend(self.event(event)),
                _ if opcode == frame::CLOSE => frame::write_bare(&mut self.out, frame::CLOSE, &[payload]),
                _ => {}
            }
            used += range.end;
        }
        held.drain(..used);
        self.partial = held;
        open
    }

    fn event(&mut self, event: &[u8]) -> Option<Asked> {
        let json = digits(event).1;
        let id = event[..event.len() - json.len()].to_vec();
        let inner = json.strip_prefix(b"[")?.strip_suffix(b"]")?;
        let comma = memchr::memchr(b',', inner)?;
        let (name, payload) = (&inner[..comma], inner[comma + 1..].to_vec());
        Some(match name {
            br#""join""# | br#""join-room""# => {
                let key: &[u8] = if payload.starts_with(b"{") { br#""room":"# } else { b"" };
                let room = quoted(&payload, key).to_vec();
                self.rooms.push(room.clone());
                Asked::Join { id, room }
            }
            br#""send-message""# => Asked::Send { id, payload },
            br#""echo""# => Asked::Echo { id, payload },
            _ => return None,
        })
    }
}

/// The string value of a key.
pub fn quoted<'a>(json: &'a [u8], key: &[u8]) -> &'a [u8] {
    let after = memchr::memmem::find(json, key).map_or(&[][..], |at| &json[at + key.len()..]);
    let text = after.strip_prefix(b"\"").unwrap_or_default();
    &text[..memchr::memchr(b'"', text).unwrap_or(text.len())]
}

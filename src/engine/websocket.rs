//! WebSocket framing (RFC 6455), server side: frames in, from any split of the byte stream, and headers out.

use std::ops::ControlFlow;

/// The longest header of a frame that a server sends: it masks nothing.
pub(super) const HEADER_MAX: usize = 10;
/// Control frames carry no more (section 5.5).
const CONTROL_MAX: usize = 125;
/// What a buffer may keep between two messages.
const KEPT: usize = 1024;

/// The opcodes (section 5.2).
pub(super) mod opcode {
    pub(in crate::engine) const CONTINUATION: u8 = 0x0;
    pub(in crate::engine) const TEXT: u8 = 0x1;
    pub(in crate::engine) const BINARY: u8 = 0x2;
    pub(in crate::engine) const CLOSE: u8 = 0x8;
    pub(in crate::engine) const PING: u8 = 0x9;
    pub(in crate::engine) const PONG: u8 = 0xA;
}

/// A whole message, or a control frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message<'a> {
    /// Valid UTF-8.
    Text(&'a str),
    /// Any bytes.
    Binary(&'a [u8]),
    /// To be answered with a pong of the same bytes.
    Ping(&'a [u8]),
    /// Nothing to do.
    Pong,
    /// The peer is leaving, with this status code. It is to be answered with the same.
    Close(Option<u16>),
}

/// Why no more messages are handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Nothing that comes after counts.
    End,
    /// What comes after is kept for the next call.
    Pause,
}

/// Why the peer's bytes are no WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Violation {
    /// A rule of the RFC is broken.
    Protocol,
    /// A text that is no UTF-8.
    Utf8,
    /// Longer than may be.
    TooLarge,
}

impl Violation {
    /// The status code to close with (section 7.4.1).
    pub(super) fn status(self) -> u16 {
        match self {
            Self::Protocol => 1002,
            Self::Utf8 => 1007,
            Self::TooLarge => 1009,
        }
    }
}

/// Makes messages of bytes, however they were split on the way.
#[derive(Debug)]
pub(crate) struct Decoder {
    /// The beginning of a frame whose end has not arrived.
    partial: Vec<u8>,
    /// How long `partial` must be before it is worth a look.
    needed: usize,
    /// The fragments of a message so far, and what they are fragments of.
    fragments: Option<(u8, Vec<u8>)>,
    max_payload: usize,
    /// How many frames have arrived, parts of messages among them.
    count: u64,
}

struct Header {
    is_final: bool,
    opcode: u8,
    mask: [u8; 4],
    /// Of the header.
    len: usize,
    /// Of the payload.
    payload: usize,
}

impl Decoder {
    /// For messages of at most `max_payload` bytes.
    pub(crate) fn new(max_payload: usize) -> Self {
        Self { partial: Vec::new(), needed: 0, fragments: None, max_payload, count: 0 }
    }

    /// How many frames have arrived, parts of messages among them.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Bytes that have arrived and were not handed out.
    pub(super) fn held(&self) -> usize {
        self.partial.len() + self.fragments.as_ref().map_or(0, |(_, data)| data.len())
    }

    /// Takes bytes as they arrived and hands out the messages that are complete. They are unmasked in place.
    /// Stops where `sink` breaks, after the message that it was given.
    pub(crate) fn feed(
        &mut self,
        input: &mut [u8],
        sink: &mut dyn FnMut(Message<'_>) -> ControlFlow<Stop>,
    ) -> Result<ControlFlow<Stop>, Violation> {
        if self.partial.is_empty() {
            let (used, flow) = self.frames(input, sink)?;
            if flow != ControlFlow::Break(Stop::End) {
                self.partial.extend_from_slice(&input[used..]);
            }
            return Ok(flow);
        }
        self.partial.extend_from_slice(input);
        if self.partial.len() < self.needed {
            return Ok(ControlFlow::Continue(()));
        }
        let mut bytes = std::mem::take(&mut self.partial);
        let (used, flow) = self.frames(&mut bytes, sink)?;
        if used < bytes.len() || bytes.capacity() <= KEPT {
            bytes.drain(..used);
            self.partial = bytes;
        }
        Ok(flow)
    }

    /// Returns how many bytes were used.
    fn frames(
        &mut self,
        input: &mut [u8],
        sink: &mut dyn FnMut(Message<'_>) -> ControlFlow<Stop>,
    ) -> Result<(usize, ControlFlow<Stop>), Violation> {
        let mut used = 0;
        loop {
            let rest = &mut input[used..];
            let Some(header) = self.header(rest)? else {
                self.needed = 0;
                return Ok((used, ControlFlow::Continue(())));
            };
            let end = header.len + header.payload;
            if rest.len() < end {
                self.needed = end;
                return Ok((used, ControlFlow::Continue(())));
            }
            let payload = &mut rest[header.len..end];
            unmask(payload, header.mask);
            used += end;
            let flow = self.frame(&header, payload, sink)?;
            if flow.is_break() {
                self.needed = 0;
                return Ok((used, flow));
            }
        }
    }

    /// Section 5.2. `None` where the header is not whole yet.
    fn header(&self, bytes: &[u8]) -> Result<Option<Header>, Violation> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        let (is_final, opcode) = (first & 0x80 != 0, first & 0x0F);
        let is_control = opcode & 0x8 != 0;
        if first & 0x70 != 0 || second & 0x80 == 0 {
            return Err(Violation::Protocol);
        }
        let (payload, extended) = match second & 0x7F {
            126 => match rest.first_chunk::<2>() {
                Some(bytes) => (u64::from(u16::from_be_bytes(*bytes)), 2),
                None => return Ok(None),
            },
            127 => match rest.first_chunk::<8>() {
                Some(bytes) => (u64::from_be_bytes(*bytes), 8),
                None => return Ok(None),
            },
            short => (u64::from(short), 0),
        };
        let known = matches!(opcode, 0x0..=0x2 | 0x8..=0xA);
        let is_expected = match opcode {
            opcode::CONTINUATION => self.fragments.is_some(),
            opcode::TEXT | opcode::BINARY => self.fragments.is_none(),
            _ => true,
        };
        if !known || !is_expected || (is_control && (!is_final || payload > CONTROL_MAX as u64)) {
            return Err(Violation::Protocol);
        }
        let before = self.fragments.as_ref().map_or(0, |(_, data)| data.len());
        if !is_control && payload > (self.max_payload.saturating_sub(before)) as u64 {
            return Err(Violation::TooLarge);
        }
        let Some(mask) = rest[extended..].first_chunk::<4>() else { return Ok(None) };
        Ok(Some(Header { is_final, opcode, mask: *mask, len: 2 + extended + 4, payload: payload as usize }))
    }

    fn frame(
        &mut self,
        header: &Header,
        payload: &[u8],
        sink: &mut dyn FnMut(Message<'_>) -> ControlFlow<Stop>,
    ) -> Result<ControlFlow<Stop>, Violation> {
        self.count += 1;
        match (header.opcode, header.is_final) {
            (opcode::CLOSE, _) => Ok(sink(Message::Close(status(payload)?))),
            (opcode::PING, _) => Ok(sink(Message::Ping(payload))),
            (opcode::PONG, _) => Ok(sink(Message::Pong)),
            (opcode::CONTINUATION, is_final) => {
                let Some((_, data)) = &mut self.fragments else { return Err(Violation::Protocol) };
                data.extend_from_slice(payload);
                if !is_final {
                    return Ok(ControlFlow::Continue(()));
                }
                let (opcode, data) = self.fragments.take().ok_or(Violation::Protocol)?;
                message(opcode, &data, sink)
            }
            (opcode, true) => message(opcode, payload, sink),
            (opcode, false) => {
                self.fragments = Some((opcode, payload.to_vec()));
                Ok(ControlFlow::Continue(()))
            }
        }
    }
}

fn message(
    opcode: u8,
    data: &[u8],
    sink: &mut dyn FnMut(Message<'_>) -> ControlFlow<Stop>,
) -> Result<ControlFlow<Stop>, Violation> {
    if opcode == opcode::BINARY {
        return Ok(sink(Message::Binary(data)));
    }
    Ok(sink(Message::Text(std::str::from_utf8(data).map_err(|_| Violation::Utf8)?)))
}

/// What a close frame says (sections 5.5.1 and 7.4).
fn status(payload: &[u8]) -> Result<Option<u16>, Violation> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() { Ok(None) } else { Err(Violation::Protocol) };
    };
    let code = u16::from_be_bytes(*code);
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Violation::Protocol);
    }
    std::str::from_utf8(reason).map_err(|_| Violation::Utf8)?;
    Ok(Some(code))
}

/// Section 5.3, eight bytes at a time.
fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

/// Writes the header of an unmasked, final frame so that it ends where `room` ends. Returns where it begins.
pub(super) fn header(opcode: u8, payload: usize, room: &mut [u8; HEADER_MAX]) -> usize {
    let first = 0x80 | opcode;
    match payload {
        0..126 => {
            room[8..].copy_from_slice(&[first, payload as u8]);
            8
        }
        126..65_536 => {
            room[6..8].copy_from_slice(&[first, 126]);
            room[8..].copy_from_slice(&(payload as u16).to_be_bytes());
            6
        }
        _ => {
            room[..2].copy_from_slice(&[first, 127]);
            room[2..].copy_from_slice(&(payload as u64).to_be_bytes());
            0
        }
    }
}

/// Appends a whole frame.
pub(super) fn append(buffer: &mut Vec<u8>, opcode: u8, prefix: &[u8], payload: &[u8]) {
    let mut room = [0; HEADER_MAX];
    let start = header(opcode, prefix.len() + payload.len(), &mut room);
    buffer.extend_from_slice(&room[start..]);
    buffer.extend_from_slice(prefix);
    buffer.extend_from_slice(payload);
}

#[cfg(test)]
mod tests;

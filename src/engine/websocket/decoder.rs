//! Decodes the frames of a client (RFC 6455, section 5) into messages. The byte stream may be split at any place.

use std::ops::ControlFlow;

use super::opcode;

/// Maximum number of payload bytes of a control frame (section 5.5).
pub(super) const CONTROL_MAX: usize = 125;
/// The largest capacity that the buffer of a partial frame keeps between two messages, in bytes.
const KEPT: usize = 1024;

/// A complete message, or a control frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message<'a> {
    /// A text message, which is valid UTF-8.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
    /// A ping. The server must answer with a pong that has the same payload.
    Ping(&'a [u8]),
    /// A pong, which needs no answer.
    Pong,
    /// A close frame with its status code. The server must answer with a close frame that has the same code.
    Close(Option<u16>),
}

/// Why decoding stops after a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The connection has ended. The caller discards all further bytes.
    End,
    /// The further bytes are kept for the next call of [`Decoder::feed`].
    Pause,
}

/// How a client violated RFC 6455.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Violation {
    /// A frame or a close code that the RFC does not allow.
    Protocol,
    /// A text, or the reason of a close frame, that is not UTF-8.
    Utf8,
    /// A message longer than `limits.payload-bytes`.
    TooLarge,
}

impl Violation {
    /// The status code of the close frame that answers it (section 7.4.1).
    pub(in crate::engine) fn status(self) -> u16 {
        match self {
            Self::Protocol => 1002,
            Self::Utf8 => 1007,
            Self::TooLarge => 1009,
        }
    }
}

/// Decodes the byte stream of one client.
#[derive(Debug)]
pub(crate) struct Decoder {
    /// The bytes of an incomplete frame, and the bytes after a [`Stop::Pause`].
    partial: Vec<u8>,
    /// The length of `partial` at which its frame is complete; 0 if that is unknown.
    needed: usize,
    /// A message whose last fragment has not arrived: its opcode, and its payload so far.
    fragments: Option<(u8, Vec<u8>)>,
    /// Maximum number of bytes of one message, all fragments together.
    max_payload: usize,
    /// The number of frames decoded, fragments included.
    count: u64,
}

/// The header of a frame.
struct Header {
    is_final: bool,
    opcode: u8,
    mask: [u8; 4],
    /// Length of the header in bytes.
    len: usize,
    /// Length of the payload in bytes.
    payload: usize,
}

impl Decoder {
    /// Creates a decoder for messages of at most `max_payload` bytes.
    pub(crate) fn new(max_payload: usize) -> Self {
        Self { partial: Vec::new(), needed: 0, fragments: None, max_payload, count: 0 }
    }

    /// The number of frames decoded, fragments included.
    pub(in crate::engine) fn count(&self) -> u64 {
        self.count
    }

    /// The number of bytes that the decoder holds, of messages that it has not passed to a sink.
    pub(in crate::engine) fn held(&self) -> usize {
        self.partial.len() + self.fragments.as_ref().map_or(0, |(_, data)| data.len())
    }

    /// Decodes `input` and passes each complete message to `sink`, until `sink` breaks. The payloads are unmasked in
    /// place.
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

    /// Decodes the complete frames at the beginning of `input`, and returns the number of their bytes.
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

    /// Decodes the header of a frame (section 5.2). `None` if it is not complete.
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

    /// Processes one frame, and passes its message to `sink` if it is complete.
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

/// Passes a data message to `sink`.
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

/// The status code in the payload of a close frame (sections 5.5.1 and 7.4).
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

/// Removes the mask of a payload (section 5.3), eight bytes at a time.
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

//! The opcodes of WebSocket frames (RFC 6455, section 5.2).

/// A further fragment of a message.
pub(in crate::engine) const CONTINUATION: u8 = 0x0;
/// A text message, or its first fragment.
pub(in crate::engine) const TEXT: u8 = 0x1;
/// A binary message, or its first fragment.
pub(in crate::engine) const BINARY: u8 = 0x2;
/// The last frame of a connection, with a status code and a reason.
pub(in crate::engine) const CLOSE: u8 = 0x8;
/// Asks for a pong with the same payload.
pub(in crate::engine) const PING: u8 = 0x9;
/// The answer to a ping.
pub(in crate::engine) const PONG: u8 = 0xA;

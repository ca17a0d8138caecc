//! WebSocket (RFC 6455), server side: the handshake's headers, and frames in both directions.

mod decoder;
mod encode;
mod handshake_headers;
pub(super) mod opcode;

pub(crate) use self::{
    decoder::{Decoder, Message, Stop, Violation},
    handshake_headers::{HandshakeResponse, asks_for_websocket},
};
pub(super) use encode::{HEADER_MAX, append, header};

#[cfg(test)]
mod tests;

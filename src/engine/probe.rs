//! Reads from a WebSocket while a polling client probes it.

use std::{ops::ControlFlow, sync::Arc};

use tokio::io::AsyncReadExt;

use super::{
    connection::Connection,
    memory::ReceivedCharge,
    reader::Reader,
    stream::ReadHalf,
    websocket::{Decoder, Message, Stop},
};

/// Maximum number of bytes of one read.
const CHUNK: usize = 1024;

/// The receiving side of a WebSocket that a polling client probes. It returns one text message at a time. Later bytes
/// stay in the decoder.
pub(super) struct Probe {
    stream: ReadHalf,
    decoder: Decoder,
    /// The charge for the bytes that the decoder holds.
    charge: ReceivedCharge,
    /// Bytes that were read and are not decoded yet.
    ahead: Vec<u8>,
}

impl Probe {
    pub(super) fn new(connection: &Connection, stream: ReadHalf, ahead: Vec<u8>) -> Self {
        let decoder = Decoder::new(connection.shared.settings.max_payload.get());
        Self { stream, decoder, charge: ReceivedCharge::input(&connection.received), ahead }
    }

    /// The next text message. `None` if a binary or close message arrives, or the stream ends.
    pub(super) async fn next(&mut self) -> Option<String> {
        loop {
            let mut bytes = std::mem::take(&mut self.ahead);
            loop {
                let mut text = None;
                let mut is_over = false;
                let flow = self.decoder.feed(&mut bytes, &mut |message| {
                    match message {
                        Message::Text(message) => text = Some(message.to_owned()),
                        Message::Ping(_) | Message::Pong => {}
                        Message::Binary(_) | Message::Close(_) => is_over = true,
                    }
                    ControlFlow::Break(Stop::Pause)
                });
                self.charge.resize(self.decoder.held());
                match flow {
                    Ok(_) if text.is_some() => return text,
                    Ok(ControlFlow::Break(_)) if !is_over => bytes.clear(),
                    Ok(ControlFlow::Continue(())) => break,
                    Ok(ControlFlow::Break(_)) | Err(_) => return None,
                }
            }
            bytes = vec![0; CHUNK];
            let len = self.stream.read(&mut bytes).await.ok().filter(|len| *len > 0)?;
            bytes.truncate(len);
            self.ahead = bytes;
        }
    }

    /// The reader of the connection after the upgrade. It first processes the bytes after the last returned text.
    pub(super) fn into_reader(self, connection: Arc<Connection>) -> Reader {
        Reader::after_upgrade(connection, self.stream, self.decoder, self.charge)
    }
}

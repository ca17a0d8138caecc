//! Reads from a WebSocket while a polling connection tries it.

use std::{ops::ControlFlow, sync::Arc};

use tokio::{io::AsyncReadExt, net::tcp::OwnedReadHalf};

use super::{
    connection::Connection,
    memory::ReceivedCharge,
    reader::Reader,
    websocket::{Decoder, Message, Stop},
};

/// Bytes in one read.
const CHUNK: usize = 1024;

/// The receiving side of a WebSocket that a polling connection tries. It hands out one text at a time; what arrived
/// behind it stays in the decoder.
pub(super) struct Probe {
    stream: OwnedReadHalf,
    decoder: Decoder,
    /// The charge for the bytes that the decoder holds.
    charge: ReceivedCharge,
    /// Bytes that were read and not decoded yet.
    ahead: Vec<u8>,
}

impl Probe {
    pub(super) fn new(connection: &Connection, stream: OwnedReadHalf, ahead: Vec<u8>) -> Self {
        let decoder = Decoder::new(connection.shared.settings.max_payload.get());
        Self { stream, decoder, charge: ReceivedCharge::input(&connection.received), ahead }
    }

    /// The next text. `None` if another message arrives, or the stream ends.
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

    /// The reader of the connection that has moved to this WebSocket. It takes in what arrived behind the last text
    /// that was handed out.
    pub(super) fn into_reader(self, connection: Arc<Connection>) -> Reader {
        Reader::resumed(connection, self.stream, self.decoder, self.charge)
    }
}

//! The task of a WebSocket: reads from the client, and writes unsent bytes when the stream is writable again.

use std::{
    cell::RefCell,
    ops::ControlFlow,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::io::{AsyncRead, ReadBuf};

use super::{
    connection::{Connection, intake::Intake},
    frame::Frame,
    memory::{ReceivedCharge, SCARCE_CHUNK},
    plain::inbound::Inbound,
    reason::DisconnectReason,
    stream::ReadHalf,
    version::Protocol,
    websocket::{Decoder, Message, Stop, opcode},
};

/// The most bytes of one read. All connections of a thread share a buffer, so that an idle connection has none.
const CHUNK: usize = 64 * 1024;
/// The status code for a client that sends binary messages over plain WebSocket (RFC 6455, section 7.4.1).
const UNSUPPORTED: u16 = 1003;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; CHUNK].into_boxed_slice());
}

/// Reads from a WebSocket until it ends.
pub(crate) struct Reader {
    connection: Arc<Connection>,
    stream: ReadHalf,
    decoder: Decoder,
    intake: Intake,
    /// The charge for the bytes that the decoder holds.
    charge: Option<Box<ReceivedCharge>>,
    /// Whether the decoder holds messages that were not processed because of [`Intake`].
    is_paused: bool,
    /// The receiving side of a client of plain WebSocket.
    plain: Option<Box<Inbound>>,
    /// Whether the connection has ended. The client's input is then ignored.
    is_ended: bool,
}

impl Reader {
    /// The reader of a new connection over a WebSocket.
    pub(super) fn new(connection: Arc<Connection>, stream: ReadHalf) -> Self {
        let decoder = Decoder::new(connection.shared.settings.max_payload.get());
        let plain = connection.wire.plain().map(|plain| Box::new(Inbound::new(&connection, plain)));
        let intake = Intake::default();
        Self { connection, stream, decoder, intake, charge: None, is_paused: false, plain, is_ended: false }
    }

    /// The reader of a connection that was upgraded from polling. `decoder` holds the bytes after the upgrade packet,
    /// and `charge` is the charge for them.
    pub(super) fn after_upgrade(
        connection: Arc<Connection>,
        stream: ReadHalf,
        decoder: Decoder,
        charge: ReceivedCharge,
    ) -> Self {
        let mut reader = Self::new(connection, stream);
        (reader.decoder, reader.charge, reader.is_paused) = (decoder, Some(Box::new(charge)), true);
        reader
    }

    /// Processes bytes that were read before the reader was made.
    pub(super) fn feed(&mut self, ahead: &mut [u8]) {
        self.process(ahead);
    }

    /// Runs until the connection is closed.
    pub(crate) async fn run(mut self) {
        std::future::poll_fn(|cx| self.poll(cx)).await;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            {
                let mut output = self.connection.output();
                if !output.register_reader(cx) {
                    return Poll::Ready(());
                }
                let is_writable = output.poll_unblocked(cx);
                drop(output);
                if is_writable {
                    self.connection.flush();
                    continue;
                }
            }
            self.resume_plain();
            if !self.is_ended {
                match self.intake.poll_ready(&self.connection, cx) {
                    Poll::Pending if self.connection.is_closed() => self.ignore_input(),
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(()) if std::mem::take(&mut self.is_paused) => {
                        self.process(&mut []);
                        continue;
                    }
                    Poll::Ready(()) => {}
                }
            }
            let chunk = if self.connection.shared.account.is_scarce() { SCARCE_CHUNK } else { CHUNK };
            let read = BUFFER.with_borrow_mut(|buffer| {
                let mut bytes = ReadBuf::new(&mut buffer[..chunk]);
                let result = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut bytes));
                let len = bytes.filled().len();
                Poll::Ready(match result {
                    Ok(()) if len > 0 => {
                        self.process(&mut buffer[..len]);
                        None
                    }
                    Ok(()) | Err(_) => Some(()),
                })
            });
            if let Some(()) = ready!(read) {
                self.connection.abort(DisconnectReason::TransportClose);
                return Poll::Ready(());
            }
        }
    }

    /// The connection has ended: discards what was received, and from now on only waits for the end of the stream.
    fn ignore_input(&mut self) {
        self.is_ended = true;
        self.decoder = Decoder::new(0);
        (self.plain, self.charge) = (None, None);
    }

    /// Processes the texts that a client of plain WebSocket sent while its CONNECT was undecided, if it is decided now.
    fn resume_plain(&mut self) {
        let Some(plain) = &mut self.plain else { return };
        if self.is_ended || !plain.is_decided() {
            return;
        }
        self.connection.output().cork();
        self.is_ended = plain.resume(&self.connection).is_break();
        self.connection.flush();
    }

    /// Processes bytes. All frames that are sent during the call leave in one write.
    fn process(&mut self, bytes: &mut [u8]) {
        if self.is_ended {
            return;
        }
        self.connection.output().cork();
        let Self { connection, decoder, intake, plain, .. } = self;
        let frames = decoder.count();
        let result = decoder.feed(bytes, &mut |message| {
            let flow = match plain {
                None => process_message(connection, message),
                Some(plain) => process_plain_message(connection, plain, message),
            };
            match flow {
                ControlFlow::Break(()) => ControlFlow::Break(Stop::End),
                ControlFlow::Continue(()) if intake.packet_processed(connection) => ControlFlow::Continue(()),
                ControlFlow::Continue(()) => ControlFlow::Break(Stop::Pause),
            }
        });
        if plain.is_some() && decoder.count() != frames {
            connection.frame_arrived();
        }
        match result {
            Ok(ControlFlow::Continue(())) => {}
            Ok(ControlFlow::Break(Stop::Pause)) => self.is_paused = true,
            Ok(ControlFlow::Break(Stop::End)) => self.is_ended = true,
            Err(violation) => {
                self.is_ended = true;
                self.connection.end_for_violation(violation);
            }
        }
        let held = if self.is_ended { 0 } else { self.decoder.held() };
        if held > 0 {
            self.charge.get_or_insert_with(|| Box::new(ReceivedCharge::input(&self.connection.received))).resize(held);
        } else if self.charge.is_some() {
            self.charge = None;
        }
        self.connection.flush();
    }
}

/// Processes a message of a client of plain WebSocket. Breaks if the connection has ended.
fn process_plain_message(connection: &Arc<Connection>, plain: &mut Inbound, message: Message<'_>) -> ControlFlow<()> {
    match message {
        Message::Text(_) if connection.is_closed() => ControlFlow::Continue(()),
        Message::Text(text) => plain.receive(connection, text),
        Message::Binary(_) => {
            connection.note_mistake(DisconnectReason::TransportError, "a binary message over plain WebSocket");
            connection.end(DisconnectReason::TransportError, Some(UNSUPPORTED));
            ControlFlow::Break(())
        }
        message => process_message(connection, message),
    }
}

/// Processes a message of a client of Socket.IO. Breaks if the connection has ended.
fn process_message(connection: &Arc<Connection>, message: Message<'_>) -> ControlFlow<()> {
    match message {
        Message::Text(text) => connection.process_text(text),
        Message::Binary(data) => match (connection.protocol, data) {
            (Protocol::V3, [4, data @ ..]) => connection.process_binary(Bytes::copy_from_slice(data)),
            (Protocol::V3, _) => connection
                .break_for_mistake(DisconnectReason::ParseError, "a binary message without the type of Engine.IO 3"),
            (_, data) => connection.process_binary(Bytes::copy_from_slice(data)),
        },
        Message::Ping(data) => {
            connection.pay();
            connection.send(&Frame::control(opcode::PONG, data));
            ControlFlow::Continue(())
        }
        Message::Pong => {
            connection.pay();
            ControlFlow::Continue(())
        }
        Message::Close(status) => {
            connection.close_frame_received(status);
            ControlFlow::Break(())
        }
    }
}

/// Application code runs in this task. If it panics, the connection is aborted.
impl Drop for Reader {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.connection.abort(DisconnectReason::TransportError);
        }
    }
}

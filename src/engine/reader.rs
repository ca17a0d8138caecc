//! The task of a WebSocket: it reads from the client, and writes what is left when the kernel takes more.

use std::{
    cell::RefCell,
    ops::ControlFlow,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, ReadBuf},
    net::tcp::OwnedReadHalf,
};

use super::{
    connection::{Connection, intake::Intake},
    frame::Frame,
    memory::{ReceivedCharge, SCARCE_CHUNK},
    plain::inbound::Inbound,
    reason::DisconnectReason,
    version::Protocol,
    websocket::{Decoder, Message, Stop, opcode},
};

/// The most bytes of one read. The buffer is one per thread, so that an idle connection has none.
const CHUNK: usize = 64 * 1024;
/// The status code for a client that sends binary messages over plain WebSocket (RFC 6455, section 7.4.1).
const UNSUPPORTED: u16 = 1003;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; CHUNK].into_boxed_slice());
}

/// Reads from a WebSocket until it ends.
pub(crate) struct Reader {
    connection: Arc<Connection>,
    stream: OwnedReadHalf,
    decoder: Decoder,
    intake: Intake,
    /// The charge for the bytes that the decoder holds.
    charge: Option<Box<ReceivedCharge>>,
    /// Whether the decoder holds messages that wait for their turn.
    is_paused: bool,
    /// The receiving side of a client of plain WebSocket.
    plain: Option<Box<Inbound>>,
    /// Whether the connection has ended: what the client sends now is dropped.
    is_leaving: bool,
}

impl Reader {
    /// The reader of a new connection over a WebSocket.
    pub(super) fn new(connection: Arc<Connection>, stream: OwnedReadHalf) -> Self {
        let decoder = Decoder::new(connection.shared.settings.max_payload.get());
        let plain = connection.wire.plain().map(|plain| Box::new(Inbound::new(&connection, plain)));
        let intake = Intake::default();
        Self { connection, stream, decoder, intake, charge: None, is_paused: false, plain, is_leaving: false }
    }

    /// The reader of a client whose polling connection has moved to this WebSocket. `decoder` holds what it sent behind
    /// the upgrade, and `charge` is the charge for that.
    pub(super) fn resumed(
        connection: Arc<Connection>,
        stream: OwnedReadHalf,
        decoder: Decoder,
        charge: ReceivedCharge,
    ) -> Self {
        let mut reader = Self::new(connection, stream);
        (reader.decoder, reader.charge, reader.is_paused) = (decoder, Some(Box::new(charge)), true);
        reader
    }

    /// Takes in bytes that were read before the reader was made.
    pub(super) fn feed(&mut self, ahead: &mut [u8]) {
        self.take(ahead);
    }

    /// Runs until the connection is closed.
    pub(crate) async fn run(mut self) {
        std::future::poll_fn(|cx| self.poll(cx)).await;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            {
                let mut output = self.connection.output();
                if !output.watch(cx) {
                    return Poll::Ready(());
                }
                let is_writable = output.poll_unblocked(cx);
                drop(output);
                if is_writable {
                    self.connection.flush();
                    continue;
                }
            }
            self.go_on();
            if !self.is_leaving {
                match self.intake.poll_ready(&self.connection, cx) {
                    Poll::Pending if self.connection.is_closed() => self.leave(),
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(()) if std::mem::take(&mut self.is_paused) => {
                        self.take(&mut []);
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
                        self.take(&mut buffer[..len]);
                        None
                    }
                    Ok(()) | Err(_) => Some(()),
                })
            });
            if let Some(()) = ready!(read) {
                self.connection.lose(DisconnectReason::TransportClose);
                return Poll::Ready(());
            }
        }
    }

    /// The connection has ended: drops what has arrived, and from now on waits only for the end of the stream.
    fn leave(&mut self) {
        self.is_leaving = true;
        self.decoder = Decoder::new(0);
        (self.plain, self.charge) = (None, None);
    }

    /// Takes in what a client of plain WebSocket sent while its CONNECT was undecided, if that is decided now.
    fn go_on(&mut self) {
        let Some(plain) = &mut self.plain else { return };
        if self.is_leaving || !plain.is_decided() {
            return;
        }
        self.connection.output().cork();
        self.is_leaving = plain.go_on(&self.connection).is_break();
        self.connection.flush();
    }

    /// Takes bytes in. All that is sent meanwhile leaves in one write.
    fn take(&mut self, bytes: &mut [u8]) {
        if self.is_leaving {
            return;
        }
        self.connection.output().cork();
        let Self { connection, decoder, intake, plain, .. } = self;
        let frames = decoder.count();
        let taken = decoder.feed(bytes, &mut |message| {
            let flow = match plain {
                None => take(connection, message),
                Some(plain) => take_plain(connection, plain, message),
            };
            match flow {
                ControlFlow::Break(()) => ControlFlow::Break(Stop::End),
                ControlFlow::Continue(()) if intake.took(connection) => ControlFlow::Continue(()),
                ControlFlow::Continue(()) => ControlFlow::Break(Stop::Pause),
            }
        });
        if plain.is_some() && decoder.count() != frames {
            connection.frame_arrived();
        }
        match taken {
            Ok(ControlFlow::Continue(())) => {}
            Ok(ControlFlow::Break(Stop::Pause)) => self.is_paused = true,
            Ok(ControlFlow::Break(Stop::End)) => self.is_leaving = true,
            Err(violation) => {
                self.is_leaving = true;
                self.connection.violated(violation);
            }
        }
        let held = if self.is_leaving { 0 } else { self.decoder.held() };
        if held > 0 {
            self.charge.get_or_insert_with(|| Box::new(ReceivedCharge::input(&self.connection.received))).resize(held);
        } else if self.charge.is_some() {
            self.charge = None;
        }
        self.connection.flush();
    }
}

/// Takes in a message of a client of plain WebSocket. Breaks if the connection has ended.
fn take_plain(connection: &Arc<Connection>, plain: &mut Inbound, message: Message<'_>) -> ControlFlow<()> {
    match message {
        Message::Text(_) if connection.is_closed() => ControlFlow::Continue(()),
        Message::Text(text) => plain.take(connection, text),
        Message::Binary(_) => {
            connection.note_mistake(DisconnectReason::TransportError, "binary, which plain WebSocket has no use for");
            connection.end(DisconnectReason::TransportError, Some(UNSUPPORTED));
            ControlFlow::Break(())
        }
        message => take(connection, message),
    }
}

/// Takes in a message of a client of Socket.IO. Breaks if the connection has ended.
fn take(connection: &Arc<Connection>, message: Message<'_>) -> ControlFlow<()> {
    match message {
        Message::Text(text) => connection.take_text(text),
        Message::Binary(data) => match (connection.protocol, data) {
            (Protocol::V3, [4, data @ ..]) => connection.take_binary(Bytes::copy_from_slice(data)),
            (Protocol::V3, _) => {
                connection.refuse(DisconnectReason::ParseError, "a binary message without the type of Engine.IO 3")
            }
            (_, data) => connection.take_binary(Bytes::copy_from_slice(data)),
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
            connection.answer_close(status);
            ControlFlow::Break(())
        }
    }
}

/// The code of an application runs in this task. If it panics, the connection is closed.
impl Drop for Reader {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.connection.lose(DisconnectReason::TransportError);
        }
    }
}

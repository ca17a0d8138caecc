//! A WebSocket's one task: it reads, and it writes when the kernel takes more again.

use std::{
    cell::RefCell,
    collections::VecDeque,
    ops::ControlFlow,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncReadExt, ReadBuf},
    net::tcp::OwnedReadHalf,
};

use super::{
    DisconnectReason, Protocol,
    frame::Frame,
    link::Link,
    plain,
    websocket::{Decoder, Message, Violation, opcode},
};

/// Bytes in one read. One buffer a thread: an idle connection has none.
const CHUNK: usize = 64 * 1024;
/// What a client is told that sends what it may not (RFC 6455, section 7.4.1).
const UNSUPPORTED: u16 = 1003;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; CHUNK].into_boxed_slice());
}

/// Reads from a WebSocket until it ends.
pub(crate) struct Reader {
    link: Arc<Link>,
    stream: OwnedReadHalf,
    decoder: Decoder,
    /// Where a client of plain WebSocket is on its way in.
    plain: Option<Box<plain::Incoming>>,
    /// Nothing that comes now counts: the client was told goodbye.
    is_leaving: bool,
}

impl Reader {
    pub(super) fn new(link: Arc<Link>, stream: OwnedReadHalf, decoder: Decoder) -> Self {
        Self { link, stream, decoder, plain: None, is_leaving: false }
    }

    /// Of a client of plain WebSocket.
    pub(super) fn plain(link: Arc<Link>, stream: OwnedReadHalf, decoder: Decoder, plain: plain::Incoming) -> Self {
        Self { link, stream, decoder, plain: Some(Box::new(plain)), is_leaving: false }
    }

    /// Takes in what was read before.
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
                let mut output = self.link.output();
                if !output.watch(cx) {
                    return Poll::Ready(());
                }
                let is_writable = output.poll_unblocked(cx);
                drop(output);
                if is_writable {
                    self.link.flush();
                    continue;
                }
            }
            self.go_on();
            let read = BUFFER.with_borrow_mut(|buffer| {
                let mut bytes = ReadBuf::new(buffer);
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
                self.link.lose(DisconnectReason::TransportClose);
                return Poll::Ready(());
            }
        }
    }

    /// Takes in what a client of plain WebSocket had sent before it was let in.
    fn go_on(&mut self) {
        let (Some(incoming), Some(plain)) = (&mut self.plain, &self.link.plain) else { return };
        if self.is_leaving || !plain.is_decided() {
            return;
        }
        self.link.output().cork();
        self.is_leaving = incoming.go_on(&self.link, plain).is_break();
        self.link.flush();
    }

    /// Takes bytes in. What is answered at once leaves in one write.
    fn take(&mut self, bytes: &mut [u8]) {
        if self.is_leaving {
            return;
        }
        self.link.output().cork();
        let Self { link, decoder, plain, .. } = self;
        let frames = decoder.count();
        let taken = decoder.feed(bytes, &mut |message| match plain {
            None => take(link, message),
            Some(plain) => take_plain(link, plain, message),
        });
        if plain.is_some() && decoder.count() != frames {
            link.frame_arrived();
        }
        match taken {
            Ok(ControlFlow::Continue(())) => {}
            Ok(ControlFlow::Break(())) => self.is_leaving = true,
            Err(violation) => {
                self.is_leaving = true;
                self.link.violated(violation);
            }
        }
        self.link.flush();
    }
}

fn take_plain(link: &Arc<Link>, plain: &mut plain::Incoming, message: Message<'_>) -> ControlFlow<()> {
    match (message, &link.plain) {
        (Message::Text(text), Some(state)) if !link.is_closed() => plain.take(link, state, text),
        (Message::Text(_), _) => ControlFlow::Continue(()),
        (message, _) => take(link, message),
    }
}

fn take(link: &Arc<Link>, message: Message<'_>) -> ControlFlow<()> {
    match message {
        Message::Text(text) => link.take_text(text),
        Message::Binary(data) => match link.protocol {
            Protocol::Plain => {
                link.note_mistake(DisconnectReason::TransportError, "binary, which plain WebSocket has no use for");
                link.end(DisconnectReason::TransportError, Some(UNSUPPORTED));
                ControlFlow::Break(())
            }
            Protocol::V4 => link.take_binary(Bytes::copy_from_slice(data)),
            Protocol::V3 => match data {
                [4, data @ ..] => link.take_binary(Bytes::copy_from_slice(data)),
                _ => link.refuse(DisconnectReason::ParseError, "a binary message without the type of Engine.IO 3"),
            },
        },
        Message::Ping(data) => {
            link.send(&Frame::control(opcode::PONG, data));
            ControlFlow::Continue(())
        }
        Message::Pong => ControlFlow::Continue(()),
        Message::Close(status) => {
            link.answer_close(status);
            ControlFlow::Break(())
        }
    }
}

/// An application's own code runs in this task, and may panic: the link does not outlive that.
impl Drop for Reader {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.link.lose(DisconnectReason::TransportError);
        }
    }
}

/// What arrives at a WebSocket that is being tried.
pub(super) struct Probe {
    stream: OwnedReadHalf,
    decoder: Decoder,
    /// What arrived together.
    early: VecDeque<Early>,
}

/// A message that was read before anybody could take it.
enum Early {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Close(Option<u16>),
    Violation(Violation),
}

impl Early {
    fn of(message: Message<'_>) -> Option<Self> {
        Some(match message {
            Message::Text(text) => Self::Text(text.to_owned()),
            Message::Binary(data) => Self::Binary(data.to_vec()),
            Message::Ping(data) => Self::Ping(data.to_vec()),
            Message::Close(status) => Self::Close(status),
            Message::Pong => return None,
        })
    }
}

impl Probe {
    pub(super) fn new(stream: OwnedReadHalf, decoder: Decoder, ahead: Vec<u8>) -> Self {
        let mut probe = Self { stream, decoder, early: VecDeque::new() };
        probe.take(ahead);
        probe
    }

    /// The next text; `None` when something else comes, or the connection ends.
    pub(super) async fn next(&mut self) -> Option<String> {
        loop {
            match self.early.pop_front() {
                Some(Early::Text(text)) => return Some(text),
                Some(Early::Ping(_)) => {}
                Some(Early::Binary(_) | Early::Close(_) | Early::Violation(_)) => return None,
                None => {
                    let mut bytes = vec![0; 1024];
                    let len = self.stream.read(&mut bytes).await.ok().filter(|len| *len > 0)?;
                    bytes.truncate(len);
                    self.take(bytes);
                }
            }
        }
    }

    fn take(&mut self, mut bytes: Vec<u8>) {
        let early = &mut self.early;
        let taken = self.decoder.feed(&mut bytes, &mut |message| {
            early.extend(Early::of(message));
            ControlFlow::Continue(())
        });
        if let Err(violation) = taken {
            self.early.push_back(Early::Violation(violation));
        }
    }

    /// It is what was tried for: from now on the link speaks through it. What came after the last text that was asked
    /// for is taken in.
    pub(super) fn into_reader(self, link: Arc<Link>) -> Reader {
        let Self { stream, decoder, early } = self;
        let mut reader = Reader::new(link, stream, decoder);
        for message in early {
            if reader.is_leaving {
                break;
            }
            let flow = match message {
                Early::Text(text) => take(&reader.link, Message::Text(&text)),
                Early::Binary(data) => take(&reader.link, Message::Binary(&data)),
                Early::Ping(data) => take(&reader.link, Message::Ping(&data)),
                Early::Close(status) => take(&reader.link, Message::Close(status)),
                Early::Violation(violation) => {
                    reader.link.violated(violation);
                    ControlFlow::Break(())
                }
            };
            reader.is_leaving = flow.is_break();
        }
        reader
    }
}

//! A WebSocket's one task: it reads, and it writes when the kernel takes more again.

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
    DisconnectReason, Protocol,
    frame::Frame,
    link::Link,
    websocket::{Decoder, Message, Violation, opcode},
};

/// Bytes in one read. One buffer a thread: an idle connection has none.
const CHUNK: usize = 64 * 1024;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; CHUNK].into_boxed_slice());
}

/// Reads from a WebSocket until it ends.
pub(super) struct Reader {
    link: Arc<Link>,
    stream: OwnedReadHalf,
    decoder: Decoder,
    /// Nothing that comes now counts: the client was told goodbye.
    is_leaving: bool,
}

impl Reader {
    pub(super) fn new(link: Arc<Link>, stream: OwnedReadHalf, decoder: Decoder) -> Self {
        Self { link, stream, decoder, is_leaving: false }
    }

    /// Takes in what was read before.
    pub(super) fn feed(&mut self, mut ahead: Vec<u8>) {
        self.take(&mut ahead);
    }

    /// Runs until the connection is closed.
    pub(super) async fn run(mut self) {
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

    /// Takes bytes in. What is answered at once leaves in one write.
    fn take(&mut self, bytes: &mut [u8]) {
        if self.is_leaving {
            return;
        }
        self.link.output().cork();
        let Self { link, decoder, .. } = self;
        let taken = decoder.feed(bytes, &mut |message| take(link, message));
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

fn take(link: &Arc<Link>, message: Message<'_>) -> ControlFlow<()> {
    match message {
        Message::Text(text) => link.take_text(text),
        Message::Binary(data) => match link.protocol {
            Protocol::V4 => link.take_binary(Bytes::copy_from_slice(data)),
            Protocol::V3 => match data {
                [4, data @ ..] => link.take_binary(Bytes::copy_from_slice(data)),
                _ => {
                    link.end(DisconnectReason::ParseError, None);
                    ControlFlow::Break(())
                }
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

/// Whatever ends the task, the link does not outlive it.
impl Drop for Reader {
    fn drop(&mut self) {
        self.link.lose(DisconnectReason::TransportError);
    }
}

/// The packets of a WebSocket that is being tried, one after the other.
pub(super) struct Probe {
    stream: OwnedReadHalf,
    decoder: Decoder,
    /// Texts that arrived together.
    texts: std::collections::VecDeque<String>,
    has_ended: bool,
}

impl Probe {
    pub(super) fn new(stream: OwnedReadHalf, decoder: Decoder, ahead: Vec<u8>) -> Self {
        let mut probe = Self { stream, decoder, texts: std::collections::VecDeque::new(), has_ended: false };
        probe.take(ahead);
        probe
    }

    /// The next text; `None` when the connection ends or breaks the rules.
    pub(super) async fn next(&mut self) -> Option<String> {
        use tokio::io::AsyncReadExt;
        while self.texts.is_empty() {
            if self.has_ended {
                return None;
            }
            let mut bytes = vec![0; 1024];
            let len = self.stream.read(&mut bytes).await.ok().filter(|len| *len > 0)?;
            bytes.truncate(len);
            self.take(bytes);
        }
        self.texts.pop_front()
    }

    fn take(&mut self, mut bytes: Vec<u8>) {
        let texts = &mut self.texts;
        let taken = self.decoder.feed(&mut bytes, &mut |message| match message {
            Message::Text(text) => {
                texts.push_back(text.to_owned());
                ControlFlow::Continue(())
            }
            Message::Ping(_) | Message::Pong => ControlFlow::Continue(()),
            Message::Binary(_) | Message::Close(_) => ControlFlow::Break(()),
        });
        if !matches!(taken, Ok::<_, Violation>(ControlFlow::Continue(()))) {
            self.has_ended = true;
        }
    }

    /// What is left of it, with the texts that came after the last one asked for.
    pub(super) fn into_parts(self) -> (OwnedReadHalf, Decoder, std::collections::VecDeque<String>) {
        (self.stream, self.decoder, self.texts)
    }
}

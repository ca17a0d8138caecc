//! One connection of a test client: a task that reads packets, answers pings, and keeps events and acknowledgements.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use futures_util::{SinkExt, StreamExt};
use parking_lot::Mutex;
use serde_json::{Value, value::RawValue};
use tokio::{
    net::TcpStream,
    sync::{
        Notify,
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    },
    task::JoinHandle,
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, tungstenite::Message};

use super::{
    connect_error::ConnectError,
    decode::{Decoder, Packet, prefix},
};
use crate::protocol::Arguments;

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Why a connection ended, in the words of `socket.io-client`.
const SERVER_DISCONNECT: &str = "io server disconnect";
const TRANSPORT_CLOSE: &str = "transport close";

/// What the server answered to CONNECT.
pub(super) struct Joined {
    pub(super) id: String,
    /// The `pid` with which the client can recover its socket; `None` if the server does not offer recovery.
    pub(super) recovery: Option<String>,
}

/// An event that was received, and that the test has not taken yet.
pub(super) struct Received {
    pub(super) name: String,
    pub(super) arguments: Arguments,
    /// The id for the acknowledgement, if the server asked for one.
    pub(super) ack: Option<u64>,
}

/// What the connection has received.
#[derive(Default)]
pub(super) struct Inbox {
    pub(super) events: VecDeque<Received>,
    pub(super) acks: HashMap<u64, Arguments>,
    /// The offset of the last event.
    pub(super) offset: Option<String>,
    /// Why the connection ended, if it has.
    pub(super) ended: Option<&'static str>,
}

/// One connection.
pub(super) struct Session {
    inbox: Arc<Mutex<Inbox>>,
    changed: Arc<Notify>,
    outgoing: UnboundedSender<Message>,
    /// `None` when `close` or `cut` has waited for its end.
    task: Option<JoinHandle<()>>,
}

impl Session {
    /// Joins a namespace and starts the task.
    pub(super) async fn join(
        mut stream: Stream,
        namespace: &str,
        auth: &Value,
    ) -> Result<(Self, Joined), ConnectError> {
        let lost = || ConnectError { message: TRANSPORT_CLOSE.to_owned(), data: None };
        let connect = format!("40{}{auth}", prefix(namespace));
        stream.send(Message::text(connect)).await.map_err(|_| lost())?;
        let mut reader = Reader::new(namespace);
        let joined = loop {
            let frame = stream.next().await.and_then(Result::ok).ok_or_else(lost)?;
            match reader.packet(&mut stream, frame).await {
                Some(Packet::Connect(answer)) => {
                    let text = |name: &str| answer[name].as_str().map(str::to_owned);
                    break Joined { id: text("sid").unwrap_or_default(), recovery: text("pid") };
                }
                Some(Packet::Refused(answer)) => {
                    let message = answer["message"].as_str().unwrap_or_default().to_owned();
                    return Err(ConnectError { message, data: answer.get("data").cloned() });
                }
                // The events that a recovered client missed arrive before the CONNECT of the server.
                Some(packet) => reader.keep(packet),
                None => {}
            }
        };
        reader.has_offsets = joined.recovery.is_some();
        let (outgoing, to_send) = unbounded_channel();
        let (inbox, changed) = (reader.inbox.clone(), reader.changed.clone());
        let task = tokio::spawn(reader.run(stream, to_send));
        Ok((Self { inbox, changed, outgoing, task: Some(task) }, joined))
    }

    /// Sends a text and its attachments. What a closed connection cannot send is lost, as in a volatile emit.
    pub(super) fn send(&self, text: String, arguments: &Arguments) {
        let attachments = arguments.attachments().iter().cloned().map(Message::Binary);
        for frame in std::iter::once(Message::text(text)).chain(attachments) {
            drop(self.outgoing.send(frame));
        }
    }

    pub(super) fn inbox<T>(&self, look: impl FnOnce(&mut Inbox) -> T) -> T {
        look(&mut self.inbox.lock())
    }

    /// Waits until `take` finds something.
    pub(super) async fn wait<T>(&self, mut take: impl FnMut(&mut Inbox) -> Option<T>) -> T {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(found) = take(&mut self.inbox.lock()) {
                return found;
            }
            changed.await;
        }
    }

    /// Sends the frames that are still queued, and closes the connection.
    pub(super) async fn close(&mut self) {
        drop(self.outgoing.send(Message::Close(None)));
        if let Some(task) = self.task.take() {
            drop(task.await);
        }
    }

    /// Drops the TCP connection, without DISCONNECT and without a close frame.
    pub(super) async fn cut(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            // An aborted task has no result.
            drop(task.await);
        }
        self.inbox.lock().ended.get_or_insert(TRANSPORT_CLOSE);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// The task of a connection.
struct Reader {
    namespace: String,
    decoder: Decoder,
    inbox: Arc<Mutex<Inbox>>,
    changed: Arc<Notify>,
    /// Whether events have their offset as an additional last argument.
    has_offsets: bool,
}

impl Reader {
    fn new(namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            decoder: Decoder::default(),
            inbox: Arc::default(),
            changed: Arc::default(),
            has_offsets: true,
        }
    }

    async fn run(mut self, mut stream: Stream, mut to_send: UnboundedReceiver<Message>) {
        let reason = loop {
            tokio::select! {
                Some(frame) = to_send.recv() => {
                    if stream.send(frame).await.is_err() {
                        break TRANSPORT_CLOSE;
                    }
                }
                frame = stream.next() => {
                    let Some(Ok(frame)) = frame else { break TRANSPORT_CLOSE };
                    match self.packet(&mut stream, frame).await {
                        Some(Packet::Disconnect) => break SERVER_DISCONNECT,
                        Some(packet) => self.keep(packet),
                        None => {}
                    }
                }
            }
        };
        self.inbox.lock().ended = Some(reason);
        self.changed.notify_waiters();
    }

    /// The packet that a frame completes. Answers pings of the heartbeat.
    async fn packet(&mut self, stream: &mut Stream, frame: Message) -> Option<Packet> {
        match frame {
            Message::Text(text) if text.as_str() == "2" => {
                // A connection that has ended is noticed when it is read.
                drop(stream.send(Message::text("3")).await);
                None
            }
            Message::Text(text) => self.decoder.text(text.as_str().strip_prefix('4')?, &self.namespace),
            Message::Binary(bytes) => self.decoder.binary(bytes),
            _ => None,
        }
    }

    fn keep(&mut self, packet: Packet) {
        let mut inbox = self.inbox.lock();
        match packet {
            Packet::Event { id, arguments } => {
                let (name, arguments, offset) = self.event(arguments, id.is_some());
                inbox.offset = offset.or_else(|| inbox.offset.take());
                inbox.events.push_back(Received { name, arguments, ack: id });
            }
            Packet::Ack { id, arguments } => drop(inbox.acks.insert(id, arguments)),
            Packet::Connect(_) | Packet::Refused(_) | Packet::Disconnect => {}
        }
        drop(inbox);
        self.changed.notify_waiters();
    }

    /// Takes the name and the offset from an event's arguments.
    fn event(&self, arguments: Arguments, wants_ack: bool) -> (String, Arguments, Option<String>) {
        let Arguments { json, attachments } = arguments;
        let mut list: Vec<&RawValue> = serde_json::from_str(&json).expect("an event is an array");
        let text = |value: &RawValue| serde_json::from_str::<String>(value.get()).ok();
        let name = text(list.remove(0)).expect("an event has a name");
        let last = list.last().filter(|_| self.has_offsets && !wants_ack);
        let offset = last.and_then(|last| text(last)).filter(|text| is_offset(text));
        if offset.is_some() {
            list.pop();
        }
        let json = serde_json::to_string(&list).expect("it was JSON");
        (name, Arguments::new(json, attachments), offset)
    }
}

/// Whether a text has the form of the server's offsets: six letters or digits, a dot, a number.
fn is_offset(text: &str) -> bool {
    text.split_once('.').is_some_and(|(tag, number)| {
        tag.len() == 6 && tag.bytes().all(|byte| byte.is_ascii_alphanumeric()) && number.parse::<u64>().is_ok()
    })
}

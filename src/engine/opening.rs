//! A WebSocket whose handshake came in one piece. It is answered without HTTP's machinery, 101 and OPEN in one write;
//! whatever is unusual about a handshake is left to `requests`, which knows how to refuse.

use std::{net::IpAddr, sync::Arc};

use http::{Method, Request, Version};
use tokio::net::TcpStream;

use super::{
    Engine, Handshake,
    frame::Frame,
    output::Transport,
    reader::Reader,
    requests::{Query, open},
    upgrade,
    websocket::Decoder,
};
use crate::limits::Waiting;

/// A new client that asked for a WebSocket in the right words.
pub(crate) struct Opening {
    engine: Arc<Engine>,
    handshake: Handshake,
    waiting: Waiting,
    answer: upgrade::Answer,
}

impl Engine {
    /// What a request under the path of Socket.IO opens; `None` where HTTP has to answer it.
    pub(crate) fn opening(self: &Arc<Self>, request: &Request<()>, address: IpAddr) -> Option<Opening> {
        if request.method() != Method::GET || request.version() != Version::HTTP_11 {
            return None;
        }
        let answer = upgrade::Answer::to(request.headers())?;
        let query = Query::of(request.uri());
        if query.sid.is_some() || query.transport.as_deref() != Some("websocket") {
            return None;
        }
        let handshake = Handshake::of_client(self, &query, request.uri(), request.headers(), Some(address)).ok()?;
        // HTTP refuses it, and counts that.
        if self.shared.account.is_full() {
            return None;
        }
        let waiting = self.shared.limits.wait_or(Some(address), |_| ())?;
        Some(Opening { engine: self.clone(), handshake, waiting, answer })
    }
}

impl Opening {
    /// Answers, and takes in what the client sent after its request. `None` where the library refuses.
    pub(crate) fn open(self, stream: TcpStream, ahead: &mut [u8]) -> Option<Reader> {
        let Self { engine, handshake, waiting, answer } = self;
        let mut head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n".to_owned();
        let lines = [("Sec-WebSocket-Accept", Some(answer.accept)), ("Sec-WebSocket-Protocol", answer.subprotocol)];
        for (name, value) in &lines {
            if let Some(value) = value.as_ref().and_then(|value| value.to_str().ok()) {
                head.extend([name, ": ", value, "\r\n"]);
            }
        }
        head.push_str("\r\n");
        let (reader, writer) = stream.into_split();
        let decoder = Decoder::new(engine.shared.settings.max_payload.get());
        let connection = open(&engine, handshake, Transport::WebSocket(writer), waiting, Some(&Frame::head(head)))?;
        let mut reader = Reader::new(connection, reader, decoder);
        reader.feed(ahead);
        Some(reader)
    }
}

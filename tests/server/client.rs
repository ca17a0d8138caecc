//! A small Socket.IO client over WebSocket that can also send invalid input.

use std::{collections::VecDeque, net::SocketAddr};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Error, Message, client::IntoClientRequest, http::HeaderMap, protocol::WebSocketConfig},
};

use crate::harness::soon;

/// Any stream.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A Socket.IO client over WebSocket that sends exactly what a test says, and stores what it receives.
pub struct Client {
    stream: WebSocketStream<Box<dyn Stream>>,
    heard: VecDeque<Heard>,
    next_ack: u64,
    namespace: String,
    pub sid: String,
}

/// What was received.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    Event { name: String, args: Vec<Value> },
    Ack { id: u64, reply: Value },
    Pong,
    Disconnect,
    Closed,
}

impl Client {
    /// The headers of the response to a WebSocket handshake.
    pub async fn response_head(address: SocketAddr, headers: &[(&'static str, &str)]) -> HeaderMap {
        let mut request = format!("ws://{address}/socket.io/?EIO=4&transport=websocket").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        soon(tokio_tungstenite::connect_async(request)).await.unwrap().1.headers().clone()
    }

    /// Opens the WebSocket and sends nothing.
    pub async fn open(address: SocketAddr, query: &str, headers: &[(&'static str, &str)]) -> Result<Self, u16> {
        let stream = soon(TcpStream::connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(Box::new(stream), &address.to_string(), query, headers).await
    }

    /// Opens the WebSocket over this stream.
    pub async fn over(
        stream: Box<dyn Stream>,
        host: &str,
        query: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, u16> {
        let url = format!("ws://{host}/socket.io/?EIO=4&transport=websocket&recovery=true{query}");
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let config = WebSocketConfig::default();
        let connected = soon(tokio_tungstenite::client_async_with_config(request, stream, Some(config))).await;
        let stream = match connected {
            Ok((stream, _)) => stream,
            Err(Error::Http(response)) => return Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        };
        let mut client =
            Self { stream, heard: VecDeque::new(), next_ack: 0, namespace: String::new(), sid: String::new() };
        let open = client.frame().await.expect("OPEN");
        assert!(open.starts_with("0{"), "{open}");
        Ok(client)
    }

    /// Connects to the root namespace with this name, and waits for `session`.
    pub async fn named(address: SocketAddr, name: &str) -> Self {
        Self::with_auth(address, &json!({ "name": name })).await
    }

    pub async fn guest(address: SocketAddr) -> Self {
        Self::with_auth(address, &json!({})).await
    }

    pub async fn with_auth(address: SocketAddr, auth: &Value) -> Self {
        let mut client = Self::open(address, "", &[]).await.unwrap();
        client.connect("", auth).await.expect("it is let in");
        client.event("session").await;
        client
    }

    /// Sends CONNECT. Returns the message if the server refuses it.
    pub async fn connect(&mut self, namespace: &str, auth: &Value) -> Result<(), String> {
        self.namespace = if namespace.is_empty() { String::new() } else { format!("{namespace},") };
        self.raw(&format!("40{}{auth}", self.namespace)).await;
        loop {
            let frame = self.frame().await.expect("an answer to CONNECT");
            if let Some(rest) = frame.strip_prefix(&format!("40{}", self.namespace)) {
                let rest: Value = serde_json::from_str(rest).unwrap();
                self.sid = rest["sid"].as_str().unwrap().to_owned();
                return Ok(());
            }
            if let Some(rest) = frame.strip_prefix(&format!("44{}", self.namespace)) {
                let rest: Value = serde_json::from_str(rest).unwrap();
                return Err(rest["message"].as_str().unwrap().to_owned());
            }
        }
    }

    /// Sends a text frame unchanged.
    pub async fn raw(&mut self, frame: &str) {
        soon(self.stream.send(Message::text(frame))).await.unwrap();
    }

    /// Sends several text frames in one write.
    pub async fn at_once(&mut self, frames: impl IntoIterator<Item = String>) {
        for frame in frames {
            soon(self.stream.feed(Message::text(frame))).await.unwrap();
        }
        soon(self.stream.flush()).await.unwrap();
    }

    /// Sends a frame that the server may stop reading before its end.
    pub async fn try_raw(&mut self, frame: String) -> bool {
        soon(self.stream.send(Message::text(frame))).await.is_ok()
    }

    pub async fn binary(&mut self, frame: &[u8]) {
        soon(self.stream.send(Message::binary(frame.to_vec()))).await.unwrap();
    }

    /// Emits without an acknowledgement.
    pub async fn emit(&mut self, event: &str, payload: Value) {
        let frame = format!("42{}{}", self.namespace, json!([event, payload]));
        self.raw(&frame).await;
    }

    /// Emits with an acknowledgement, without waiting for it.
    pub async fn send(&mut self, event: &str, payload: Value) -> u64 {
        let id = self.next_ack;
        self.next_ack += 1;
        let frame = format!("42{}{id}{}", self.namespace, json!([event, payload]));
        self.raw(&frame).await;
        id
    }

    /// Waits for an acknowledgement.
    pub async fn ask(&mut self, event: &str, payload: Value) -> Value {
        let id = self.send(event, payload).await;
        self.reply(id).await
    }

    /// The `data` of an acknowledgement that must report success.
    pub async fn done(&mut self, event: &str, payload: Value) -> Value {
        let reply = self.ask(event, payload).await;
        assert_eq!(reply["success"], true, "{event}: {reply}");
        reply["data"].clone()
    }

    /// The code of an acknowledgement that must report failure.
    pub async fn refused(&mut self, event: &str, payload: Value) -> String {
        let reply = self.ask(event, payload).await;
        assert_eq!(reply["success"], false, "{event}: {reply}");
        reply["error"]["code"].as_str().unwrap().to_owned()
    }

    pub async fn reply(&mut self, id: u64) -> Value {
        let Heard::Ack { reply, .. } =
            self.wait(|heard| matches!(heard, Heard::Ack { id: ack, .. } if *ack == id)).await
        else {
            unreachable!("it was matched")
        };
        reply
    }

    /// The first argument of the next event with this name; other events stay queued.
    pub async fn event(&mut self, name: &str) -> Value {
        let is_it = |heard: &Heard| matches!(heard, Heard::Event { name: event, .. } if event == name);
        let Heard::Event { mut args, .. } = self.wait(is_it).await else { unreachable!("it was matched") };
        if args.is_empty() { Value::Null } else { args.remove(0) }
    }

    /// Sends a WebSocket ping and waits for the pong, which proves that the server has read everything sent before.
    pub async fn fence(&mut self) {
        soon(self.stream.send(Message::Ping(Vec::new().into()))).await.unwrap();
        self.wait(|heard| *heard == Heard::Pong).await;
    }

    /// Waits until the connection is closed, discarding frames before that.
    pub async fn closed(&mut self) {
        self.wait(|heard| *heard == Heard::Closed).await;
    }

    /// The next received item that matches; others stay queued.
    pub async fn wait(&mut self, is_it: impl Fn(&Heard) -> bool) -> Heard {
        if let Some(place) = self.heard.iter().position(&is_it) {
            return self.heard.remove(place).unwrap();
        }
        loop {
            let heard = self.next().await;
            if is_it(&heard) {
                return heard;
            }
            assert_ne!(heard, Heard::Closed, "the connection was closed");
            self.heard.push_back(heard);
        }
    }

    /// The events with this name that were received but not taken.
    pub fn kept(&self, name: &str) -> Vec<Value> {
        let args = self.heard.iter().filter_map(|heard| match heard {
            Heard::Event { name: event, args } if event == name => Some(Value::from(args.clone())),
            _ => None,
        });
        args.collect()
    }

    pub async fn next(&mut self) -> Heard {
        loop {
            let Some(frame) = soon(self.stream.next()).await else { return Heard::Closed };
            match frame {
                Ok(Message::Text(text)) => {
                    if let Some(heard) = self.understood(text.as_str()).await {
                        return heard;
                    }
                }
                Ok(Message::Pong(_)) => return Heard::Pong,
                Ok(Message::Close(_)) | Err(_) => return Heard::Closed,
                Ok(_) => {}
            }
        }
    }

    /// The next text frame, unchanged.
    pub async fn next_text(&mut self) -> String {
        self.frame().await.expect("the connection is open")
    }

    async fn understood(&mut self, frame: &str) -> Option<Heard> {
        if frame == "2" {
            self.raw("3").await;
            return None;
        }
        let (kind, rest) = frame.split_at(frame.len().min(2));
        let rest = rest.strip_prefix(&self.namespace).unwrap_or(rest);
        match kind {
            "42" => {
                // The id of an acknowledgement that the server asks for comes first.
                let event = rest.trim_start_matches(|first: char| first.is_ascii_digit());
                let mut args: Vec<Value> = serde_json::from_str(event).expect(frame);
                let name = args.remove(0).as_str().unwrap().to_owned();
                Some(Heard::Event { name, args })
            }
            "43" => {
                let bracket = rest.find('[').unwrap();
                let mut args: Vec<Value> = serde_json::from_str(&rest[bracket..]).unwrap();
                let reply = if args.is_empty() { Value::Null } else { args.remove(0) };
                Some(Heard::Ack { id: rest[..bracket].parse().unwrap(), reply })
            }
            "41" => Some(Heard::Disconnect),
            "1" => Some(Heard::Closed),
            _ => None,
        }
    }

    async fn frame(&mut self) -> Option<String> {
        loop {
            match soon(self.stream.next()).await? {
                Ok(Message::Text(text)) if text.as_str() == "2" => self.raw("3").await,
                Ok(Message::Text(text)) => return Some(text.as_str().to_owned()),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }
}

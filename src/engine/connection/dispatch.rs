//! Dispatches a connection's Socket.IO packets to the sockets of their namespaces.
//!
//! As in Node, three kinds of packet end the connection: an invalid packet, a packet for a namespace that the client
//! has not joined, and a second CONNECT for a namespace.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::Connection;
use crate::{
    engine::{
        packet::{Packet, PacketType},
        reason::DisconnectReason,
    },
    input,
};

impl Connection {
    /// Passes a packet to the socket of its namespace. On `Err`, the caller must end the connection with this reason.
    pub(super) fn dispatch(
        self: &Arc<Self>,
        packet: &Packet<'_>,
        attachments: Vec<Bytes>,
    ) -> Result<(), DisconnectReason> {
        let (path, query) = packet.path(self.protocol);
        // Takes a token of the rate limit, except where the code below takes it: in `incoming_event`, and for ACK.
        if packet.kind != PacketType::Ack && (packet.kind != PacketType::Event || packet.data.is_empty()) {
            self.pay();
        }
        let socket = match (packet.kind, self.socket(path)) {
            (PacketType::Connect, None) => return self.dispatch_connect(path, packet.data, query),
            (PacketType::Connect, Some(_)) | (_, None) => return Err(DisconnectReason::ForcedServerClose),
            (_, Some(socket)) => socket,
        };
        match packet.kind {
            PacketType::Event if packet.data.is_empty() => Ok(()),
            PacketType::Event => socket.receive(self.incoming_event(packet.data, attachments, packet.id)),
            PacketType::Ack => {
                let is_awaited = socket
                    .ack_received(packet.id, packet.data, attachments)
                    .map_err(|_| DisconnectReason::ForcedClose)?;
                // An ACK that the server requested takes no token.
                if !is_awaited {
                    self.pay();
                }
                Ok(())
            }
            PacketType::Disconnect if packet.data.is_empty() => {
                socket.end(DisconnectReason::ClientNamespaceDisconnect);
                Ok(())
            }
            PacketType::Connect | PacketType::Disconnect => Err(DisconnectReason::ForcedClose),
            PacketType::ConnectError => Err(DisconnectReason::ForcedServerClose),
        }
    }

    /// Handles CONNECT. `auth` must be a JSON object or empty. Clients of Engine.IO 3 send a query instead of `auth`.
    fn dispatch_connect(
        self: &Arc<Self>,
        namespace: &str,
        auth: &str,
        query: Option<&str>,
    ) -> Result<(), DisconnectReason> {
        if let Some(query) = query {
            self.connect(namespace, &input::Fields::of(query).to_json());
            return Ok(());
        }
        let is_object = || auth.trim_start().starts_with('{') && serde_json::from_str::<&RawValue>(auth).is_ok();
        if !auth.is_empty() && !is_object() {
            return Err(DisconnectReason::ForcedClose);
        }
        self.connect(namespace, auth);
        Ok(())
    }

    /// Passes CONNECT to the engine, which answers it. `auth` is JSON, or empty.
    pub(in crate::engine) fn connect(self: &Arc<Self>, namespace: &str, auth: &str) {
        self.host.connect(self, namespace, auth);
    }
}

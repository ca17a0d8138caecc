//! Dispatches a connection's Socket.IO packets to the sockets of their namespaces.
//!
//! As in Node, three kinds of packet end the connection: an invalid packet, a packet for a namespace that the client
//! has not joined, and a CONNECT for a namespace that the client has joined.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::Connection;
use crate::{
    engine::{
        assembly::Refused,
        packet::{Kind, Packet},
        reason::DisconnectReason,
    },
    input,
};

impl Connection {
    /// Passes a packet to the socket of its namespace. `Err` is the reason to end the connection.
    pub(super) fn dispatch(self: &Arc<Self>, packet: &Packet<'_>, attachments: Vec<Bytes>) -> Result<(), Refused> {
        let (path, query) = packet.path(self.protocol);
        // `pay` takes a rate limit token. `arrival` takes the token of an EVENT; the branch for ACK takes its own.
        if packet.kind != Kind::Ack && (packet.kind != Kind::Event || packet.data.is_empty()) {
            self.pay();
        }
        let socket = match (packet.kind, self.socket(path)) {
            (Kind::Connect, None) => return self.dispatch_connect(path, packet.data, query),
            (Kind::Connect, Some(_)) | (_, None) => return Err(Refused(DisconnectReason::ForcedServerClose)),
            (_, Some(socket)) => socket,
        };
        match packet.kind {
            Kind::Event if packet.data.is_empty() => Ok(()),
            Kind::Event => socket.receive(self.arrival(packet.data, attachments, packet.id)).map_err(Refused),
            Kind::Ack => {
                let is_awaited = socket
                    .acknowledged(packet.id, packet.data, attachments)
                    .map_err(|_| Refused(DisconnectReason::ForcedClose))?;
                // An ACK for an event that the server emitted takes no token.
                if !is_awaited {
                    self.pay();
                }
                Ok(())
            }
            Kind::Disconnect if packet.data.is_empty() => {
                socket.finish(DisconnectReason::ClientNamespaceDisconnect);
                Ok(())
            }
            Kind::Connect | Kind::Disconnect => Err(Refused(DisconnectReason::ForcedClose)),
            Kind::ConnectError => Err(Refused(DisconnectReason::ForcedServerClose)),
        }
    }

    /// Handles CONNECT. `auth` must be a JSON object or empty. Clients of Engine.IO 3 send a query instead of `auth`.
    fn dispatch_connect(self: &Arc<Self>, namespace: &str, auth: &str, query: Option<&str>) -> Result<(), Refused> {
        if let Some(query) = query {
            self.connect(namespace, &input::Fields::of(query).to_json());
            return Ok(());
        }
        let is_object = || auth.trim_start().starts_with('{') && serde_json::from_str::<&RawValue>(auth).is_ok();
        if !auth.is_empty() && !is_object() {
            return Err(Refused(DisconnectReason::ForcedClose));
        }
        self.connect(namespace, auth);
        Ok(())
    }

    /// Passes CONNECT to the engine, which answers it. `auth` is JSON, or empty.
    pub(in crate::engine) fn connect(self: &Arc<Self>, namespace: &str, auth: &str) {
        self.host.connect(self, namespace, auth);
    }
}

//! What a client sends: packets of Socket.IO, put together from their messages and handed to their sockets.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{
    DisconnectReason,
    connection::Connection,
    packet::{Kind, Packet},
    pressure::ReceivedCharge,
};
use crate::input;

/// What an attachment counts beside its bytes, so that empty ones are bounded too.
const ATTACHMENT_COST: usize = 64;

/// What a connection is closed for.
pub(super) struct Refused(pub(super) DisconnectReason);

/// A packet whose attachments have not all arrived.
#[derive(Default)]
pub(super) struct Assembly(Option<Box<Partial>>);

struct Partial {
    text: String,
    missing: usize,
    attachments: Vec<Bytes>,
    cost: usize,
    charge: ReceivedCharge,
}

impl Assembly {
    /// Whether attachments are missing.
    pub(super) fn is_partial(&self) -> bool {
        self.0.is_some()
    }

    /// A text message.
    pub(super) fn text(&mut self, connection: &Arc<Connection>, text: &str) -> Result<(), Refused> {
        let packet = Packet::parse(text).map_err(|_| Refused(DisconnectReason::ForcedClose))?;
        if self.0.is_some() {
            return Err(Refused(DisconnectReason::ForcedClose));
        }
        if packet.attachments > connection.engine.attachments_max() {
            connection.engine.metrics.limited("attachments");
            return Err(Refused(DisconnectReason::ForcedClose));
        }
        if packet.attachments > 0 {
            let (text, missing) = (text.to_owned(), packet.attachments);
            let mut charge = ReceivedCharge::input(&connection.received);
            charge.resize(text.len());
            self.0 = Some(Box::new(Partial { text, missing, attachments: Vec::new(), cost: 0, charge }));
            return Ok(());
        }
        take(connection, &packet, Vec::new())
    }

    /// A binary message.
    pub(super) fn binary(&mut self, connection: &Arc<Connection>, data: Bytes) -> Result<(), Refused> {
        let Some(partial) = &mut self.0 else { return Err(Refused(DisconnectReason::ForcedClose)) };
        partial.cost += data.len() + ATTACHMENT_COST;
        if partial.cost > connection.engine.settings.max_payload.get().saturating_mul(2) {
            return Err(Refused(DisconnectReason::ForcedClose));
        }
        partial.charge.resize(partial.text.len() + partial.cost);
        partial.attachments.push(data);
        partial.missing -= 1;
        if partial.missing > 0 {
            return Ok(());
        }
        let Some(partial) = self.0.take() else { return Ok(()) };
        let Partial { text, attachments, charge: _charge, .. } = *partial;
        let packet = Packet::parse(&text).map_err(|_| Refused(DisconnectReason::ForcedClose))?;
        if !input::are_placed(packet.data, attachments.len()) {
            return Err(Refused(DisconnectReason::ForcedClose));
        }
        take(connection, &packet, attachments)
    }
}

/// As Node does: what is no packet closes the connection, and so does one for a namespace that was not joined, or
/// was already.
fn take(connection: &Arc<Connection>, packet: &Packet<'_>, attachments: Vec<Bytes>) -> Result<(), Refused> {
    let (path, query) = packet.path(connection.protocol);
    if packet.kind != Kind::Ack && (packet.kind != Kind::Event || packet.data.is_empty()) {
        connection.pay();
    }
    if packet.kind == Kind::Connect {
        if connection.socket(path).is_some() {
            return Err(Refused(DisconnectReason::ForcedServerClose));
        }
        return connect(connection, path, packet.data, query);
    }
    let Some(socket) = connection.socket(path) else { return Err(Refused(DisconnectReason::ForcedServerClose)) };
    match packet.kind {
        Kind::Event if packet.data.is_empty() => Ok(()),
        Kind::Event => {
            let arrival = connection.arrival(packet.data, attachments, packet.id);
            socket.receive(arrival).map_err(Refused)
        }
        Kind::Ack => {
            let was_asked = socket.acknowledged(packet.id, packet.data, attachments);
            // How many the server asks for is its own affair.
            if !was_asked.map_err(|_| Refused(DisconnectReason::ForcedClose))? {
                connection.pay();
            }
            Ok(())
        }
        Kind::Disconnect if packet.data.is_empty() => {
            socket.left();
            Ok(())
        }
        Kind::Connect | Kind::Disconnect => Err(Refused(DisconnectReason::ForcedClose)),
        Kind::ConnectError => Err(Refused(DisconnectReason::ForcedServerClose)),
    }
}

/// CONNECT: `auth` is an object, or missing.
fn connect(connection: &Arc<Connection>, namespace: &str, auth: &str, query: Option<&str>) -> Result<(), Refused> {
    if let Some(query) = query {
        connection.connect(namespace, &input::Fields::of(query).to_json());
        return Ok(());
    }
    let is_object = || auth.trim_start().starts_with('{') && serde_json::from_str::<&RawValue>(auth).is_ok();
    if !auth.is_empty() && !is_object() {
        return Err(Refused(DisconnectReason::ForcedClose));
    }
    connection.connect(namespace, auth);
    Ok(())
}

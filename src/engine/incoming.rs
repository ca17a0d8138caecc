//! What a client sends: packets of Socket.IO, put together from their messages and handed to their sockets.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{
    DisconnectReason,
    link::Link,
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
pub(super) struct Incoming(Option<Box<Partial>>);

struct Partial {
    text: String,
    missing: usize,
    attachments: Vec<Bytes>,
    cost: usize,
    charge: ReceivedCharge,
}

impl Incoming {
    /// Whether attachments are missing.
    pub(super) fn is_partial(&self) -> bool {
        self.0.is_some()
    }

    /// A text message.
    pub(super) fn text(&mut self, link: &Arc<Link>, text: &str) -> Result<(), Refused> {
        let packet = Packet::parse(text).map_err(|_| Refused(DisconnectReason::ForcedClose))?;
        if self.0.is_some() {
            return Err(Refused(DisconnectReason::ForcedClose));
        }
        if packet.attachments > link.engine.attachments_max() {
            link.engine.metrics.limited("attachments");
            return Err(Refused(DisconnectReason::ForcedClose));
        }
        if packet.attachments > 0 {
            let (text, missing) = (text.to_owned(), packet.attachments);
            let mut charge = ReceivedCharge::input(&link.received);
            charge.resize(text.len());
            self.0 = Some(Box::new(Partial { text, missing, attachments: Vec::new(), cost: 0, charge }));
            return Ok(());
        }
        take(link, &packet, Vec::new())
    }

    /// A binary message.
    pub(super) fn binary(&mut self, link: &Arc<Link>, data: Bytes) -> Result<(), Refused> {
        let Some(partial) = &mut self.0 else { return Err(Refused(DisconnectReason::ForcedClose)) };
        partial.cost += data.len() + ATTACHMENT_COST;
        if partial.cost > link.engine.settings.max_payload.get().saturating_mul(2) {
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
        take(link, &packet, attachments)
    }
}

/// As Node does: what is no packet closes the connection, and so does one for a namespace that was not joined, or
/// was already.
fn take(link: &Arc<Link>, packet: &Packet<'_>, attachments: Vec<Bytes>) -> Result<(), Refused> {
    let (path, query) = packet.path(link.protocol);
    if packet.kind != Kind::Ack && (packet.kind != Kind::Event || packet.data.is_empty()) {
        link.pay();
    }
    if packet.kind == Kind::Connect {
        if link.session(path).is_some() {
            return Err(Refused(DisconnectReason::ForcedServerClose));
        }
        return connect(link, path, packet.data, query);
    }
    let Some(session) = link.session(path) else { return Err(Refused(DisconnectReason::ForcedServerClose)) };
    match packet.kind {
        Kind::Event if packet.data.is_empty() => Ok(()),
        Kind::Event => {
            let arrival = link.arrival(packet.data, attachments, packet.id);
            session.receive(arrival).map_err(Refused)
        }
        Kind::Ack => {
            let was_asked = session.acknowledged(packet.id, packet.data, attachments);
            // How many the server asks for is its own affair.
            if !was_asked.map_err(|_| Refused(DisconnectReason::ForcedClose))? {
                link.pay();
            }
            Ok(())
        }
        Kind::Disconnect if packet.data.is_empty() => {
            session.left();
            Ok(())
        }
        Kind::Connect | Kind::Disconnect => Err(Refused(DisconnectReason::ForcedClose)),
        Kind::ConnectError => Err(Refused(DisconnectReason::ForcedServerClose)),
    }
}

/// CONNECT: `auth` is an object, or missing.
fn connect(link: &Arc<Link>, namespace: &str, auth: &str, query: Option<&str>) -> Result<(), Refused> {
    if let Some(query) = query {
        link.connect(namespace, &input::Fields::of(query).to_json());
        return Ok(());
    }
    let is_object = || auth.trim_start().starts_with('{') && serde_json::from_str::<&RawValue>(auth).is_ok();
    if !auth.is_empty() && !is_object() {
        return Err(Refused(DisconnectReason::ForcedClose));
    }
    link.connect(namespace, auth);
    Ok(())
}

//! Packets of Socket.IO, put together from their messages: a text, and a binary message for each attachment.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    memory::{Received, ReceivedCharge},
    packet::Packet,
    reason::DisconnectReason,
    settings::Settings,
};

/// Bytes that an attachment is charged beside its own, so that empty attachments are bounded too.
const ATTACHMENT_COST: usize = 64;

/// The reason to end a connection for what its client sent.
pub(super) struct Refused(pub(super) DisconnectReason);

/// A message that cannot be a part of a packet.
pub(super) enum Mismatch {
    /// The packet has more attachments than `limits.attachments` allows.
    TooManyAttachments,
    /// Anything else.
    NotExpected,
}

/// A packet whose attachments have not all arrived, if there is one.
#[derive(Default)]
pub(super) struct Assembly(Option<Box<Partial>>);

struct Partial {
    text: String,
    missing: usize,
    attachments: Vec<Bytes>,
    cost: usize,
    charge: ReceivedCharge,
}

/// The messages of a packet whose attachments have all arrived.
pub(super) struct Whole {
    pub(super) text: String,
    pub(super) attachments: Vec<Bytes>,
    /// For these bytes, while they are held.
    pub(super) charge: ReceivedCharge,
}

impl Assembly {
    /// Whether attachments are missing.
    pub(super) fn is_partial(&self) -> bool {
        self.0.is_some()
    }

    /// Takes a text message. Returns the packet if it has no attachments.
    pub(super) fn text<'a>(
        &mut self,
        text: &'a str,
        settings: &Settings,
        received: &Arc<Received>,
    ) -> Result<Option<Packet<'a>>, Mismatch> {
        let packet = Packet::parse(text).map_err(|_| Mismatch::NotExpected)?;
        if self.0.is_some() {
            return Err(Mismatch::NotExpected);
        }
        if packet.attachments > settings.attachments.get() {
            return Err(Mismatch::TooManyAttachments);
        }
        if packet.attachments == 0 {
            return Ok(Some(packet));
        }
        let (text, missing) = (text.to_owned(), packet.attachments);
        let mut charge = ReceivedCharge::input(received);
        charge.resize(text.len());
        self.0 = Some(Box::new(Partial { text, missing, attachments: Vec::new(), cost: 0, charge }));
        Ok(None)
    }

    /// Takes a binary message. Returns the packet if this was its last attachment.
    pub(super) fn binary(&mut self, data: Bytes, settings: &Settings) -> Result<Option<Whole>, Mismatch> {
        let Some(partial) = &mut self.0 else { return Err(Mismatch::NotExpected) };
        partial.cost += data.len() + ATTACHMENT_COST;
        if partial.cost > settings.max_payload.get().saturating_mul(2) {
            return Err(Mismatch::NotExpected);
        }
        partial.charge.resize(partial.text.len() + partial.cost);
        partial.attachments.push(data);
        partial.missing -= 1;
        if partial.missing > 0 {
            return Ok(None);
        }
        Ok(self.0.take().map(|partial| {
            let Partial { text, attachments, charge, .. } = *partial;
            Whole { text, attachments, charge }
        }))
    }
}

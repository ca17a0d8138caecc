//! Assembles packets of Socket.IO from their messages: a text, and a binary message for each attachment.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    memory::{ReceivedBytes, ReceivedCharge},
    packet::Packet,
    settings::Settings,
};

/// Bytes that are charged for an attachment in addition to its own, so that empty attachments are bounded too.
const ATTACHMENT_COST: usize = 64;

/// Why a message cannot be added to a packet.
pub(super) enum AssemblyError {
    /// The packet has more attachments than `limits.attachments` allows.
    TooManyAttachments,
    /// The message is no packet, was not expected, or makes the packet too large.
    Invalid,
}

/// The packet whose attachments have not all arrived, if there is one.
#[derive(Default)]
pub(super) struct Assembly(Option<Box<PartialPacket>>);

struct PartialPacket {
    text: String,
    missing_attachments: usize,
    attachments: Vec<Bytes>,
    /// The bytes that are charged for the attachments.
    cost: usize,
    charge: ReceivedCharge,
}

/// The messages of a packet whose attachments have all arrived.
pub(super) struct AssembledPacket {
    pub(super) text: String,
    pub(super) attachments: Vec<Bytes>,
    /// The charge for these bytes.
    pub(super) charge: ReceivedCharge,
}

impl Assembly {
    /// Whether attachments are missing.
    pub(super) fn is_partial(&self) -> bool {
        self.0.is_some()
    }

    /// Adds a text message. Returns its packet if the packet has no attachments.
    pub(super) fn text<'a>(
        &mut self,
        text: &'a str,
        settings: &Settings,
        received: &Arc<ReceivedBytes>,
    ) -> Result<Option<Packet<'a>>, AssemblyError> {
        let packet = Packet::parse(text).map_err(|_| AssemblyError::Invalid)?;
        if self.0.is_some() {
            return Err(AssemblyError::Invalid);
        }
        if packet.attachments > settings.attachments.get() {
            return Err(AssemblyError::TooManyAttachments);
        }
        if packet.attachments == 0 {
            return Ok(Some(packet));
        }
        let text = text.to_owned();
        let mut charge = ReceivedCharge::input(received);
        charge.resize(text.len());
        self.0 = Some(Box::new(PartialPacket {
            text,
            missing_attachments: packet.attachments,
            attachments: Vec::new(),
            cost: 0,
            charge,
        }));
        Ok(None)
    }

    /// Adds a binary message. Returns the packet if the message was the packet's last attachment.
    pub(super) fn binary(
        &mut self,
        data: Bytes,
        settings: &Settings,
    ) -> Result<Option<AssembledPacket>, AssemblyError> {
        let Some(partial) = &mut self.0 else { return Err(AssemblyError::Invalid) };
        partial.cost += data.len() + ATTACHMENT_COST;
        // An event over `limits.payload-bytes` is answered with `too-large` when it is complete. Attachments that are
        // over twice the limit close the connection.
        if partial.cost > settings.max_payload.get().saturating_mul(2) {
            return Err(AssemblyError::Invalid);
        }
        partial.charge.resize(partial.text.len() + partial.cost);
        partial.attachments.push(data);
        partial.missing_attachments -= 1;
        if partial.missing_attachments > 0 {
            return Ok(None);
        }
        Ok(self.0.take().map(|partial| {
            let PartialPacket { text, attachments, charge, .. } = *partial;
            AssembledPacket { text, attachments, charge }
        }))
    }
}

//! Socket.IO's packets as a client reads and writes them.

use bytes::Bytes;
use serde_json::Value;

use crate::protocol::Arguments;

/// A packet from the server, of the client's namespace.
pub(super) enum Packet {
    Connect(Value),
    Refused(Value),
    Disconnect,
    /// The arguments begin with the event's name.
    Event {
        id: Option<u64>,
        arguments: Arguments,
    },
    Ack {
        id: u64,
        arguments: Arguments,
    },
}

/// Puts packets together from frames.
#[derive(Default)]
pub(super) struct Decoder {
    /// A packet whose attachments are still to come, and how many it has.
    partial: Option<(Packet, usize)>,
}

impl Decoder {
    /// Decodes a text frame of Socket.IO. Returns its packet; `None` if attachments must follow first, or if the packet
    /// is for another namespace.
    ///
    /// # Panics
    ///
    /// If the frame is not a packet that a server may send.
    pub(super) fn text(&mut self, frame: &str, namespace: &str) -> Option<Packet> {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let (kind, mut rest) = frame.split_at_checked(1).expect(frame);
        let mut attachments = 0;
        if matches!(kind, "5" | "6") {
            let (count, after) = rest.split_once('-').expect(frame);
            (attachments, rest) = (count.parse().expect(frame), after);
        }
        let packet_namespace = match rest.starts_with('/') {
            true => {
                let (path, after) = rest.split_once(',').unwrap_or((rest, ""));
                rest = after;
                path
            }
            false => "/",
        };
        if packet_namespace != namespace {
            return None;
        }
        let (id, json) = rest.split_at(digits(rest));
        let value = || serde_json::from_str(json).unwrap_or(Value::Null);
        let arguments = || Arguments::new(json, Vec::with_capacity(attachments));
        let packet = match kind {
            "0" => Packet::Connect(value()),
            "1" => Packet::Disconnect,
            "2" | "5" => Packet::Event { id: id.parse().ok(), arguments: arguments() },
            "3" | "6" => Packet::Ack { id: id.parse().expect(frame), arguments: arguments() },
            "4" => Packet::Refused(value()),
            _ => panic!("no packet of Socket.IO: {frame}"),
        };
        if attachments == 0 {
            return Some(packet);
        }
        self.partial = Some((packet, attachments));
        None
    }

    /// Adds an attachment. Returns the packet if this was its last attachment.
    pub(super) fn binary(&mut self, bytes: Bytes) -> Option<Packet> {
        let (packet, count) = self.partial.as_mut()?;
        if let Packet::Event { arguments, .. } | Packet::Ack { arguments, .. } = packet {
            arguments.attachments.push(bytes);
            if arguments.attachments.len() < *count {
                return None;
            }
        }
        self.partial.take().map(|(packet, _)| packet)
    }
}

/// The text of an event or an acknowledgement: `42["event"]`, `4511-/admin,3[...]`. Its attachments are frames of their
/// own.
pub(super) fn frame(is_ack: bool, namespace: &str, id: Option<u64>, arguments: &Arguments) -> String {
    let kind = match (is_ack, arguments.attachments.len()) {
        (false, 0) => "2".to_owned(),
        (true, 0) => "3".to_owned(),
        (false, count) => format!("5{count}-"),
        (true, count) => format!("6{count}-"),
    };
    let id = id.map_or_else(String::new, |id| id.to_string());
    format!("4{kind}{}{id}{}", prefix(namespace), arguments.json())
}

/// The namespace as it stands in a packet; the root namespace is left out.
pub(super) fn prefix(namespace: &str) -> String {
    if namespace == "/" { String::new() } else { format!("{namespace},") }
}

//! An event's frame as a value that the next process reads, and back.

use std::sync::Arc;

use super::{Frame, room};
use crate::{engine::version::Protocol, restart::SavedEvent};

impl Frame {
    /// The value of an event. The frame is not joined.
    pub(crate) fn saved(&self) -> SavedEvent {
        SavedEvent {
            number: self.number,
            is_transient: self.is_transient,
            text: self.text(Protocol::V4),
            offset_len: self.offset_len as u32,
            attachments: self.attachments.to_vec(),
        }
    }

    /// The frame of a saved event. `None` if it has no offset.
    pub(crate) fn restored(event: SavedEvent) -> Option<Arc<Self>> {
        let SavedEvent { number, is_transient, text, offset_len, attachments } = event;
        let offset_len = offset_len as usize;
        let has_offset = number > 0 && offset_len > 0 && offset_len + 1 < text.len();
        if !has_offset || !text.is_char_boundary(text.len() - 1 - offset_len) || !text.ends_with(']') {
            return None;
        }
        let mut packet = room(text.len());
        packet.push_str(&text);
        let frame = Self::new(packet, attachments, offset_len, number);
        Some(if is_transient { frame.transient() } else { frame })
    }

    /// The bytes that its value needs.
    pub(crate) fn saved_bytes(&self) -> usize {
        self.buffer.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::offset::Offsets;

    #[test]
    fn a_restored_event_is_sent_as_it_was() {
        let offsets = Offsets::new();
        let attachments = vec![bytes::Bytes::from_static(b"\0\xff")];
        let frame = Frame::event("/x", None, r#"["é",{"_placeholder":true,"num":0}]"#, attachments, Some(&offsets));
        for frame in [frame, Frame::event("/", None, "[\"a\"]", Vec::new(), Some(&offsets)).transient()] {
            let restored = Frame::restored(frame.saved()).unwrap();
            assert_eq!((restored.number(), restored.is_transient()), (frame.number(), frame.is_transient()));
            for protocol in [Protocol::V4, Protocol::V3] {
                assert_eq!(restored.text(protocol), frame.text(protocol));
                assert_eq!(restored.websocket_bytes(protocol), frame.websocket_bytes(protocol));
            }
        }
    }

    #[test]
    fn a_value_without_an_offset_is_no_event() {
        let value = Frame::event("/", None, "[\"a\"]", Vec::new(), Some(&Offsets::new())).saved();
        assert!(Frame::restored(SavedEvent { number: 0, ..value.clone() }).is_none());
        assert!(Frame::restored(SavedEvent { offset_len: 0, ..value.clone() }).is_none());
        assert!(Frame::restored(SavedEvent { offset_len: 1_000, ..value.clone() }).is_none());
        assert!(Frame::restored(SavedEvent { text: "42[\"a\"".to_owned(), ..value }).is_none());
    }
}

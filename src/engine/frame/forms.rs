//! The other encodings ("forms") of a frame, for clients that cannot receive the frame itself. The frame is encoded for
//! Engine.IO 4, and may contain an offset. Other forms are for Engine.IO 3, for plain WebSocket, and for clients of
//! Engine.IO 4 that receive no offsets. A form is created for the first client that needs it, and kept as long as the
//! frame.

use std::sync::Arc;

use super::{Frame, room};

impl Frame {
    /// The packet for clients of Engine.IO 4 that cannot be recovered. If the frame has no offset, the frame itself.
    pub(in crate::engine) fn without_offset(self: &Arc<Self>) -> &Arc<Self> {
        if self.number == 0 {
            return self;
        }
        self.without_offset.get_or_init(|| {
            let form = if self.is_joined() {
                let form = Self::joined(self.parts.iter().map(|part| part.without_offset().clone()).collect());
                // Charges the new forms of the parts. Their total size is that of the joined form. The joined
                // form itself is charged below.
                self.grown(form.buffer.capacity());
                form
            } else {
                let (start, end) = self.legacy_text();
                let mut text = room(start.len() + end.len());
                for piece in [start, end] {
                    text.push_str(std::str::from_utf8(piece).expect("it was made of text"));
                }
                Self::new(text, self.attachments.to_vec(), 0, 0)
            };
            self.grown(form.buffer.capacity());
            form
        })
    }

    /// The packet as an envelope of plain WebSocket. `None` if these clients do not get it. `render` renders one
    /// packet.
    pub(in crate::engine) fn envelope(&self, render: impl Fn(&Self) -> Option<Arc<Self>>) -> Option<&Arc<Self>> {
        self.envelope.get_or_init(|| self.rendered(render)).as_ref()
    }

    /// The packet as a bare text of plain WebSocket. `None` if these clients do not get it. `render` renders one
    /// packet.
    pub(in crate::engine) fn bare_text(&self, render: impl Fn(&Self) -> Option<Arc<Self>>) -> Option<&Arc<Self>> {
        self.bare_text.get_or_init(|| self.rendered(render)).as_ref()
    }

    fn rendered(&self, render: impl Fn(&Self) -> Option<Arc<Self>>) -> Option<Arc<Self>> {
        let form = if self.is_joined() {
            let parts: Vec<_> = self.parts.iter().filter_map(|part| render(part)).collect();
            (!parts.is_empty()).then(|| Self::joined(parts))
        } else {
            render(self)
        };
        self.grown(form.as_ref().map_or(0, |form| form.buffer.capacity()));
        form
    }

    /// The bytes of the frame's other forms. A form that a queue holds is charged a second time, as a frame of its own.
    pub(super) fn forms(&self) -> usize {
        let frames = [
            self.without_offset.get(),
            self.envelope.get().and_then(Option::as_ref),
            self.bare_text.get().and_then(Option::as_ref),
        ];
        let frames: usize = frames.into_iter().flatten().map(|frame| frame.buffer.capacity()).sum();
        frames + self.legacy.get().map_or(0, Vec::len)
    }

    /// Adds the bytes of a new form to the frame's charge.
    pub(super) fn grown(&self, bytes: usize) {
        if let Some(charge) = self.charge.get() {
            charge.grow(bytes);
        }
    }
}

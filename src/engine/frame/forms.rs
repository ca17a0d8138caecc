//! The other forms of a frame, for clients that get its packet written in another way. Each is made when the first such
//! client gets it, and lives as long as the frame.

use std::sync::Arc;

use super::{Frame, room};

impl Frame {
    /// The packet for clients of Engine.IO 4 that are not recovered; itself where it has no offset.
    pub(in crate::engine) fn without_offset(self: &Arc<Self>) -> &Arc<Self> {
        if self.number == 0 {
            return self;
        }
        self.without_offset.get_or_init(|| {
            let form = if self.is_joined() {
                let form = Self::joined(self.parts.iter().map(|part| part.without_offset().clone()).collect());
                // Each part has this form now, too.
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

    /// The packet as an envelope of plain WebSocket; `None` where such clients do not get it. `render` makes it of one
    /// packet.
    pub(in crate::engine) fn envelope(&self, render: impl Fn(&Self) -> Option<Arc<Self>>) -> Option<&Arc<Self>> {
        self.envelope.get_or_init(|| self.rendered(render)).as_ref()
    }

    /// The packet as a bare text of plain WebSocket; `None` where such clients do not get it. `render` makes it of one
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

    /// Bytes of its other forms. One that a queue holds is charged there once more.
    pub(super) fn forms(&self) -> usize {
        let frames = [
            self.without_offset.get(),
            self.envelope.get().and_then(Option::as_ref),
            self.bare_text.get().and_then(Option::as_ref),
        ];
        let frames: usize = frames.into_iter().flatten().map(|frame| frame.buffer.capacity()).sum();
        frames + self.legacy.get().map_or(0, Vec::len)
    }

    /// Charges it for a form that was added.
    pub(super) fn grown(&self, bytes: usize) {
        if let Some(charge) = self.charge.get() {
            charge.grow(bytes);
        }
    }
}

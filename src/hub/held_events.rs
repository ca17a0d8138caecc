//! A run: consecutive events of one commit to the same room, delivered together.

use std::{collections::HashMap, sync::Arc};

use super::{encoded::Encoded, registry::Registry, to::To};
use crate::{
    engine::{Frame, PendingFlush, Socket},
    model::{Room, SocketId},
    protocol::Arguments,
};

/// Maximum number of bytes of a run's events. A longer run would save nothing: one write to a client has about this
/// size.
const RUN_BYTES_MAX: usize = 16 * 1024;
/// If a room has at least this many sockets, the events of a run are joined into one frame. For fewer sockets, joining
/// costs more than it saves.
const JOIN_FROM_SOCKETS: usize = 4;

/// A run: events to one room, and the acknowledgements to deliver between them.
pub(super) struct HeldEvents {
    room: Room,
    events: Vec<Encoded>,
    bytes: usize,
    acks: Vec<HeldAck>,
}

/// An acknowledgement to deliver between the events of a run.
struct HeldAck {
    socket: Arc<Socket>,
    id: u64,
    arguments: Arguments,
    /// Number of events to deliver before this acknowledgement.
    after: usize,
}

impl HeldAck {
    /// Puts the acknowledgement into its client's queue. Returns the number of deliveries: 1, or 0 if it was not
    /// queued.
    fn deliver(self, pending: &mut PendingFlush<'_>) -> usize {
        usize::from(self.socket.acknowledge(self.id, &self.arguments.json, self.arguments.attachments, pending))
    }
}

impl HeldEvents {
    /// A run of one event.
    pub(super) fn new(room: &Room, event: Encoded) -> Self {
        Self { room: room.clone(), bytes: size(&event), events: vec![event], acks: Vec::new() }
    }

    /// Adds an event. Returns the event if it is for another room, or if the run would become too long.
    pub(super) fn push(&mut self, room: &Room, event: Encoded) -> Result<(), Encoded> {
        let bytes = self.bytes + size(&event);
        if self.room != *room || bytes > RUN_BYTES_MAX {
            return Err(event);
        }
        self.bytes = bytes;
        self.events.push(event);
        Ok(())
    }

    /// Adds an acknowledgement, to be delivered after the events added so far.
    pub(super) fn push_ack(&mut self, socket: &Arc<Socket>, id: u64, arguments: Arguments) {
        self.acks.push(HeldAck { socket: socket.clone(), id, arguments, after: self.events.len() });
    }

    /// Puts the events and the acknowledgements into the sockets' queues. Returns the number of deliveries.
    pub(super) fn deliver(
        self,
        registry: &Registry,
        frame: impl Fn(&Encoded) -> Arc<Frame>,
        pending: &mut PendingFlush<'_>,
    ) -> usize {
        let Self { room, events, acks, .. } = self;
        let frames: Vec<_> = events.iter().map(frame).collect();
        let is_large = registry.room(&room).is_some_and(|sockets| sockets.len() >= JOIN_FROM_SOCKETS);
        let joined = (is_large && frames.len() > 1).then(|| Frame::joined(frames.clone()));
        let mut by_socket: HashMap<SocketId, Vec<HeldAck>> = HashMap::new();
        for ack in acks {
            by_socket.entry(ack.socket.id).or_default().push(ack);
        }
        let mut delivered = 0;
        registry.each_of(To::Room(&room), &mut |socket| {
            delivered += match (by_socket.remove(&socket.id), &joined) {
                (None, Some(joined)) => frames.len() * usize::from(socket.deliver(joined, false, pending)),
                (acks, _) => one_by_one(socket, &frames, acks.unwrap_or_default(), pending),
            };
        });
        // The remaining acknowledgements belong to sockets that are not in the room.
        delivered + by_socket.into_values().flatten().map(|ack| ack.deliver(pending)).sum::<usize>()
    }
}

/// Delivers events to a socket one by one, with the socket's acknowledgements between them.
fn one_by_one(socket: &Socket, frames: &[Arc<Frame>], acks: Vec<HeldAck>, pending: &mut PendingFlush<'_>) -> usize {
    let mut acks = acks.into_iter().peekable();
    let mut delivered = 0;
    for (index, frame) in frames.iter().enumerate() {
        while let Some(ack) = acks.next_if(|ack| ack.after <= index) {
            delivered += ack.deliver(pending);
        }
        delivered += usize::from(socket.deliver(frame, false, pending));
    }
    delivered + acks.map(|ack| ack.deliver(pending)).sum::<usize>()
}

fn size(Encoded { json, attachments }: &Encoded) -> usize {
    json.len() + attachments.iter().map(bytes::Bytes::len).sum::<usize>()
}

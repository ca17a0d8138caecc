//! A run: consecutive events of one commit to the same room, delivered together.

use std::{collections::HashMap, sync::Arc};

use super::{encoded::Encoded, registry::Registry, to::To};
use crate::{
    engine::{Frame, PendingFlush, Socket},
    model::{Room, SocketId},
    protocol::Arguments,
};

/// Maximal bytes of the events of a run. A longer run would save nothing: one write to a client has about this size.
const BYTES: usize = 16 * 1024;
/// Minimal number of sockets in the room for joining the events of a run into one frame. For fewer sockets, joining
/// costs more than it saves.
const SHARED: usize = 4;

/// Events to one room, and the acknowledgements to send between them.
pub(super) struct HeldEvents {
    room: Room,
    events: Vec<Encoded>,
    bytes: usize,
    answers: Vec<Answer>,
}

/// An acknowledgement to send between the events of a run.
struct Answer {
    socket: Arc<Socket>,
    id: u64,
    arguments: Arguments,
    /// Number of events to deliver before this acknowledgement.
    place: usize,
}

impl Answer {
    /// Puts the acknowledgement into its client's queue. Returns the number of deliveries: 1, or 0 if it was not
    /// queued.
    fn deliver(self, pending: &mut PendingFlush<'_>) -> usize {
        usize::from(self.socket.acknowledge(self.id, &self.arguments.json, self.arguments.attachments, pending))
    }
}

impl HeldEvents {
    /// A run of one event.
    pub(super) fn new(room: &Room, event: Encoded) -> Self {
        Self { room: room.clone(), bytes: size(&event), events: vec![event], answers: Vec::new() }
    }

    /// Adds an event. Returns the event if it is for another room, or if the run would become too long.
    pub(super) fn push(&mut self, room: &Room, event: Encoded) -> Result<(), Encoded> {
        let bytes = self.bytes + size(&event);
        if self.room != *room || bytes > BYTES {
            return Err(event);
        }
        self.bytes = bytes;
        self.events.push(event);
        Ok(())
    }

    /// Adds an acknowledgement, to be delivered after the events added so far.
    pub(super) fn answer(&mut self, socket: &Arc<Socket>, id: u64, arguments: Arguments) {
        self.answers.push(Answer { socket: socket.clone(), id, arguments, place: self.events.len() });
    }

    /// Puts the events and the acknowledgements into the sockets' queues. Returns the number of deliveries.
    pub(super) fn deliver(
        self,
        registry: &Registry,
        frame: impl Fn(&Encoded) -> Arc<Frame>,
        pending: &mut PendingFlush<'_>,
    ) -> usize {
        let Self { room, events, answers, .. } = self;
        let frames: Vec<_> = events.iter().map(frame).collect();
        let is_shared = registry.room(&room).is_some_and(|sockets| sockets.len() >= SHARED);
        let joined = (is_shared && frames.len() > 1).then(|| Frame::joined(frames.clone()));
        let mut by_socket: HashMap<SocketId, Vec<Answer>> = HashMap::new();
        for answer in answers {
            by_socket.entry(answer.socket.id).or_default().push(answer);
        }
        let mut delivered = 0;
        registry.each_of(To::Room(&room), &mut |socket| {
            delivered += match (by_socket.remove(&socket.id), &joined) {
                (None, Some(joined)) => frames.len() * usize::from(socket.deliver(joined, false, pending)),
                (answers, _) => one_by_one(socket, &frames, answers.unwrap_or_default(), pending),
            };
        });
        // The remaining acknowledgements belong to sockets that are not in the room.
        delivered + by_socket.into_values().flatten().map(|answer| answer.deliver(pending)).sum::<usize>()
    }
}

/// Delivers events to a socket one by one, with the socket's acknowledgements between them.
fn one_by_one(socket: &Socket, frames: &[Arc<Frame>], answers: Vec<Answer>, pending: &mut PendingFlush<'_>) -> usize {
    let mut answers = answers.into_iter().peekable();
    let mut delivered = 0;
    for (index, frame) in frames.iter().enumerate() {
        while let Some(answer) = answers.next_if(|answer| answer.place <= index) {
            delivered += answer.deliver(pending);
        }
        delivered += usize::from(socket.deliver(frame, false, pending));
    }
    delivered + answers.map(|answer| answer.deliver(pending)).sum::<usize>()
}

fn size(Encoded { json, attachments }: &Encoded) -> usize {
    json.len() + attachments.iter().map(bytes::Bytes::len).sum::<usize>()
}

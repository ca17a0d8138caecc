//! Events of one commit to the same room, which are delivered together.

use std::{collections::HashMap, sync::Arc};

use super::{encoded::Encoded, registry::Registry, to::To};
use crate::{
    engine::{Frame, PendingFlush, Socket},
    model::{Room, SocketId},
    protocol::Arguments,
};

/// Bytes of the events of a run. More would not save anything: a client's write to the network is as long.
const BYTES: usize = 16 * 1024;
/// Receivers from which on it pays to join several events into one frame for all of them.
const SHARED: usize = 4;

/// Events to one room, and the acknowledgements that were sent between them.
pub(super) struct Run {
    room: Room,
    events: Vec<Encoded>,
    bytes: usize,
    answers: Vec<Answer>,
}

/// An acknowledgement among the events.
struct Answer {
    socket: Arc<Socket>,
    id: u64,
    arguments: Arguments,
    /// Number of events before it.
    place: usize,
}

impl Answer {
    /// Puts it into its client's queue. Returns into how many queues it was put: 1, or 0.
    fn deliver(self, pending: &mut PendingFlush<'_>) -> usize {
        usize::from(self.socket.acknowledge(self.id, &self.arguments.json, self.arguments.attachments, pending))
    }
}

impl Run {
    /// A run of one event.
    pub(super) fn new(room: &Room, event: Encoded) -> Self {
        Self { room: room.clone(), bytes: size(&event), events: vec![event], answers: Vec::new() }
    }

    /// Adds an event. Returns it where it is for another room, or makes the run too long.
    pub(super) fn push(&mut self, room: &Room, event: Encoded) -> Result<(), Encoded> {
        let bytes = self.bytes + size(&event);
        if self.room != *room || bytes > BYTES {
            return Err(event);
        }
        self.bytes = bytes;
        self.events.push(event);
        Ok(())
    }

    /// Adds an acknowledgement, after the events so far.
    pub(super) fn answer(&mut self, socket: &Arc<Socket>, id: u64, arguments: Arguments) {
        self.answers.push(Answer { socket: socket.clone(), id, arguments, place: self.events.len() });
    }

    /// Puts everything into the queues. Returns the number of deliveries.
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
        // Those of sockets that do not hear the room.
        delivered + by_socket.into_values().flatten().map(|answer| answer.deliver(pending)).sum::<usize>()
    }
}

/// Delivers events to a socket, with its acknowledgements in their places.
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

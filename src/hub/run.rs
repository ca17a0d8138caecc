//! Events to the same room, one after the other.

use std::{collections::HashMap, sync::Arc};

use super::{Encoded, Hub, Outgoing, To};
use crate::{
    engine::{Frame, PendingFlush, Socket},
    model::{Room, SocketId},
    protocol::Arguments,
};

/// Bytes of the events of a run. Longer ones would cost each client no less: that much leaves in one write.
const BYTES: usize = 16 * 1024;
/// Receivers that make it worth while to put several events into one piece for all of them.
const SHARED: usize = 4;

/// What a room is told together, and the acknowledgements that come meanwhile.
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
    /// How many of the events come before it.
    place: usize,
}

impl Answer {
    /// Gives it to its client; how many it reached.
    fn give(self, pending: &mut PendingFlush<'_>) -> usize {
        usize::from(self.socket.acknowledge(self.id, &self.arguments.json, self.arguments.attachments, pending))
    }
}

impl Run {
    /// Whether an event can be part of a run: it is for all of a room, and may not be lost.
    pub(super) fn is_for(outgoing: &Outgoing<'_>) -> bool {
        matches!(outgoing.to, To::Room(Room::Named(_)))
            && !outgoing.is_volatile
            && outgoing.except.is_none()
            && outgoing.except_any.is_empty()
    }

    /// Begins with an event of this room.
    pub(super) fn of(room: &Room, event: Encoded) -> Self {
        Self { room: room.clone(), bytes: size(&event), events: vec![event], answers: Vec::new() }
    }

    /// Takes another event in; gives it back where it goes to another room, or is too much.
    pub(super) fn push(&mut self, room: &Room, event: Encoded) -> Result<(), Encoded> {
        let bytes = self.bytes + size(&event);
        if self.room != *room || bytes > BYTES {
            return Err(event);
        }
        self.bytes = bytes;
        self.events.push(event);
        Ok(())
    }

    /// Takes an acknowledgement in, behind the events there are.
    pub(super) fn answer(&mut self, socket: &Arc<Socket>, id: u64, arguments: Arguments) {
        self.answers.push(Answer { socket: socket.clone(), id, arguments, place: self.events.len() });
    }

    /// Puts everything into the queues. Returns into how many.
    pub(super) fn tell(self, hub: &Hub, pending: &mut PendingFlush<'_>) -> usize {
        let Self { room, events, answers, .. } = self;
        let frames: Vec<_> = events.iter().map(|event| hub.frame(event)).collect();
        let state = hub.state();
        let is_worth_it = frames.len() > 1 && state.rooms.get(&room).is_some_and(|sockets| sockets.len() >= SHARED);
        let joined = is_worth_it.then(|| Frame::joined(frames.clone()));
        let mut by_socket: HashMap<SocketId, Vec<Answer>> = HashMap::new();
        for answer in answers {
            by_socket.entry(answer.socket.id).or_default().push(answer);
        }
        let mut delivered = 0;
        state.each_of(To::Room(&room), &mut |socket| {
            delivered += match (by_socket.remove(&socket.id), &joined) {
                (None, Some(joined)) => frames.len() * usize::from(socket.deliver(joined, false, pending)),
                (answers, _) => one_by_one(socket, &frames, answers.unwrap_or_default(), pending),
            };
        });
        drop(state);
        delivered + by_socket.into_values().flatten().map(|answer| answer.give(pending)).sum::<usize>()
    }
}

/// Events, and answers in their places among them.
fn one_by_one(socket: &Socket, frames: &[Arc<Frame>], answers: Vec<Answer>, pending: &mut PendingFlush<'_>) -> usize {
    let mut answers = answers.into_iter().peekable();
    let mut delivered = 0;
    for (index, frame) in frames.iter().enumerate() {
        while let Some(answer) = answers.next_if(|answer| answer.place <= index) {
            delivered += answer.give(pending);
        }
        delivered += usize::from(socket.deliver(frame, false, pending));
    }
    delivered + answers.map(|answer| answer.give(pending)).sum::<usize>()
}

fn size(Encoded { json, attachments }: &Encoded) -> usize {
    json.len() + attachments.iter().map(bytes::Bytes::len).sum::<usize>()
}

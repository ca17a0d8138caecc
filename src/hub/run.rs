//! Events to the same receivers, one after the other.

use std::sync::Arc;

use super::{Encoded, Outgoing, SocketId, To};
use crate::{engine::Session, model::Room, protocol::Arguments};

/// Bytes of the events of a run. Longer ones would cost each client no less: that much leaves in one write.
const BYTES: usize = 16 * 1024;

/// What is told together: first the events, then the answers.
pub(super) struct Run {
    room: Option<Room>,
    except: Option<SocketId>,
    pub(super) events: Vec<Encoded>,
    pub(super) answers: Vec<Answer>,
    bytes: usize,
}

/// An acknowledgement that comes after the events before it.
pub(super) struct Answer {
    pub(super) session: Arc<Session>,
    pub(super) id: u64,
    pub(super) arguments: Arguments,
}

impl Run {
    /// Whether an event can be part of a run: it goes to everyone or to a room, and may not be lost.
    pub(super) fn is_for(outgoing: &Outgoing<'_>) -> bool {
        let is_many = matches!(outgoing.to, To::Everyone | To::Room(Room::Named(_)));
        is_many && !outgoing.is_volatile && outgoing.except_any.is_empty()
    }

    /// Begins with an event [`Self::is_for`].
    pub(super) fn of(outgoing: Outgoing<'_>) -> Self {
        let room = match outgoing.to {
            To::Room(room) => Some(room.clone()),
            _ => None,
        };
        let bytes = size(&outgoing.event);
        Self { room, except: outgoing.except, events: vec![outgoing.event], answers: Vec::new(), bytes }
    }

    /// Takes another event in; gives it back where it goes to others, or is too much.
    pub(super) fn push<'a>(&mut self, outgoing: Outgoing<'a>) -> Result<(), Outgoing<'a>> {
        let bytes = self.bytes + size(&outgoing.event);
        let is_same = match outgoing.to {
            To::Everyone => self.room.is_none(),
            To::Room(room) => self.room.as_ref() == Some(room),
            _ => false,
        };
        if !is_same || self.except != outgoing.except || bytes > BYTES {
            return Err(outgoing);
        }
        self.bytes = bytes;
        self.events.push(outgoing.event);
        Ok(())
    }

    pub(super) fn to(&self) -> To<'_> {
        self.room.as_ref().map_or(To::Everyone, To::Room)
    }

    /// Who does not hear it.
    pub(super) fn except(&self) -> Option<SocketId> {
        self.except
    }
}

fn size((json, attachments): &Encoded) -> usize {
    json.len() + attachments.iter().map(bytes::Bytes::len).sum::<usize>()
}

//! Removes the oldest messages of a room in slices: those that are outdated, or all of them.

use crate::{
    model::{Room, Timestamp},
    store::{
        command::{Command, Needs},
        failure::Failure,
        tables::{RoomState, Tables},
    },
};

/// Maximum size in bytes of all bodies that one slice removes. A slice removes at least one message, whatever its size.
const SLICE_BYTES: u64 = 256 * 1024;

/// Removes the oldest messages of a room that are too old or too many, at most `limit`. Clients are not told.
pub struct RemoveMessages {
    /// The room.
    pub room: Room,
    /// Remove messages posted before this time; `None`: whatever their age.
    pub before: Option<Timestamp>,
    /// Remove messages if there are more than this; `None`: whatever their number.
    pub most: Option<u64>,
    /// Maximum number of messages to remove.
    pub limit: usize,
}

/// What a slice has removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Removed {
    /// Number of messages.
    pub messages: u64,
    /// Whether there may be more to remove.
    pub more: bool,
}

impl Command for RemoveMessages {
    type Output = Removed;

    fn needs(&self, needs: &mut Needs) {
        needs.rooms.push(self.room.clone());
        needs.oldest.push((self.room.clone(), self.limit));
    }

    fn apply(&self, tables: &mut dyn Tables) -> Result<Removed, Failure> {
        let Some(state) = tables.room(&self.room)? else { return Ok(Removed { messages: 0, more: false }) };
        // Offsets have no holes above the highest removed one, so the newest `most` are those above this offset.
        let surplus = self.most.map_or(0, |most| state.offset.saturating_sub(most));
        let is_outdated =
            |offset: u64, at: Timestamp| offset <= surplus || self.before.is_some_and(|before| at < before);
        Ok(remove_oldest(tables, state, self.limit, is_outdated)?)
    }
}

/// Removes the oldest messages of a room, at most `limit`, whatever their age. When none is left, the room's revision is
/// raised: whatever `since` a client has, it is told to begin anew.
pub struct EmptyRoom {
    /// The room.
    pub room: Room,
    /// Maximum number of messages to remove.
    pub limit: usize,
}

/// What is left after a slice of [`EmptyRoom`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Emptied {
    /// Number of messages that this slice has removed.
    pub messages: u64,
    /// Whether the room has none any more.
    pub is_empty: bool,
}

impl Command for EmptyRoom {
    type Output = Emptied;

    fn needs(&self, needs: &mut Needs) {
        needs.rooms.push(self.room.clone());
        needs.oldest.push((self.room.clone(), self.limit));
    }

    fn apply(&self, tables: &mut dyn Tables) -> Result<Emptied, Failure> {
        let Some(mut state) = tables.room(&self.room)? else { return Ok(Emptied { messages: 0, is_empty: true }) };
        let Removed { messages, more } = remove_oldest(tables, state, self.limit, |_, _| true)?;
        if !more && state.revision > 0 {
            state.revision += 1;
            tables.set_room(&self.room, state);
            tables.remove_up_to(state.id, state.offset, state.revision)?;
        }
        Ok(Emptied { messages, is_empty: !more })
    }
}

/// Removes the oldest messages of a room, up to the first for which `is_outdated` is false.
fn remove_oldest(
    tables: &mut dyn Tables,
    state: RoomState,
    limit: usize,
    is_outdated: impl Fn(u64, Timestamp) -> bool,
) -> anyhow::Result<Removed> {
    let oldest = tables.oldest(state.id, limit)?;
    let (mut messages, mut bytes, mut last, mut revision) = (0, 0, 0, 0);
    for message in &oldest {
        if !is_outdated(message.offset, message.at) {
            break;
        }
        bytes += message.bytes;
        if bytes > SLICE_BYTES && messages > 0 {
            break;
        }
        (messages, last, revision) = (messages + 1, message.offset, message.revision.max(revision));
    }
    if messages > 0 {
        tables.remove_up_to(state.id, last, revision)?;
    }
    let next = oldest.get(messages as usize);
    let more = match next {
        Some(next) => is_outdated(next.offset, next.at),
        None => oldest.len() >= limit,
    };
    Ok(Removed { messages, more })
}

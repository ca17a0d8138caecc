//! Erases a room: its members and its messages. Its name keeps the last offset and revision.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Erased, Lines, Tell};
use crate::{
    error::Result,
    model::Room,
    store::{EmptyRoom, EndMemberships, Store},
};

/// Memberships that one slice ends.
const MEMBERS: usize = 100;

/// How much a room holds, or how much of it was erased.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct RoomData {
    /// Number of messages, deleted ones included.
    pub(crate) messages: u64,
    /// Number of members.
    pub(crate) members: u64,
}

/// Counts what [`erase_room`] would erase.
pub(crate) async fn count_room(store: &Store, room: &Room) -> Result<RoomData> {
    let mut data = RoomData::default();
    if let Room::Named(name) = room
        && let Some(stored) = store.rooms(vec![name.clone()]).await?.pop().flatten()
    {
        data = RoomData { messages: stored.message_count, members: stored.member_count };
    }
    Ok(data)
}

/// Ends the memberships and removes the messages of a room. If it is stopped, a repetition goes on.
pub(crate) async fn erase_room(store: &Store, room: &Room, tell: &Tell, lines: &mut Lines) -> Result<RoomData> {
    erase(store, room, tell, lines, |erased| erased).await
}

/// [`erase_room`] as a part of other work. `progress` makes the progress of the whole work from that of this part.
pub(super) async fn erase<P: Serialize>(
    store: &Store,
    room: &Room,
    tell: &Tell,
    lines: &mut Lines,
    progress: impl Fn(RoomData) -> P,
) -> Result<RoomData> {
    let mut erased = RoomData::default();
    end_members(store, room, lines, &mut erased, &progress).await?;
    let mut slices = store.slices();
    loop {
        let (told, tell) = (room.clone(), tell.clone());
        let slice = |limit| EmptyRoom { room: room.clone(), limit };
        let emptied = slices.run(slice, move |emptied, tellings| {
            if emptied.is_empty {
                tell(Erased::Room(&told), tellings);
            }
            emptied
        });
        let emptied = emptied.await?;
        erased.messages += emptied.messages;
        lines.progress(progress(erased)).await?;
        if emptied.is_empty {
            // Who has posted meanwhile is a member again.
            end_members(store, room, lines, &mut erased, &progress).await?;
            return Ok(erased);
        }
    }
}

async fn end_members<P: Serialize>(
    store: &Store,
    room: &Room,
    lines: &mut Lines,
    erased: &mut RoomData,
    progress: &impl Fn(RoomData) -> P,
) -> Result<()> {
    let mut slices = store.slices();
    loop {
        let members = store.members_after(room.clone(), None, MEMBERS).await?;
        if members.is_empty() {
            return Ok(());
        }
        erased.members += members.len() as u64;
        let ended = members.into_iter().map(|member| (member.user.id, room.clone())).collect();
        slices.run(|_| EndMemberships(ended), |(), _| ()).await?;
        lines.progress(progress(*erased)).await?;
    }
}

//! Erases a user: direct messages, messages, memberships with read marks, name, time last seen, keys.

use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Erased, Lines, Tell,
    room::{self, RoomData},
};
use crate::{
    error::Result,
    model::{Room, UserId},
    store::{EndMemberships, EraseMessages, ForgetUser, ScanPlace, Store},
};

/// Rooms that one read looks at.
const ROOMS: usize = 500;
/// Memberships that one slice ends.
const MEMBERSHIPS: usize = 100;

/// What is stored of a user, or what was erased.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserData {
    /// Number of messages that the user wrote in rooms.
    pub(crate) messages: u64,
    /// Number of direct messages, those of the other users included.
    pub(crate) direct_messages: u64,
    /// Number of memberships with read marks.
    pub(crate) memberships: u64,
    /// Number of idempotency keys of the last 24 hours.
    pub(crate) keys: u64,
    /// Number of messages of all users that were scanned for those of this one.
    pub(crate) scanned: u64,
}

/// Counts what [`erase_user`] would erase.
pub(crate) async fn count_user(store: &Store, user: &UserId, lines: &mut Lines) -> Result<UserData> {
    let mut data = UserData { keys: store.key_count(user.clone()).await?, ..UserData::default() };
    data.memberships = store.memberships(user.clone()).await?.len() as u64;
    for (_, messages) in direct_rooms(store, user).await? {
        data.direct_messages += messages;
    }
    let mut from = Some(ScanPlace::default());
    while let Some(place) = from {
        let found = store.messages_of(user.clone(), place).await?;
        for id in found.messages {
            match store.message(id).await? {
                // Counted with the room.
                Some((Room::Direct(_), _)) | None => {}
                Some(_) => data.messages += 1,
            }
        }
        data.scanned += found.scanned;
        from = found.next;
        lines.progress(data).await?;
    }
    Ok(data)
}

/// The direct messages of a user, with the number of messages in each.
async fn direct_rooms(store: &Store, user: &UserId) -> Result<Vec<(Room, u64)>> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        // Keys of direct messages come first.
        let rooms = store.contents(after, ROOMS).await?;
        let count = rooms.len();
        after = rooms.last().map(|last| last.room.clone());
        let is_last = count < ROOMS || matches!(after, Some(Room::Named(_)));
        let is_own = |room: &Room| matches!(room, Room::Direct(direct) if direct.has(user));
        found.extend(rooms.into_iter().filter(|of| is_own(&of.room)).map(|of| (of.room, of.messages)));
        if is_last {
            return Ok(found);
        }
    }
}

/// Erases what is stored of a user. If it is stopped, a repetition goes on: it finds what is left.
pub(crate) async fn erase_user(store: &Store, user: &UserId, tell: &Tell, lines: &mut Lines) -> Result<UserData> {
    let mut data = UserData::default();
    for (room, messages) in direct_rooms(store, user).await? {
        let has_members = !store.members_after(room.clone(), None, 1).await?.is_empty();
        // A repetition does not tell again of those that are erased.
        if messages > 0 || has_members {
            let before = data.direct_messages;
            let with = |erased: RoomData| UserData { direct_messages: before + erased.messages, ..data };
            data.direct_messages = before + room::erase(store, &room, tell, lines, with).await?.messages;
        }
    }
    let mut slices = store.slices();
    let mut from = Some(ScanPlace::default());
    while let Some(place) = from {
        let found = store.messages_of(user.clone(), place).await?;
        let mut rest = &found.messages[..];
        while !rest.is_empty() {
            let tell = tell.clone();
            let slice = |limit: usize| {
                let (now, later) = rest.split_at(limit.min(rest.len()));
                rest = later;
                EraseMessages { user: user.clone(), messages: now.to_vec() }
            };
            let erased = slices.run(slice, move |erased, tellings| {
                erased.iter().for_each(|message| tell(Erased::Message(message), tellings));
                erased.len() as u64
            });
            data.messages += erased.await?;
            lines.progress(data).await?;
        }
        data.scanned += found.scanned;
        from = found.next;
        lines.progress(data).await?;
    }
    let memberships = store.memberships(user.clone()).await?;
    let rooms: Vec<_> = memberships.into_iter().map(|of| (user.clone(), of.room.seen_by(user))).collect();
    for ended in rooms.chunks(MEMBERSHIPS) {
        slices.run(|_| EndMemberships(ended.to_vec()), |(), _| ()).await?;
    }
    data.memberships = rooms.len() as u64;
    data.keys = store.key_count(user.clone()).await?;
    loop {
        slices.run(|keys| ForgetUser { user: user.clone(), keys }, |(), _| ()).await?;
        if store.key_count(user.clone()).await? == 0 {
            return Ok(data);
        }
    }
}

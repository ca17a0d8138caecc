//! Exports a room, or what is stored of a user, as lines of JSON.

use serde::Serialize;

use super::Lines;
use crate::{
    error::Result,
    model::{Message, Room, RoomName, UserId},
    protocol::{Head, Membership, PAGE_MAX, RoomUser},
    store::{Direction, ScanPlace, Store},
};

/// Members that one read returns.
const MEMBERS: usize = 200;

/// One line. The name of its only field says what it is.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum Line<'a> {
    Room(RoomLine<'a>),
    User(&'a RoomUser),
    Member(&'a RoomUser),
    Membership(&'a Membership),
    Message(&'a Message),
    /// The last line, which shows that the export is complete.
    End {
        messages: u64,
    },
}

#[derive(Serialize)]
struct RoomLine<'a> {
    room: &'a RoomName,
    head: Head,
}

/// Writes a room, its members and its messages, the oldest first. Returns the number of messages.
pub(crate) async fn export_room(store: &Store, name: &RoomName, lines: &Lines) -> Result<u64> {
    let stored = store.rooms(vec![name.clone()]).await?.pop().flatten();
    let head = stored.map_or(Head { offset: 0, revision: 0 }, |stored| stored.head);
    lines.write(&Line::Room(RoomLine { room: name, head })).await?;
    let room = Room::Named(name.clone());
    let mut after = None;
    loop {
        let members = store.members_after(room.clone(), after, MEMBERS).await?;
        for member in &members {
            lines.write(&Line::Member(member)).await?;
        }
        after = members.last().map(|last| last.user.id.clone());
        if members.len() < MEMBERS {
            break;
        }
    }
    let (mut after, mut messages) = (0, 0);
    // The reader matters in direct messages only.
    let reader = crate::model::User::system().id;
    loop {
        let page = store.page(room.clone(), reader.clone(), Direction::After(after), PAGE_MAX).await?;
        for message in &page.messages {
            lines.write(&Line::Message(message)).await?;
        }
        messages += page.messages.len() as u64;
        after = page.messages.last().map_or(after, |last| last.offset);
        if !page.more {
            break;
        }
    }
    lines.write(&Line::End { messages }).await?;
    Ok(messages)
}

/// Writes what is stored of a user: name, memberships with read marks, and the messages that the user wrote. Returns
/// the number of messages.
pub(crate) async fn export_user(store: &Store, user: &UserId, lines: &Lines) -> Result<u64> {
    if let Some(known) = store.user(user.clone()).await? {
        lines.write(&Line::User(&known)).await?;
    }
    for membership in store.memberships(user.clone()).await? {
        lines.write(&Line::Membership(&membership)).await?;
    }
    let (mut from, mut messages) = (Some(ScanPlace::default()), 0);
    while let Some(place) = from {
        let found = store.messages_of(user.clone(), place).await?;
        for id in found.messages {
            // It may have been removed since.
            if let Some((_, message)) = store.message(id).await? {
                lines.write(&Line::Message(&message)).await?;
                messages += 1;
            }
        }
        from = found.next;
    }
    lines.write(&Line::End { messages }).await?;
    Ok(messages)
}

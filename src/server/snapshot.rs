//! Makes the handover of a server's sockets: shared events once, and no more bytes than `recovery.total-bytes`.

use std::{cmp::Reverse, collections::HashMap, sync::Arc, time::Duration};

use crate::{
    app::App,
    engine::{Application, Frame},
    hub::{Hub, SuspendedMember},
    model::{Room, Timestamp, UserId},
    restart::{self, Handover, SavedMember, SavedRoom, SavedSocket},
};

/// Bytes of a socket in the file, without its rooms, its data and its events.
const SOCKET: usize = 256;

/// The sockets of a server, taken from this process.
#[derive(Default)]
pub(super) struct Snapshot {
    pub(super) handover: Handover,
    /// The application's sides of the sockets in the handover.
    pub(super) kept: Vec<Arc<dyn Application>>,
    /// Those of the sockets that are not in it: their data cannot be written, or there are too many bytes.
    pub(super) left_out: Vec<Arc<dyn Application>>,
}

impl Snapshot {
    /// Takes all sockets whose clients are away. They receive no event any more.
    pub(super) fn take(app: &App) -> Self {
        let of_hub = |hub: Arc<Hub>| hub.suspend().into_iter().map(move |member| (hub.clone(), member));
        let mut members: Vec<_> = app.hubs.all().into_iter().flat_map(of_hub).collect();
        // Beyond the bound, those are left out whose windows end first.
        members.sort_by_key(|(_, member)| Reverse(member.socket.remaining));
        let (tag, next_number) = app.engine.offsets_so_far();
        let mut snapshot = Self { handover: Handover { tag, next_number, ..Handover::default() }, ..Self::default() };
        // What is not counted, such as the places of the logs, must fit into the file too.
        let mut room_left = app.config.recovery.total_bytes.min(restart::HANDOVER_BYTES_MAX as usize / 2);
        let mut events = HashMap::new();
        let mut logs = Vec::new();
        let now = Timestamp::now();
        for (hub, member) in members {
            let saved = member.application.saved().map(|saved| socket(app, &hub, &member, saved, now));
            let new: Vec<_> =
                member.socket.events.iter().filter(|event| !events.contains_key(&event.number())).collect();
            let bytes = saved.as_ref().map_or(0, bytes) + new.iter().map(|event| event.saved_bytes()).sum::<usize>();
            let (Some(saved), Some(rest)) = (saved, room_left.checked_sub(bytes)) else {
                snapshot.left_out.push(member.application);
                continue;
            };
            room_left = rest;
            events.extend(new.into_iter().map(|event| (event.number(), event.clone())));
            snapshot.handover.sockets.push(saved);
            snapshot.kept.push(member.application);
            logs.push(member.socket.events);
        }
        let mut events: Vec<Arc<Frame>> = events.into_values().collect();
        events.sort_unstable_by_key(|event| event.number());
        let numbers: Vec<u64> = events.iter().map(|event| event.number()).collect();
        for (saved, log) in snapshot.handover.sockets.iter_mut().zip(&logs) {
            saved.log = runs(&numbers, log.iter().map(|event| event.number()));
        }
        snapshot.handover.events = events.iter().map(|event| event.saved()).collect();
        snapshot
    }
}

/// A socket without its log.
fn socket(app: &App, hub: &Hub, member: &SuspendedMember, saved: SavedMember, now: Timestamp) -> SavedSocket {
    let user = member.application.user();
    let SuspendedMember { socket, rooms, .. } = member;
    SavedSocket {
        id: socket.id.to_string(),
        pid: socket.pid.clone(),
        namespace: socket.namespace.to_string(),
        parent: hub.parent().map(|parent| parent.name.to_string()),
        connected_at: socket.connected_at.as_millis(),
        requested_at: socket.requested_at.as_millis(),
        address: socket.address,
        until: later(now, socket.remaining),
        reason: socket.reason.as_str().to_owned(),
        last_removed: socket.last_removed,
        log: Vec::new(),
        rooms: rooms.iter().map(|room| self::room(app, hub, room, &user)).collect(),
        member: saved,
    }
}

fn room(app: &App, hub: &Hub, room: &Room, user: &UserId) -> SavedRoom {
    let is_present = match room {
        Room::Named(name) => app.is_root(hub) && app.presence.is_in(name, user),
        Room::Direct(_) => false,
    };
    SavedRoom { key: room.key().into_owned(), is_present }
}

fn later(now: Timestamp, by: Duration) -> u64 {
    now.as_millis().saturating_add(by.as_millis() as u64)
}

/// The bytes of a socket in the file, without its log.
fn bytes(socket: &SavedSocket) -> usize {
    let rooms: usize = socket.rooms.iter().map(|room| room.key.len() + 2).sum();
    let data: usize = socket.member.data.iter().map(|(name, json)| name.len() + json.len()).sum();
    let patterns: usize = socket.member.patterns.iter().map(String::len).sum();
    SOCKET + socket.namespace.len() + rooms + data + patterns
}

/// A log as runs of consecutive places in the list of all events: the first place, and the length. Both are in the order
/// of the numbers.
fn runs(all: &[u64], log: impl Iterator<Item = u64>) -> Vec<(u32, u32)> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for number in log {
        if let Some((first, length)) = runs.last_mut()
            && all.get((*first + *length) as usize) == Some(&number)
        {
            *length += 1;
        } else if let Ok(place) = all.binary_search(&number) {
            runs.push((place as u32, 1));
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consecutive_places_are_one_run() {
        let all = [2, 3, 5, 8, 13, 21];
        assert_eq!(runs(&all, [].into_iter()), []);
        assert_eq!(runs(&all, [3, 5, 8, 21].into_iter()), [(1, 3), (5, 1)]);
        assert_eq!(runs(&all, all.into_iter()), [(0, 6)]);
    }
}

//! Lists rooms, the users of a room, and all users, in pages.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use serde::Serialize;
use utoipa::ToSchema;

use super::{backends::in_the_name_of, enter::enter, rooms::rooms, users::user_named};
use crate::{
    app::App,
    auth::Identity,
    config::AuthMode,
    error::{Error, Result},
    hub::Device,
    model::{Room, RoomName, RoomRef, User, UserId},
    protocol::{Head, Membership, RoomUser},
    store::{RoomNameQuery, StoredRoom},
};

/// Maximal number of names or users that are read for one page, even if most of them are filtered out.
const LOOKED_AT: usize = 1_000;

/// A page of a list.
#[derive(Debug)]
pub struct ListPage<T> {
    /// In the order of their names or ids. There may be fewer than the limit although there are further pages.
    pub items: Vec<T>,
    /// The name or id after which the next page begins. `None` for the last page.
    pub next: Option<String>,
}

/// A room, with its numbers of messages and users.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct RoomSummary {
    /// The room's name.
    pub room: RoomName,
    /// The offset of the newest message and the revision of the newest change.
    pub head: Head,
    /// Number of members.
    pub member_count: u64,
    /// Number of users in the room now, without guests.
    pub online_count: usize,
}

/// A member of a room, or a user who is in it now.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Occupant {
    /// The user, and whether they are online.
    #[serde(flatten)]
    pub user: RoomUser,
    /// Whether the user is a member of the room.
    pub member: bool,
    /// Whether the user is in the room now: one of their sockets is subscribed, or was within `presence.grace`.
    pub present: bool,
}

/// A user, with details that only the user and backends get.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UserDetails {
    /// The user, and whether they are online.
    #[serde(flatten)]
    pub user: RoomUser,
    /// For the user and for backends: the user's memberships, those with the newest messages first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rooms: Option<Vec<Membership>>,
    /// For backends, and for the user if a token proves who they are: the user's sockets in all namespaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub devices: Option<Vec<Device>>,
}

/// The named rooms that a user may enter. If `who` is `None`: all of them.
pub async fn named_rooms(
    app: &App,
    who: Option<&Identity>,
    which: RoomNameQuery,
    limit: usize,
) -> Result<ListPage<RoomSummary>> {
    let stored = app.store().room_names(which.clone(), LOOKED_AT).await?;
    let subscribed = subscribed_rooms(app, &which);
    // If a list was cut, names after its last one may be missing, so the page must end there.
    let ends =
        [&stored, &subscribed].into_iter().filter(|names| names.len() == LOOKED_AT).filter_map(|names| names.last());
    let end = ends.min().cloned();
    let mut names: BTreeSet<RoomName> = stored.iter().chain(&subscribed).cloned().collect();
    names.retain(|name| end.as_ref().is_none_or(|end| name <= end));
    let may_enter = |name: &RoomName| who.is_none_or(|who| who.access.allows(&who.user.id, &Room::Named(name.clone())));
    let mut page: Vec<RoomName> = names.into_iter().filter(may_enter).take(limit + 1).collect();
    let next = if page.len() > limit {
        page.truncate(limit);
        page.last().cloned()
    } else {
        end
    };
    let kept = app.store().rooms(page.clone()).await?;
    let items = page.into_iter().zip(kept).filter_map(|(name, kept)| summary(app, name, kept)).collect();
    Ok(ListPage { items, next: next.map(String::from) })
}

/// Names of rooms that have sockets now. Some of them may not be in the store.
fn subscribed_rooms(app: &App, which: &RoomNameQuery) -> Vec<RoomName> {
    let prefix = RoomName::parse(&which.prefix).ok();
    let start = match (&which.after, &prefix) {
        (Some(after), None) => Bound::Excluded(after),
        (Some(after), Some(prefix)) if after >= prefix => Bound::Excluded(after),
        (_, Some(prefix)) => Bound::Included(prefix),
        (None, None) => Bound::Unbounded,
    };
    let mut names = app.hub.names_from(start, LOOKED_AT);
    let matching = names.iter().take_while(|name| name.as_str().starts_with(&which.prefix)).count();
    names.truncate(matching);
    names
}

/// `None` if the room is unknown: it has no messages, members or sockets. The lobby is always known.
fn summary(app: &App, name: RoomName, kept: Option<StoredRoom>) -> Option<RoomSummary> {
    let unknown = StoredRoom { head: Head { offset: 0, revision: 0 }, member_count: 0, message_count: 0 };
    let StoredRoom { head, member_count, message_count } = kept.unwrap_or(unknown);
    let online_count = app.presence.count(&name);
    let is_known = message_count > 0 || member_count > 0 || online_count > 0 || name == app.config.rooms.lobby;
    (is_known || app.hub.has_subscribers(&Room::Named(name.clone()))).then_some(RoomSummary {
        room: name,
        head,
        member_count,
        online_count,
    })
}

/// One room. `not-found` if it is unknown, `forbidden` if the user may not enter it.
pub async fn named_room(app: &App, who: Option<&Identity>, name: RoomName) -> Result<RoomSummary> {
    if let Some(who) = who {
        enter(who, RoomRef::Named(name.clone()))?;
    }
    let kept = app.store().rooms(vec![name.clone()]).await?.pop().flatten();
    summary(app, name, kept).ok_or_else(|| Error::NotFound("nothing is known of this room".to_owned()))
}

/// The members of a room and the users in it now. Errors as with [`named_room`].
pub async fn occupants(
    app: &App,
    who: Option<&Identity>,
    room: RoomName,
    after: Option<UserId>,
    limit: usize,
) -> Result<ListPage<Occupant>> {
    named_room(app, who, room.clone()).await?;
    let members = app.store().members_after(room.clone().into(), after.clone(), limit + 1).await?;
    let present = app.presence.after(&room, after.as_ref(), limit + 1);
    let mut occupants: BTreeMap<UserId, Occupant> = BTreeMap::new();
    for user in members {
        let (id, user) = (user.user.id.clone(), with_presence(app, user));
        occupants.insert(id, Occupant { user, member: true, present: false });
    }
    for user in present {
        let id = user.id.clone();
        let occupant = occupants.entry(id).or_insert(Occupant { user: online(user), member: false, present: true });
        occupant.present = true;
    }
    Ok(cut(occupants, limit))
}

/// The known users: all, only online ones, or only offline ones. Guests are not listed.
pub async fn known_users(
    app: &App,
    is_online: Option<bool>,
    after: Option<UserId>,
    limit: usize,
) -> Result<ListPage<RoomUser>> {
    let present = || app.presence.after(&app.config.rooms.lobby, after.as_ref(), limit + 1).into_iter().map(online);
    let by_id = |user: RoomUser| (user.user.id.clone(), user);
    if is_online == Some(true) {
        return Ok(cut(present().map(by_id).collect(), limit));
    }
    let known = app.store().users_after(after.clone(), if is_online.is_none() { limit + 1 } else { LOOKED_AT }).await?;
    let end = known.last().filter(|_| known.len() == LOOKED_AT).map(|last| last.user.id.clone());
    let mut users: BTreeMap<UserId, RoomUser> = known.into_iter().map(|user| by_id(with_presence(app, user))).collect();
    if is_online.is_none() {
        users.extend(present().map(by_id));
        return Ok(cut(users, limit));
    }
    users.retain(|_, user| !user.online);
    let ListPage { items, next } = cut(users, limit);
    Ok(ListPage { items, next: next.or(end.map(String::from)) })
}

/// One user. Backends (`who` is `None`) and the user themselves get all details. Other users get what a list of users
/// contains.
pub async fn user(app: &App, who: Option<&Identity>, id: UserId) -> Result<UserDetails> {
    let unknown = || Error::NotFound("there is no such user".to_owned());
    let known = match app.presence.user(&id) {
        Some(user) => Some(online(user)),
        None => app.store().user(id.clone()).await?,
    };
    if who.is_some_and(|who| who.user.id != id) {
        let user = known.ok_or_else(unknown)?;
        return Ok(UserDetails { user, rooms: None, devices: None });
    }
    let rooms = rooms(app, who.unwrap_or(&in_the_name_of(app, id.clone()))).await?.rooms;
    let devices = devices(app, &id);
    if known.is_none() && rooms.is_empty() && devices.is_empty() {
        return Err(unknown());
    }
    let user = match known {
        Some(user) => user,
        None => RoomUser {
            user: user_named(app, id).await?,
            online: devices.iter().any(|device| !device.away),
            last_seen: None,
        },
    };
    // Without tokens, any client can claim to be this user, and must not learn the ids of the user's sockets.
    let is_proven = who.is_none() || app.config.auth.mode == AuthMode::Jwt;
    Ok(UserDetails { user, rooms: Some(rooms), devices: is_proven.then_some(devices) })
}

/// A user's sockets in all namespaces.
fn devices(app: &App, user: &UserId) -> Vec<Device> {
    app.hubs.all().iter().flat_map(|hub| hub.devices_of(user)).collect()
}

fn online(user: User) -> RoomUser {
    RoomUser { user, online: true, last_seen: None }
}

/// A user from the store, updated with whether they are online.
fn with_presence(app: &App, known: RoomUser) -> RoomUser {
    app.presence.user(&known.user.id).map_or(known, online)
}

/// The first `limit` items. If there are more, `next` is the id of the last one returned.
fn cut<T>(items: BTreeMap<UserId, T>, limit: usize) -> ListPage<T> {
    let next = (items.len() > limit).then(|| items.keys().nth(limit - 1).cloned()).flatten();
    ListPage { items: items.into_values().take(limit).collect(), next: next.map(String::from) }
}

//! `/api/rooms`

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    answer::{Answer, Done, Failed},
    caller::Caller,
    extract::{Path, Query},
};
use crate::{
    app::App,
    chat::{self, Listed, Occupant, RoomSummary},
    config::Scope,
    error::Error,
    model::{RoomName, RoomRef, UserId},
    protocol::Reply,
    store::Names,
};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get)).routes(routes!(users)).routes(routes!(put, remove))
}

/// Which rooms.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Which {
    /// What their names begin with.
    #[serde(default)]
    prefix: String,
    /// The last page's `next`.
    after: Option<RoomName>,
    /// How many: 50 by default, 1 to 200.
    limit: Option<u64>,
}

/// Rooms by their names.
#[derive(Serialize, ToSchema)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "RoomPage", optional_fields))]
pub(crate) struct Rooms {
    /// The rooms, perhaps fewer than were asked for though there are others.
    rooms: Vec<RoomSummary>,
    /// Where the next page begins; missing on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The rooms there are
///
/// Rooms with messages, with members, or with somebody in them; direct messages are none. A user sees those they may
/// enter.
#[utoipa::path(
    get,
    path = "/api/rooms",
    tag = "rooms",
    params(Which),
    responses(Failed, (status = 200, description = "A page of rooms, in the order of their names", body = Reply<Rooms>))
)]
async fn list(State(app): State<Arc<App>>, caller: Caller, Query(which): Query<Which>) -> Answer<Rooms> {
    let who = caller.reader(Scope::RoomsRead)?;
    if which.prefix.chars().any(char::is_control) {
        return Err(Failed(Error::BadPayload("prefix must not contain control characters".to_owned())));
    }
    let limit = chat::page_limit(which.limit)?;
    let names = Names { prefix: which.prefix, after: which.after };
    let Listed { items: rooms, next } = chat::named_rooms(&app, who, names, limit).await?;
    Ok(Done(Rooms { rooms, next }))
}

/// One room
#[utoipa::path(
    get,
    path = "/api/rooms/{room}",
    tag = "rooms",
    params(("room" = RoomName, Path, description = "The room's name")),
    responses(
        Failed,
        (status = 200, description = "The room", body = Reply<RoomSummary>),
        (status = 404, description = "`not-found`: no history, no members, nobody in it"),
    )
)]
async fn get(State(app): State<Arc<App>>, caller: Caller, Path(room): Path<RoomName>) -> Answer<RoomSummary> {
    Ok(Done(chat::named_room(&app, caller.reader(Scope::RoomsRead)?, room).await?))
}

/// Which users.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Part {
    /// The last page's `next`.
    after: Option<UserId>,
    /// How many: 50 by default, 1 to 200.
    limit: Option<u64>,
}

/// Users of a room by their ids.
#[derive(Serialize, ToSchema)]
struct Occupants {
    /// The users.
    users: Vec<Occupant>,
    /// Where the next page begins; missing on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Who belongs to a room or is in it now
///
/// Guests are not listed.
#[utoipa::path(
    get,
    path = "/api/rooms/{room}/users",
    tag = "rooms",
    params(("room" = RoomName, Path, description = "The room's name"), Part),
    responses(
        Failed,
        (status = 200, description = "A page of users, in the order of their ids", body = Reply<Occupants>),
        (status = 404, description = "`not-found`: no history, no members, nobody in it"),
    )
)]
async fn users(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(room): Path<RoomName>,
    Query(part): Query<Part>,
) -> Answer<Occupants> {
    let who = caller.reader(Scope::RoomsRead)?;
    let limit = chat::page_limit(part.limit)?;
    let Listed { items: users, next } = chat::occupants(&app, who, room, part.after, limit).await?;
    Ok(Done(Occupants { users, next }))
}

/// What changed.
#[derive(Serialize, ToSchema)]
struct Put {
    /// The user was no member before. Guests never are.
    joined: bool,
    /// How many of the user's sockets hear the room that did not before.
    sockets: usize,
}

/// Puts a user into a room
///
/// The user becomes a member, and their sockets of the root namespace hear the room from now on, as after `join-room`;
/// where there are tokens, those whose token opens the room.
#[utoipa::path(
    put,
    path = "/api/rooms/{room}/users/{id}",
    tag = "rooms",
    params(
        ("room" = RoomName, Path, description = "The room's name"),
        ("id" = UserId, Path, description = "The user's id"),
    ),
    responses(Failed, (status = 200, description = "What changed", body = Reply<Put>))
)]
async fn put(State(app): State<Arc<App>>, caller: Caller, Path((room, user)): Path<(RoomName, UserId)>) -> Answer<Put> {
    caller.backend(Scope::RoomsWrite)?;
    let chat::Put { joined, sockets } = chat::put(&app, user, room).await?;
    Ok(Done(Put { joined, sockets }))
}

/// Takes a user out of a room
///
/// As `leave-room` does: the membership ends, and all the user's sockets leave. The lobby cannot be left.
#[utoipa::path(
    delete,
    path = "/api/rooms/{room}/users/{id}",
    tag = "rooms",
    params(
        ("room" = RoomName, Path, description = "The room's name"),
        ("id" = UserId, Path, description = "The user's id"),
    ),
    responses(Failed, (status = 200, description = "They are out, or were not in: `data` is null"))
)]
async fn remove(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path((room, user)): Path<(RoomName, UserId)>,
) -> Answer<()> {
    caller.backend(Scope::RoomsWrite)?;
    let who = chat::in_the_name_of(&app, user);
    Ok(Done(chat::leave(&app, &who, RoomRef::Named(room)).await?))
}

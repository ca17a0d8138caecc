//! `/api/rooms`: lists rooms and their users, and changes memberships.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    caller::Caller,
    extract::{Path, Query},
    response::{ApiError, ApiResult, Done},
};
use crate::{
    app::App,
    chat::{self, ListPage, Occupant, RoomSummary},
    config::Scope,
    error::Error,
    model::{RoomName, RoomRef, UserId},
    protocol::Reply,
    store::RoomNameQuery,
};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get)).routes(routes!(users)).routes(routes!(put, remove))
}

/// The parameters of a page of rooms.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct RoomsQuery {
    /// Return only rooms whose names begin with this.
    #[serde(default)]
    prefix: String,
    /// The `next` of the previous page.
    after: Option<RoomName>,
    /// Maximal number of rooms: 1 to 200, 50 by default.
    limit: Option<u64>,
}

/// A page of rooms.
#[derive(Serialize, ToSchema)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "RoomPage", optional_fields))]
pub(crate) struct Rooms {
    /// The rooms. There may be fewer than `limit` although this is not the last page.
    rooms: Vec<RoomSummary>,
    /// The `after` of the next page. Missing on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The known rooms
///
/// Rooms that have messages, members or sockets, and the lobby. Direct messages are not listed. A user gets only the
/// rooms that they may enter.
#[utoipa::path(
    get,
    path = "/api/rooms",
    tag = "rooms",
    params(RoomsQuery),
    responses(ApiError, (status = 200, description = "A page of rooms, in the order of their names", body = Reply<Rooms>))
)]
async fn list(State(app): State<Arc<App>>, caller: Caller, Query(query): Query<RoomsQuery>) -> ApiResult<Rooms> {
    let who = caller.reader(Scope::RoomsRead)?;
    if query.prefix.chars().any(char::is_control) {
        return Err(ApiError(Error::BadPayload("prefix must not contain control characters".to_owned())));
    }
    let limit = chat::page_limit(query.limit)?;
    let names = RoomNameQuery { prefix: query.prefix, after: query.after };
    let ListPage { items: rooms, next } = chat::named_rooms(&app, who, names, limit).await?;
    Ok(Done(Rooms { rooms, next }))
}

/// One room
#[utoipa::path(
    get,
    path = "/api/rooms/{room}",
    tag = "rooms",
    params(("room" = RoomName, Path, description = "The room's name")),
    responses(
        ApiError,
        (status = 200, description = "The room", body = Reply<RoomSummary>),
        (status = 404, description = "`not-found`: the room has no messages, members or sockets"),
    )
)]
async fn get(State(app): State<Arc<App>>, caller: Caller, Path(room): Path<RoomName>) -> ApiResult<RoomSummary> {
    Ok(Done(chat::named_room(&app, caller.reader(Scope::RoomsRead)?, room).await?))
}

/// The parameters of a page of users.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct UsersQuery {
    /// The `next` of the previous page.
    after: Option<UserId>,
    /// Maximal number of users: 1 to 200, 50 by default.
    limit: Option<u64>,
}

/// A page of a room's users.
#[derive(Serialize, ToSchema)]
struct Occupants {
    /// The users.
    users: Vec<Occupant>,
    /// The `after` of the next page. Missing on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The members of a room and the users in it now
///
/// Guests are not listed.
#[utoipa::path(
    get,
    path = "/api/rooms/{room}/users",
    tag = "rooms",
    params(("room" = RoomName, Path, description = "The room's name"), UsersQuery),
    responses(
        ApiError,
        (status = 200, description = "A page of users, in the order of their ids", body = Reply<Occupants>),
        (status = 404, description = "`not-found`: the room has no messages, members or sockets"),
    )
)]
async fn users(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(room): Path<RoomName>,
    Query(query): Query<UsersQuery>,
) -> ApiResult<Occupants> {
    let who = caller.reader(Scope::RoomsRead)?;
    let limit = chat::page_limit(query.limit)?;
    let ListPage { items: users, next } = chat::occupants(&app, who, room, query.after, limit).await?;
    Ok(Done(Occupants { users, next }))
}

/// The changes made.
#[derive(Serialize, ToSchema)]
struct Put {
    /// Whether the membership is new. Guests have no memberships.
    joined: bool,
    /// Number of the user's sockets that were subscribed by this request.
    sockets: usize,
}

/// Puts a user into a room
///
/// The user becomes a member, and their sockets in the root namespace are subscribed, as after `join-room`. Sockets
/// whose token does not allow the room are left out.
#[utoipa::path(
    put,
    path = "/api/rooms/{room}/users/{id}",
    tag = "rooms",
    params(
        ("room" = RoomName, Path, description = "The room's name"),
        ("id" = UserId, Path, description = "The user's id"),
    ),
    responses(ApiError, (status = 200, description = "The changes made", body = Reply<Put>))
)]
async fn put(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path((room, user)): Path<(RoomName, UserId)>,
) -> ApiResult<Put> {
    caller.backend(Scope::RoomsWrite)?;
    let chat::Put { joined, sockets } = chat::put(&app, user, room).await?;
    Ok(Done(Put { joined, sockets }))
}

/// Takes a user out of a room
///
/// As `leave-room` does: the membership ends, and all the user's sockets leave the room. The lobby cannot be left.
#[utoipa::path(
    delete,
    path = "/api/rooms/{room}/users/{id}",
    tag = "rooms",
    params(
        ("room" = RoomName, Path, description = "The room's name"),
        ("id" = UserId, Path, description = "The user's id"),
    ),
    responses(ApiError, (status = 200, description = "The user is not in the room any more, or was not in it: `data` is null"))
)]
async fn remove(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path((room, user)): Path<(RoomName, UserId)>,
) -> ApiResult<()> {
    caller.backend(Scope::RoomsWrite)?;
    let who = chat::in_the_name_of(&app, user);
    Ok(Done(chat::leave(&app, &who, RoomRef::Named(room)).await?))
}

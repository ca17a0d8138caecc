//! `/api/users`: lists users and disconnects them.

use std::{collections::BTreeMap, sync::Arc};

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
    chat::{self, ListPage, UserDetails},
    config::Scope,
    error::Error,
    model::UserId,
    protocol::{Reply, RoomUser},
};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(unread))
        .routes(routes!(disconnect))
        .routes(routes!(disconnect_device))
}

/// The parameters of a page of users.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct UsersQuery {
    /// Return only users who are online (true) or offline (false). Without it, both.
    online: Option<bool>,
    /// The `next` of the previous page.
    after: Option<UserId>,
    /// Maximal number of users: 1 to 200, 50 by default.
    limit: Option<u64>,
}

/// A page of users.
#[derive(Serialize, ToSchema)]
struct Users {
    /// The users. There may be fewer than `limit` although this is not the last page.
    users: Vec<RoomUser>,
    /// The `after` of the next page. Missing on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The known users
///
/// All users who were ever connected, or in whose name a backend has written. Guests are not listed. Users with a token
/// may read this list too.
#[utoipa::path(
    get,
    path = "/api/users",
    tag = "users",
    params(UsersQuery),
    responses(ApiError, (status = 200, description = "A page of users, in the order of their ids", body = Reply<Users>))
)]
async fn list(State(app): State<Arc<App>>, caller: Caller, Query(query): Query<UsersQuery>) -> ApiResult<Users> {
    caller.reader(Scope::UsersRead)?;
    let limit = chat::page_limit(query.limit)?;
    let ListPage { items: users, next } = chat::known_users(&app, query.online, query.after, limit).await?;
    Ok(Done(Users { users, next }))
}

/// One user
///
/// Backends, and users who ask for themselves, also get `rooms` and `devices`.
#[utoipa::path(
    get,
    path = "/api/users/{id}",
    tag = "users",
    params(("id" = UserId, Path, description = "The user's id")),
    responses(
        ApiError,
        (status = 200, description = "The user", body = Reply<UserDetails>),
        (status = 404, description = "`not-found`: the user is unknown"),
    )
)]
async fn get(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<UserId>) -> ApiResult<UserDetails> {
    Ok(Done(chat::user(&app, caller.reader(Scope::UsersRead)?, id).await?))
}

/// A user's unread messages.
#[derive(Serialize, ToSchema)]
struct Unread {
    /// Number of unread messages of others by room, each counted up to 1,000. Rooms without unread messages are left
    /// out.
    rooms: BTreeMap<String, u64>,
    /// The sum.
    total: u64,
}

/// The number of a user's unread messages
///
/// For backends, and for users who ask for themselves.
#[utoipa::path(
    get,
    path = "/api/users/{id}/unread",
    tag = "users",
    params(("id" = UserId, Path, description = "The user's id")),
    responses(ApiError, (status = 200, description = "Counts by room, and the sum", body = Reply<Unread>))
)]
async fn unread(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<UserId>) -> ApiResult<Unread> {
    let who = match caller.reader(Scope::UsersRead)? {
        Some(who) if who.user.id == id => who.clone(),
        Some(_) => return Err(ApiError(Error::Forbidden("this is another user's to read".to_owned()))),
        None => chat::in_the_name_of(&app, id),
    };
    let rooms = chat::rooms(&app, &who).await?.rooms.into_iter();
    let rooms: BTreeMap<_, _> =
        rooms.filter(|room| room.unread > 0).map(|room| (room.room.to_string(), room.unread)).collect();
    let total = rooms.values().sum();
    Ok(Done(Unread { rooms, total }))
}

/// The number of sockets that were disconnected.
#[derive(Serialize, ToSchema)]
struct Disconnected {
    /// Number of sockets.
    sockets: usize,
}

/// Disconnects a user
///
/// All sockets of the user, in all namespaces. They get DISCONNECT, so that unchanged clients do not reconnect.
#[utoipa::path(
    post,
    path = "/api/users/{id}/disconnect",
    tag = "users",
    params(("id" = UserId, Path, description = "The user's id")),
    responses(ApiError, (status = 200, description = "The number of sockets, which may be 0", body = Reply<Disconnected>))
)]
async fn disconnect(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<UserId>) -> ApiResult<Disconnected> {
    caller.backend(Scope::UsersWrite)?;
    Ok(Done(Disconnected { sockets: chat::disconnect(&app, &id) }))
}

/// Disconnects one device of a user
#[utoipa::path(
    delete,
    path = "/api/users/{id}/devices/{socketId}",
    tag = "users",
    params(
        ("id" = UserId, Path, description = "The user's id"),
        ("socketId" = String, Path, description = "The socket's id, as its client knows it"),
    ),
    responses(
        ApiError,
        (status = 200, description = "The device is disconnected", body = Reply<Disconnected>),
        (status = 404, description = "`not-found`: the user has no such device"),
    )
)]
async fn disconnect_device(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path((id, socket_id)): Path<(UserId, String)>,
) -> ApiResult<Disconnected> {
    caller.backend(Scope::UsersWrite)?;
    chat::disconnect_device(&app, &id, &socket_id)?;
    Ok(Done(Disconnected { sockets: 1 }))
}

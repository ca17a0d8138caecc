//! `/api/users`

use std::{collections::BTreeMap, sync::Arc};

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
    chat::{self, Listed, UserDetails},
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

/// Which users.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Those that are online, or those that are not; without it, both.
    online: Option<bool>,
    /// The last page's `next`.
    after: Option<UserId>,
    /// How many: 50 by default, 1 to 200.
    limit: Option<u64>,
}

/// Users by their ids.
#[derive(Serialize, ToSchema)]
struct Users {
    /// The users, perhaps fewer than were asked for though there are others.
    users: Vec<RoomUser>,
    /// Where the next page begins; missing on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The users that were ever here
///
/// Guests are not listed. A user with a token may read it too.
#[utoipa::path(
    get,
    path = "/api/users",
    tag = "users",
    params(Which),
    responses(Failed, (status = 200, description = "A page of users, in the order of their ids", body = Reply<Users>))
)]
async fn list(State(app): State<Arc<App>>, caller: Caller, Query(which): Query<Which>) -> Answer<Users> {
    caller.reader(Scope::UsersRead)?;
    let limit = chat::page_limit(which.limit)?;
    let Listed { items: users, next } = chat::known_users(&app, which.online, which.after, limit).await?;
    Ok(Done(Users { users, next }))
}

/// One user
///
/// For backends, and for users of themselves, with `rooms` and `devices`.
#[utoipa::path(
    get,
    path = "/api/users/{id}",
    tag = "users",
    params(("id" = UserId, Path, description = "The user's id")),
    responses(
        Failed,
        (status = 200, description = "The user", body = Reply<UserDetails>),
        (status = 404, description = "`not-found`: nothing is known of this user"),
    )
)]
async fn get(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<UserId>) -> Answer<UserDetails> {
    Ok(Done(chat::user(&app, caller.reader(Scope::UsersRead)?, id).await?))
}

/// What a user has not read.
#[derive(Serialize, ToSchema)]
struct Unread {
    /// Messages of others that were not read, by room, each counted up to 1,000. Rooms without any are left out.
    rooms: BTreeMap<String, u64>,
    /// Their sum.
    total: u64,
}

/// How much a user has not read
///
/// For backends, and for users of themselves.
#[utoipa::path(
    get,
    path = "/api/users/{id}/unread",
    tag = "users",
    params(("id" = UserId, Path, description = "The user's id")),
    responses(Failed, (status = 200, description = "Counts by room, and their sum", body = Reply<Unread>))
)]
async fn unread(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<UserId>) -> Answer<Unread> {
    let who = match caller.reader(Scope::UsersRead)? {
        Some(who) if who.user.id == id => who.clone(),
        Some(_) => return Err(Failed(Error::Forbidden("this is another user's to read".to_owned()))),
        None => chat::in_the_name_of(&app, id),
    };
    let rooms = chat::rooms(&app, &who).await?.rooms.into_iter();
    let rooms: BTreeMap<_, _> =
        rooms.filter(|room| room.unread > 0).map(|room| (room.room.to_string(), room.unread)).collect();
    let total = rooms.values().sum();
    Ok(Done(Unread { rooms, total }))
}

/// What was disconnected.
#[derive(Serialize, ToSchema)]
struct Disconnected {
    /// How many sockets.
    sockets: usize,
}

/// Disconnects a user
///
/// All sockets in all namespaces. They are told, so that unchanged clients stay away.
#[utoipa::path(
    post,
    path = "/api/users/{id}/disconnect",
    tag = "users",
    params(("id" = UserId, Path, description = "The user's id")),
    responses(Failed, (status = 200, description = "How many there were, perhaps none", body = Reply<Disconnected>))
)]
async fn disconnect(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<UserId>) -> Answer<Disconnected> {
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
        Failed,
        (status = 200, description = "It is disconnected", body = Reply<Disconnected>),
        (status = 404, description = "`not-found`: this user has no such device"),
    )
)]
async fn disconnect_device(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path((id, socket_id)): Path<(UserId, String)>,
) -> Answer<Disconnected> {
    caller.backend(Scope::UsersWrite)?;
    chat::disconnect_device(&app, &id, &socket_id)?;
    Ok(Done(Disconnected { sockets: 1 }))
}

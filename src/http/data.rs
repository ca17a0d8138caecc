//! `/api/rooms/{room}` and `/api/users/{id}/data`: erases rooms and what users have left, and exports both. Responses
//! are lines of JSON (NDJSON), so that long work shows its progress and nothing is held in memory.

use std::{convert::Infallible, future::ready, sync::Arc};

use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderValue, header::CONTENT_TYPE};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    caller::Caller,
    extract::{Path, Query},
    response::{ApiError, Done},
};
use crate::{
    app::App,
    chat,
    config::Scope,
    erasure::{self, Lines, RoomData, UserData},
    error::{Error, Result},
    model::{Room, RoomName, UserId},
    protocol::Reply,
};

const NDJSON: HeaderValue = HeaderValue::from_static("application/x-ndjson");

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(erase_room))
        .routes(routes!(export_room))
        .routes(routes!(erase_user, export_user))
}

/// The parameters of an erasure.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
// A misspelt `dryRun` must not erase anything.
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Erasure {
    /// Only count what would be erased.
    #[serde(default)]
    dry_run: bool,
}

/// Delete a room
///
/// Removes its messages and members. Sockets in the room get `room-deleted` and leave it. The name keeps its last offset
/// and revision, so that every client's `since` is answered by `reset`. The response is NDJSON: `{ "progress": ... }`
/// once a second, and the reply as its last line. If the request ends early, a repetition goes on. The lobby cannot be
/// deleted.
#[utoipa::path(
    delete,
    path = "/api/rooms/{room}",
    tag = "data",
    params(("room" = RoomName, Path, description = "The room's name"), Erasure),
    responses(
        ApiError,
        (status = 200, description = "What was erased", body = Reply<RoomData>, content_type = "application/x-ndjson"),
    )
)]
async fn erase_room(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(room): Path<RoomName>,
    Query(query): Query<Erasure>,
) -> Result<Response, ApiError> {
    let key = caller.backend(Scope::DataErase)?.name.clone();
    chat::check_room(&app, &room)?;
    if query.dry_run {
        return Ok(Done(erasure::count_room(app.store(), &Room::Named(room)).await?).into_response());
    }
    let (mut lines, output) = Lines::new();
    let work = async move { reply(chat::erase_room(&app, &key, room, &mut lines).await, &lines).await };
    Ok(streamed(work, output))
}

/// Export a room
///
/// NDJSON: a line `{ "room": ... }`, a line `{ "member": ... }` for each member, a line `{ "message": ... }` for each
/// message, the oldest first, and `{ "end": { "messages": n } }` as the last line. Without this line the export is not
/// complete.
#[utoipa::path(
    get,
    path = "/api/rooms/{room}/export",
    tag = "data",
    params(("room" = RoomName, Path, description = "The room's name")),
    responses(ApiError, (status = 200, description = "The room", content_type = "application/x-ndjson"))
)]
async fn export_room(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(room): Path<RoomName>,
) -> Result<Response, ApiError> {
    let key = caller.backend(Scope::DataRead)?.name.clone();
    let (lines, output) = Lines::new();
    let work = async move {
        match erasure::export_room(app.store(), &room, &lines).await {
            Ok(messages) => tracing::info!(%room, by = key, messages, "a room was exported"),
            Err(error) => failure(error, &lines).await,
        }
    };
    Ok(streamed(work, output))
}

/// Erase a user
///
/// Disconnects the user and erases what is stored of them; the documentation says what, table by table. Clients get
/// `message-deleted` for messages among the newest 200 of each room, and hear of the others when they catch up. The
/// response is NDJSON: `{ "progress": ... }` once a second, and the reply as its last line. If the request ends early, a
/// repetition goes on.
#[utoipa::path(
    delete,
    path = "/api/users/{id}/data",
    tag = "data",
    params(("id" = UserId, Path, description = "The user's id"), Erasure),
    responses(
        ApiError,
        (status = 200, description = "What was erased", body = Reply<UserData>, content_type = "application/x-ndjson"),
    )
)]
async fn erase_user(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<UserId>,
    Query(query): Query<Erasure>,
) -> Result<Response, ApiError> {
    let key = caller.backend(Scope::DataErase)?.name.clone();
    chat::check_user(&id)?;
    let (mut lines, output) = Lines::new();
    let work = async move {
        let data = match query.dry_run {
            true => erasure::count_user(app.store(), &id, &mut lines).await,
            false => chat::erase_user(&app, &key, id, &mut lines).await,
        };
        reply(data, &lines).await;
    };
    Ok(streamed(work, output))
}

/// Export a user
///
/// NDJSON: a line `{ "user": ... }`, a line `{ "membership": ... }` for each membership with its read mark, a line
/// `{ "message": ... }` for each message that the user wrote, and `{ "end": { "messages": n } }` as the last line.
/// Without this line the export is not complete.
#[utoipa::path(
    get,
    path = "/api/users/{id}/data",
    tag = "data",
    params(("id" = UserId, Path, description = "The user's id")),
    responses(ApiError, (status = 200, description = "The user's data", content_type = "application/x-ndjson"))
)]
async fn export_user(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<UserId>,
) -> Result<Response, ApiError> {
    let key = caller.backend(Scope::DataRead)?.name.clone();
    let (lines, output) = Lines::new();
    let work = async move {
        match erasure::export_user(app.store(), &id, &lines).await {
            Ok(messages) => tracing::info!(user = %id, by = key, messages, "a user's data was exported"),
            Err(error) => failure(error, &lines).await,
        }
    };
    Ok(streamed(work, output))
}

/// Writes the reply as the last line.
async fn reply<T: Serialize>(result: Result<T>, lines: &Lines) {
    match result {
        // If nobody reads it, the work is done all the same.
        Ok(data) => drop(lines.write(&Reply::Done { success: true, data }).await),
        Err(error) => failure(error, lines).await,
    }
}

/// Writes the reply of work that has failed as the last line.
async fn failure(error: Error, lines: &Lines) {
    tracing::warn!(%error, "an erasure or an export was not completed");
    // Nobody reads it if that is why the work has failed.
    drop(lines.write(&Reply::<()>::failed(&error)).await);
}

/// A response whose body is the output of `work`. The work runs while the body is read, and ends with it.
fn streamed(work: impl Future<Output = ()> + Send + 'static, output: mpsc::Receiver<Bytes>) -> Response {
    let lines = stream::unfold(output, async |mut output| output.recv().await.map(|line| (Some(line), output)));
    let work = stream::once(work).map(|()| None);
    let body = stream::select(lines, work).filter_map(|line| ready(line.map(Ok::<_, Infallible>)));
    ([(CONTENT_TYPE, NDJSON)], Body::from_stream(body)).into_response()
}

//! Lists channels and their users.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    extract::{Path, State},
};
use serde::Serialize;

use super::{
    channel::{self, is_presence},
    info::{Counts, Info, Subscribers},
    request::SignedRequest,
    response::PusherResult,
};
use crate::{
    app::App,
    error::Error,
    model::{Room, RoomName, UserId},
};

#[derive(Serialize)]
pub(super) struct List {
    channels: BTreeMap<RoomName, Counts>,
}

#[derive(Serialize)]
pub(super) struct ChannelState {
    occupied: bool,
    #[serde(flatten)]
    counts: Counts,
}

#[derive(Serialize)]
pub(super) struct Users {
    users: Vec<ListedUser>,
}

#[derive(Serialize)]
struct ListedUser {
    id: UserId,
}

/// `GET /apps/{app}/channels`: the channels that have subscribers.
pub(super) async fn list(State(app): State<Arc<App>>, request: SignedRequest) -> PusherResult<List> {
    let prefix = request.params.get("filter_by_prefix").unwrap_or_default();
    let info = Info::parse(request.params.get("info"), prefix)?;
    let channels = app.hub.rooms(prefix).into_iter().map(|name| {
        let counts = info.of(&app, &Room::Named(name.clone()));
        (name, counts)
    });
    Ok(Json(List { channels: channels.collect() }))
}

/// `GET /apps/{app}/channels/{channel}`: whether a channel has subscribers, and its attributes.
pub(super) async fn one(
    State(app): State<Arc<App>>,
    Path((_, name)): Path<(String, String)>,
    request: SignedRequest,
) -> PusherResult<ChannelState> {
    let room = channel::room(&name)?;
    let info = Info::parse(request.params.get("info"), &name)?;
    let subscribers = Subscribers::of(&app, &room);
    Ok(Json(ChannelState { occupied: subscribers.sockets > 0, counts: info.among(&subscribers) }))
}

/// `GET /apps/{app}/channels/{channel}/users`: the users of a presence channel.
pub(super) async fn users(
    State(app): State<Arc<App>>,
    Path((_, name)): Path<(String, String)>,
    _: SignedRequest,
) -> PusherResult<Users> {
    let room = channel::room(&name)?;
    if !is_presence(&name) {
        return Err(Error::BadPayload("users are listed for presence channels only".to_owned()).into());
    }
    let users = Subscribers::of(&app, &room).users.into_iter().map(|id| ListedUser { id }).collect();
    Ok(Json(Users { users }))
}

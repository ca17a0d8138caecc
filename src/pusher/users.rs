//! `POST /apps/{app}/users/{user}/terminate_connections`: disconnects a user.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};

use super::{
    request::SignedRequest,
    response::{Empty, PusherResult},
};
use crate::{app::App, chat, error::Error, model::UserId};

/// `POST /apps/{app}/users/{user}/terminate_connections`: ends all sockets of the user, in every namespace. The
/// libraries do not escape slashes in the id.
pub(super) async fn terminate_connections(
    State(app): State<Arc<App>>,
    Path((_, rest)): Path<(String, String)>,
    _: SignedRequest,
) -> PusherResult<Empty> {
    terminate(&app, &rest)
}

/// `POST /users/{user}/terminate_connections`: the same, for the library for Python (`pusher` 3).
pub(super) async fn terminate_connections_of_the_app(
    State(app): State<Arc<App>>,
    Path(rest): Path<String>,
    _: SignedRequest,
) -> PusherResult<Empty> {
    terminate(&app, &rest)
}

fn terminate(app: &Arc<App>, rest: &str) -> PusherResult<Empty> {
    let Some(user) = rest.strip_suffix("/terminate_connections") else {
        return Err(Error::NotFound("there is no such call".to_owned()).into());
    };
    let user = UserId::parse(user).map_err(Error::BadPayload)?;
    chat::disconnect(app, &user);
    Ok(Json(Empty {}))
}

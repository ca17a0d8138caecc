//! `POST /apps/{app}/users/{user}/terminate_connections`

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};

use super::{
    answer::{Answer, Nothing},
    request::Signed,
};
use crate::{app::App, chat, error::Error, model::UserId};

/// `POST /apps/{app}/users/{user}/terminate_connections`: kicks all sockets of the user, in every namespace. An id
/// may have slashes, which the libraries do not escape.
pub(super) async fn terminate_connections(
    State(app): State<Arc<App>>,
    Path((_, rest)): Path<(String, String)>,
    _: Signed,
) -> Answer<Nothing> {
    terminate(&app, &rest)
}

/// `POST /users/{user}/terminate_connections`, as the library for Python asks (`pusher` 3): the same.
pub(super) async fn terminate_connections_of_the_app(
    State(app): State<Arc<App>>,
    Path(rest): Path<String>,
    _: Signed,
) -> Answer<Nothing> {
    terminate(&app, &rest)
}

fn terminate(app: &Arc<App>, rest: &str) -> Answer<Nothing> {
    let Some(user) = rest.strip_suffix("/terminate_connections") else {
        return Err(Error::NotFound("there is no such call".to_owned()).into());
    };
    let user = UserId::parse(user).map_err(Error::BadPayload)?;
    chat::disconnect(app, &user);
    Ok(Json(Nothing {}))
}

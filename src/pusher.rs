//! The HTTP API of Pusher Channels, for Pusher's server libraries: a channel is the room of that name.

use std::sync::Arc;

use axum::Router;

use crate::app::App;

/// Everything under `/apps/<pusher.app-id>`; nothing where no app is configured.
pub(crate) fn routes(app: &Arc<App>) -> Router {
    Router::new().with_state(app.clone())
}

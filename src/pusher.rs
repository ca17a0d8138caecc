//! The HTTP API of Pusher Channels, for Pusher's server libraries. A channel is the room of that name in the root
//! namespace. Requests have a signature instead of a key, and errors are plain text.
//!
//! The API is <https://pusher.com/docs/channels/library_auth_reference/rest-api/>. Its names are in this module only.

mod channel;
mod channels;
mod events;
mod info;
mod request;
mod response;
mod signature;
mod socket_id;
mod users;

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, post},
};

use crate::app::App;

/// The routes under `/apps/<pusher.app-id>`. If no app is configured, every request is answered 404.
pub(crate) fn routes(app: &Arc<App>) -> Router {
    Router::new()
        .route("/apps/{app}/events", post(events::trigger))
        .route("/apps/{app}/batch_events", post(events::trigger_batch))
        .route("/apps/{app}/channels", get(channels::list))
        .route("/apps/{app}/channels/{channel}", get(channels::one))
        .route("/apps/{app}/channels/{channel}/users", get(channels::users))
        .route("/apps/{app}/users/{*rest}", post(users::terminate_connections))
        // The path that the library for Python uses.
        .route("/users/{*rest}", post(users::terminate_connections_of_the_app))
        .with_state(app.clone())
}

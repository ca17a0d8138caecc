//! The HTTP API under `/api`, for backends: one file per resource. Whoever calls has a key with scopes, or is a
//! user with a token, who may read what that user may see. Replies and codes are those of the sockets.

mod answer;
mod caller;
mod describe;
mod events;
mod extract;
mod messages;
mod rooms;
mod users;

use std::sync::Arc;

use axum::Router;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// What the description says beside the paths.
#[derive(OpenApi)]
#[openapi(info(title = "sockeye", description = "The HTTP API for backends."))]
struct Description;

/// Everything under `/api`.
pub(crate) fn routes(app: &Arc<App>) -> Router {
    let (router, _description) = OpenApiRouter::with_openapi(Description::openapi())
        .merge(events::routes())
        .merge(messages::routes())
        .merge(rooms::routes())
        .merge(users::routes())
        .split_for_parts();
    router.with_state(app.clone())
}

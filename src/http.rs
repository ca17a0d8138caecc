//! The HTTP API under `/api`, for backends: one file per resource. A caller is a backend with
//! a key and its scopes, or a user with a token, who may read what that user may see. Replies and codes are as on
//! sockets.

mod answer;
mod caller;
mod charged_bodies;
mod describe;
mod events;
mod extract;
mod layers;
mod messages;
mod openapi;
mod page_policy;
mod rooms;
mod users;

use std::sync::Arc;

use axum::{
    Router,
    middleware::map_response,
    response::{IntoResponse, Response},
    routing::any,
};
use http::{StatusCode, header::X_CONTENT_TYPE_OPTIONS};
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::SwaggerUi;

use self::{answer::Failed, openapi::Description};
use crate::{app::App, error::Error};

pub(crate) use answer::status;
pub(crate) use caller::has_key;
pub(crate) use extract::{json, whole};
pub(crate) use layers::{REQUEST_ID, frame};
pub(crate) use page_policy::{OWN_FILES, guarded};
#[cfg(test)]
pub(crate) use rooms::Rooms;

/// Everything under `/api`.
pub(crate) fn routes(app: &Arc<App>) -> Router {
    let (router, description) = OpenApiRouter::with_openapi(Description::openapi())
        .merge(events::routes())
        .merge(messages::routes())
        .merge(rooms::routes())
        .merge(users::routes())
        .split_for_parts();
    let router = if app.config.api.docs {
        // Nothing in the page asks another server: the validator would. Without the bar at its top, which would show
        // other servers' descriptions, it needs no style of its own either.
        let config = utoipa_swagger_ui::Config::default().validator_url("none").use_base_layout();
        let page = SwaggerUi::new("/api/docs").config(config);
        let page = Router::from(page.url("/api/openapi.json", openapi::with_unique_ids(description)));
        router.merge(page.layer(map_response(async |response| guarded(page_policy::DOCS, response))))
    } else {
        router
    };
    router
        .method_not_allowed_fallback(|| async { wrong_method() })
        .route("/api", any(|| async { no_such_path() }))
        .route("/api/", any(|| async { no_such_path() }))
        .route("/api/{*path}", any(|| async { no_such_path() }))
        .layer(SetResponseHeaderLayer::overriding(X_CONTENT_TYPE_OPTIONS, page_policy::NOSNIFF))
        .with_state(app.clone())
}

/// The response to a refused request.
pub(crate) fn refusal(error: Error) -> Response {
    Failed(error).into_response()
}

fn no_such_path() -> Response {
    refusal(Error::NotFound("there is no such path".to_owned()))
}

/// With `Allow`, which the router adds.
fn wrong_method() -> Response {
    let mut response = refusal(Error::BadPayload("this path does not take this method".to_owned()));
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}

//! The HTTP API under `/api`: one file per resource. The caller is a backend, which has a key with scopes, or a user
//! with a token, who may read what that user may see. Replies and error codes have the same form as on sockets.

mod body_with_rest;
mod caller;
mod charged_bodies;
mod data;
mod describe;
mod events;
mod extract;
mod layers;
mod messages;
mod openapi;
mod page_policy;
mod response;
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

use self::{openapi::Description, response::ApiError};
use crate::{app::App, error::Error};

pub(crate) use body_with_rest::BodyWithRest;
pub(crate) use caller::has_key;
pub(crate) use events::Replies;
pub(crate) use extract::{json, whole};
pub(crate) use layers::observe;
pub(crate) use page_policy::{OWN_FILES, guarded};
pub(crate) use response::status;
#[cfg(test)]
pub(crate) use rooms::Rooms;

/// The routes under `/api`.
pub(crate) fn routes(app: &Arc<App>, replies: Replies) -> Router {
    let (router, description) = OpenApiRouter::with_openapi(Description::openapi())
        .merge(events::routes(replies))
        .merge(messages::routes())
        .merge(rooms::routes())
        .merge(users::routes())
        .merge(data::routes())
        .split_for_parts();
    let router = if app.config.api.docs {
        // The page must send no requests to other servers, so the validator is off. The base layout has no top bar,
        // which would load descriptions from other servers and need an inline style.
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
    ApiError(error).into_response()
}

fn no_such_path() -> Response {
    refusal(Error::NotFound("there is no such path".to_owned()))
}

/// 405. The router adds the `Allow` header.
fn wrong_method() -> Response {
    let mut response = refusal(Error::BadPayload("this path does not take this method".to_owned()));
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}

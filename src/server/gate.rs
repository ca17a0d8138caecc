//! The gate of the HTTP API: it refuses calls of foreign pages, and all calls while the server is closing.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{Method, StatusCode};

use super::{origin_check, requested_host::RequestedHost};
use crate::{app::App, error::Error, http::refusal};

/// Refuses calls that may not come in, in the API's shape of replies.
pub(super) async fn api(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (headers, host) = (request.headers(), request.extensions().get::<RequestedHost>());
    if let Err(foreign) = origin_check::of_call(&app, headers, host) {
        foreign.note(&app, headers, host);
        return refusal(Error::Forbidden(foreign.sentence().to_owned()));
    }
    if app.is_draining() {
        return refusal(Error::unavailable("the server is closing"));
    }
    next.run(request).await
}

/// Answers the OPTIONS requests of CORS with status 204, as the `cors` package of Node's servers does.
pub(super) async fn preflight(request: Request, next: Next) -> Response {
    let is_options = request.method() == Method::OPTIONS;
    let mut response = next.run(request).await;
    if is_options && response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::NO_CONTENT;
    }
    response
}

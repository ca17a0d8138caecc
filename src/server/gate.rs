//! The gates of HTTP: that of the API refuses requests of foreign pages, and both refuse requests when the server is
//! closing.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{Method, StatusCode};

use super::{origin_check, requested_host::RequestedHost};
use crate::{app::App, error::Error, http::refusal};

/// Refuses requests from foreign pages or during shutdown, with an error in the form of the API.
pub(super) async fn api(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (headers, host) = (request.headers(), request.extensions().get::<RequestedHost>());
    if let Err(foreign) = origin_check::of_call(&app, headers, host) {
        foreign.note(&app, headers, host);
        return refusal(Error::Forbidden(foreign.sentence().to_owned()));
    }
    match app.calls().begin() {
        Ok(_call) => next.run(request).await,
        Err(closing) => refusal(closing),
    }
}

/// Refuses requests of the application's own routes when the last event was told.
pub(super) async fn own(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    match app.calls().begin_own() {
        Ok(_call) => next.run(request).await,
        Err(closing) => refusal(closing),
    }
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

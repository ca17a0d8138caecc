//! For whoever watches over the process.

use std::sync::Arc;

use axum::{Router, extract::State, routing::get};
use http::StatusCode;

use crate::app::App;

/// `/health`: the process answers. `/ready`: the store answers too, and the server is not going down.
pub(super) fn routes(app: &Arc<App>) -> Router {
    Router::new().route("/health", get(|| async { "ok\n" })).route("/ready", get(ready)).with_state(app.clone())
}

async fn ready(State(app): State<Arc<App>>) -> (StatusCode, &'static str) {
    if app.is_draining() {
        return (StatusCode::SERVICE_UNAVAILABLE, "closing\n");
    }
    if !app.store.is_ready().await {
        return (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n");
    }
    (StatusCode::OK, "ready\n")
}

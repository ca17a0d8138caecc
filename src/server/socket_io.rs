//! The requests below the path of Socket.IO that come through hyper: long polling, WebSockets, and upgrades of polling
//! connections.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    response::Response,
    routing::any,
};

use super::{handshake_checks, requested_host::RequestedHost};
use crate::{
    app::App,
    engine::{self, ClientAddress, RequestHead},
};

/// The routes below `server.path`.
pub(super) fn routes(app: &Arc<App>) -> Router {
    let path = app.config.server.path();
    Router::new()
        .route(path, any(serve))
        .route(&format!("{path}/"), any(serve))
        .route(&format!("{path}/{{*rest}}"), any(serve))
        .with_state(app.clone())
}

async fn serve(State(app): State<Arc<App>>, request: Request) -> Response {
    let extensions = request.extensions();
    let host = extensions.get::<RequestedHost>();
    let is_secure = host.is_some_and(RequestedHost::is_https);
    let head = RequestHead::of(&request, extensions.get::<ClientAddress>().copied(), is_secure);
    match handshake_checks::check(&app, &head, host) {
        Ok(verified) => engine::serve(verified, request).await,
        Err(refused) => refused.response(&app, &request),
    }
}

//! Plain WebSocket at `ws.paths`. Requests that ask for no WebSocket get the demo at `/`, and nothing elsewhere.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use http::{
    HeaderValue, StatusCode,
    header::{CONNECTION, UPGRADE},
};

use super::{address, demo, gate};
use crate::{app::App, engine};

pub(super) fn routes(app: &Arc<App>) -> Router {
    let paths = app.config.ws.paths.iter();
    let router = paths.fold(Router::new(), |router, path| router.route(path, app.engine.plain()));
    router
        .layer(middleware::from_fn_with_state(app.clone(), gate::gate))
        .layer(middleware::from_fn_with_state(app.clone(), address::resolve))
        .layer(middleware::from_fn_with_state(app.clone(), only_websockets))
}

async fn only_websockets(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if engine::asks_for_websocket(request.headers()) {
        return if app.is_draining() { gate::closing() } else { next.run(request).await };
    }
    if app.config.server.demo && request.uri().path() == "/" {
        return demo::file(request.uri().clone(), request.headers().clone()).await;
    }
    // RFC 9110, section 15.5.22.
    let asked_for =
        [(UPGRADE, HeaderValue::from_static("websocket")), (CONNECTION, HeaderValue::from_static("Upgrade"))];
    (StatusCode::UPGRADE_REQUIRED, asked_for, "a WebSocket is served here\n").into_response()
}

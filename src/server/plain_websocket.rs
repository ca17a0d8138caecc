//! Plain WebSocket at `ws.paths`. A request that is no WebSocket handshake gets the demo at `/`, and 426 elsewhere.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::any,
};
use http::{
    HeaderValue, StatusCode,
    header::{CONNECTION, UPGRADE},
};

use super::{address, demo, handshake_checks, requested_host::RequestedHost};
use crate::{
    app::App,
    engine::{self, ClientAddress, RequestHead},
};

/// The routes of `ws.paths`.
pub(super) fn routes(app: &Arc<App>) -> Router {
    let paths = app.config.ws.paths.iter();
    let router = paths.fold(Router::new(), |router, path| router.route(path, any(serve)));
    router
        .layer(middleware::from_fn_with_state(app.clone(), address::resolve))
        .layer(middleware::from_fn_with_state(app.clone(), only_websockets))
        .with_state(app.clone())
}

async fn serve(State(app): State<Arc<App>>, request: Request) -> Response {
    let extensions = request.extensions();
    let host = extensions.get::<RequestedHost>();
    let is_secure = host.is_some_and(RequestedHost::is_https);
    let head = RequestHead::of(&request, extensions.get::<ClientAddress>().copied(), is_secure);
    match handshake_checks::check_plain(&app, &head, host) {
        Ok(verified) => engine::serve(verified, request).await,
        Err(refused) => refused.response(&app, &request),
    }
}

/// Answers requests that are no WebSocket handshake.
async fn only_websockets(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if engine::asks_for_websocket(request.headers()) {
        return next.run(request).await;
    }
    if app.config.server.demo && request.uri().path() == "/" {
        return demo::file(request.uri().clone(), request.headers().clone()).await;
    }
    // RFC 9110, section 15.5.22.
    let asked_for =
        [(UPGRADE, HeaderValue::from_static("websocket")), (CONNECTION, HeaderValue::from_static("Upgrade"))];
    (StatusCode::UPGRADE_REQUIRED, asked_for, "a WebSocket is served here\n").into_response()
}

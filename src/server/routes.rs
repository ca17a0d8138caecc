//! The router of a server.

use std::sync::Arc;

use axum::{Router, middleware};

use super::{address, client_files, cors, demo, gate, health, plain_websocket, socket_io, unread_body};
use crate::{
    app::App,
    http::{self, Replies},
    pusher,
};

/// Sockeye's own routes, and those of the application behind them.
pub(super) fn routes(app: &Arc<App>, replies: Replies, of_application: Router) -> Router {
    let cors = cors::layer(app);
    let mut socket_io = socket_io::routes(app);
    if app.config.server.serve_client {
        socket_io = socket_io.merge(client_files::routes(app.config.server.path()));
    }
    let observed = middleware::from_fn_with_state(app.clone(), http::observe);
    let api = http::routes(app, replies)
        .layer(middleware::from_fn_with_state(app.clone(), gate::api))
        .layer(cors.clone())
        .layer(middleware::from_fn(gate::preflight))
        .layer(observed.clone());
    let read_rest = middleware::from_fn_with_state(app.clone(), unread_body::read_rest);
    let socket_io = socket_io.layer(cors).layer(middleware::from_fn(gate::preflight)).layer(read_rest.clone());
    let for_browsers = if app.is_bare() { socket_io } else { socket_io.merge(api) };
    let for_browsers = for_browsers.layer(middleware::from_fn_with_state(app.clone(), address::resolve));
    let mut others = Router::new().merge(plain_websocket::routes(app)).merge(health::routes(app));
    // axum does not say whether a router has a fallback.
    if app.config.server.demo && !app.is_bare() && !of_application.has_routes() {
        others = others.fallback(demo::file);
    } else {
        let gate = middleware::from_fn_with_state(app.clone(), gate::own);
        others = others.fallback_service(of_application.layer(gate));
    }
    let routes = others.layer(read_rest).merge(for_browsers);
    if app.is_bare() { routes } else { routes.merge(pusher::routes(app).layer(observed)) }
}

//! CORS (`[cors]`): the headers by which a browser lets pages of other origins read responses.

use std::sync::Arc;

use http::{HeaderName, Method};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use crate::app::App;

/// The layer that adds the headers, and answers preflight requests. The origins may change while the server runs.
pub(super) fn layer(app: &Arc<App>) -> CorsLayer {
    let cors = &app.config.cors;
    // `Config::check` has refused texts that are no methods and no names.
    let methods: Vec<Method> = cors.methods.iter().filter_map(|method| method.parse().ok()).collect();
    let names = |texts: &[String]| texts.iter().filter_map(|text| text.parse().ok()).collect::<Vec<HeaderName>>();
    let origins = app.clone();
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(move |origin, _| {
            origins.live().cors.origins.iter().any(|allowed| allowed.allows(origin))
        }))
        .allow_methods(methods)
        .allow_headers(match cors.allowed_headers.as_slice() {
            [] => AllowHeaders::mirror_request(),
            texts => AllowHeaders::list(names(texts)),
        })
        .allow_credentials(cors.credentials)
        .expose_headers(names(&cors.exposed_headers));
    if cors.max_age.is_zero() { layer } else { layer.max_age(cors.max_age) }
}

//! Security headers of the pages that the server serves (Content-Security-Policy, framing).

use axum::response::Response;
use http::{
    HeaderValue,
    header::{CONTENT_SECURITY_POLICY, X_CONTENT_TYPE_OPTIONS},
};

/// The policy of the demo's page: it loads only files of this server and connects only to it. Its one inline style is
/// allowed by `server/demo.rs`.
pub(crate) const OWN_FILES: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'sha256-wl8O5Y1iFcRwHo1TWOGQnXUf0nPIOVzJkbdcTn83ylc='; \
     img-src 'self'; font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'",
);

/// The policy of the HTTP API's documentation page, whose style sheet has embedded images.
pub(super) const DOCS: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// Tells browsers not to guess content types.
pub(crate) const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// Adds the security headers to a response, with this Content-Security-Policy.
pub(crate) fn guarded(policy: HeaderValue, mut response: Response) -> Response {
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    response
}

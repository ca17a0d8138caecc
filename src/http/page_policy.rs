//! Headers of the pages that the server serves: what they may load and do, and that nobody frames them.

use axum::response::Response;
use http::{
    HeaderValue,
    header::{CONTENT_SECURITY_POLICY, X_CONTENT_TYPE_OPTIONS},
};

/// Everything that a page of ours loads is in the binary, and it talks to this server alone. Styles that a script
/// sets one by one need no permission; the one that stands in a page is that of `server/demo.rs`.
pub(crate) const OWN_FILES: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'sha256-wl8O5Y1iFcRwHo1TWOGQnXUf0nPIOVzJkbdcTn83ylc='; \
     img-src 'self'; font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'",
);

/// The same for the page of the HTTP API's description, whose style sheet has images within it.
pub(super) const DOCS: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// A browser takes no answer for another kind of file than it says it is.
pub(crate) const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// A page, or a file of one, under this Content-Security-Policy.
pub(crate) fn guarded(policy: HeaderValue, mut response: Response) -> Response {
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    response
}

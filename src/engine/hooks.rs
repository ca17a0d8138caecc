//! The application's hooks for requests: functions that decide whether a connection may be opened, and that change the
//! headers of responses.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::{FutureExt, future::BoxFuture};
use http::HeaderMap;

use super::handshake::Handshake;

/// How long the application may take to decide on a request.
const ALLOW_TIMEOUT: Duration = Duration::from_secs(30);

/// Says whether a connection may be opened, or why not.
pub(crate) type AllowRequest = Box<dyn Fn(Handshake) -> BoxFuture<'static, Result<(), String>> + Send + Sync>;
/// Changes the headers of a response to a request.
pub(crate) type ResponseHeaders = Box<dyn Fn(&mut HeaderMap, &Handshake) + Send + Sync>;

/// The application's hooks. A hook that the application has not set is `None`.
#[derive(Default)]
pub(crate) struct Hooks {
    pub(crate) allow_request: Option<AllowRequest>,
    pub(crate) response_headers: Option<ResponseHeaders>,
}

impl Hooks {
    /// Whether a connection may be opened. The error is the sentence for the client.
    pub(super) async fn check(&self, handshake: impl FnOnce() -> Handshake) -> Result<(), String> {
        let Some(allow) = &self.allow_request else { return Ok(()) };
        let decision = AssertUnwindSafe(allow(handshake())).catch_unwind();
        match tokio::time::timeout(ALLOW_TIMEOUT, decision).await {
            Ok(Ok(decision)) => decision,
            Ok(Err(_)) => Err("the server failed".to_owned()),
            Err(_) => Err("the server took too long to check the request".to_owned()),
        }
    }

    /// Changes the headers of a response.
    pub(super) fn change(&self, headers: &mut HeaderMap, request: &Handshake) {
        if let Some(change) = &self.response_headers {
            change(headers, request);
        }
    }
}

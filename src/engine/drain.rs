//! What is left of a body that was refused: who closes while a client sends makes it lose the answer to a reset.

use std::time::Duration;

use axum::body::Body;
use http_body_util::{BodyExt, Limited};

/// How long a client may take to send the rest.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many times the limit a body may have and still be read to its end.
const TIMES: usize = 10;

/// Reads the rest of a body and throws it away. `most` bytes were allowed.
pub(super) async fn drain(body: &mut Body, most: usize) {
    let mut rest = Limited::new(body, most.saturating_mul(TIMES - 1));
    let all = async { while let Some(Ok(_)) = rest.frame().await {} };
    // It is answered in any case.
    drop(tokio::time::timeout(PATIENCE, all).await);
}

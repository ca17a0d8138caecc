//! Reads the rest of a refused body. Closing the connection while the client still sends would reset it, and the client
//! would not read the answer.

use std::time::Duration;

use axum::body::Body;
use http_body_util::{BodyExt, Limited};

/// How long the client may take to send the rest.
const PATIENCE: Duration = Duration::from_secs(5);
/// A body of up to this many times the limit is read to its end.
const TIMES: usize = 10;

/// Reads the rest of a body and throws it away. `most` bytes were allowed.
pub(super) async fn drain(body: &mut Body, most: usize) {
    let mut rest = Limited::new(body, most.saturating_mul(TIMES - 1));
    let all = async { while let Some(Ok(_)) = rest.frame().await {} };
    // A timeout or a broken body changes nothing: the answer is the same.
    drop(tokio::time::timeout(PATIENCE, all).await);
}

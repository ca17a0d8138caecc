//! Waits for a condition while the server closes.

use std::time::Duration;

/// How often the condition is checked.
const TICK: Duration = Duration::from_millis(10);

/// Waits until a condition holds. False if it does not hold within this time.
pub(super) async fn until(within: Duration, holds: impl Fn() -> bool) -> bool {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(TICK).await;
        }
    };
    tokio::time::timeout(within, waiting).await.is_ok()
}

//! Counts the requests of backends that may emit events. When the server closes, the last event is told when all of them
//! have ended.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::error::{Error, Result};

/// The requests that are being processed.
#[derive(Default)]
pub(crate) struct Calls {
    running: Arc<()>,
    are_refused: AtomicBool,
    are_over: AtomicBool,
}

/// A request that is being processed, until it is dropped.
#[derive(Clone)]
pub(crate) struct Call {
    _running: Arc<()>,
}

impl Calls {
    /// Begins a request of one of the server's own APIs. `unavailable` if the server is closing.
    pub(crate) fn begin(&self) -> Result<Call> {
        self.begin_unless(&self.are_refused)
    }

    /// Begins a request of the application's own. `unavailable` if events reach nobody any more.
    pub(crate) fn begin_own(&self) -> Result<Call> {
        self.begin_unless(&self.are_over)
    }

    fn begin_unless(&self, flag: &AtomicBool) -> Result<Call> {
        // Counted before the flag is read: whoever sets the flag and then sees no request misses none.
        let call = Call { _running: self.running.clone() };
        if flag.load(Ordering::SeqCst) { Err(Error::unavailable("the server is closing")) } else { Ok(call) }
    }

    /// From now on, requests of the server's own APIs are refused.
    pub(crate) fn refuse(&self) {
        self.are_refused.store(true, Ordering::SeqCst);
    }

    /// From now on, all requests are refused.
    pub(crate) fn end(&self) {
        self.refuse();
        self.are_over.store(true, Ordering::SeqCst);
    }

    /// The number of requests that are being processed.
    pub(crate) fn running(&self) -> usize {
        Arc::strong_count(&self.running) - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_counted_until_it_ends_and_refused_afterwards() {
        let calls = Calls::default();
        let (api, own) = (calls.begin().unwrap(), calls.begin_own().unwrap());
        let task = api.clone();
        calls.refuse();
        assert!(calls.begin().is_err() && calls.begin_own().is_ok());
        drop((api, own));
        assert_eq!(calls.running(), 1);
        calls.end();
        assert!(calls.begin_own().is_err());
        drop(task);
        assert_eq!(calls.running(), 0);
    }
}

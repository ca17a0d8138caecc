//! An event that a socket handles, as an emit in its handler knows it.

/// An event that a socket handles: the socket's next event waits for it.
pub(crate) trait Turn: Send + Sync {
    /// Lets the socket's next event begin.
    fn release(&self);
}

//! An event with its receivers.

use super::{encoded::Encoded, to::To};
use crate::model::SocketId;

/// An event with its receivers, encoded once for all of them.
#[derive(Debug, Clone)]
pub struct Outgoing<'a> {
    pub(super) event: Encoded,
    pub(super) to: To<'a>,
    pub(super) except: Option<SocketId>,
    pub(super) except_any: &'a [To<'a>],
    pub(super) is_volatile: bool,
    pub(super) is_transient: bool,
}

impl<'a> Outgoing<'a> {
    /// An encoded event for these receivers.
    pub fn new(to: To<'a>, event: Encoded) -> Self {
        Self { event, to, except: None, except_any: &[], is_volatile: false, is_transient: false }
    }

    /// Excludes one socket.
    #[must_use]
    pub fn except(mut self, id: SocketId) -> Self {
        self.except = Some(id);
        self
    }

    /// Excludes these receivers.
    #[must_use]
    pub fn except_any(mut self, except: &'a [To<'a>]) -> Self {
        self.except_any = except;
        self
    }

    /// Makes the event volatile: a socket does not get it if its client is away, or not ready to receive it at once.
    #[must_use]
    pub fn volatile(mut self) -> Self {
        self.is_volatile = true;
        self
    }

    /// Makes the event transient: a socket does not get it if its client is away, and a recovery does not repeat it.
    #[must_use]
    pub(crate) fn transient(mut self) -> Self {
        self.is_transient = true;
        self
    }
}

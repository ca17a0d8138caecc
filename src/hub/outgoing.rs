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
}

impl<'a> Outgoing<'a> {
    /// An event from [`Encoded::of`] or [`Encoded::new`], for these receivers.
    pub fn new(to: To<'a>, event: Encoded) -> Self {
        Self { event, to, except: None, except_any: &[], is_volatile: false }
    }

    /// Excepts one socket.
    #[must_use]
    pub fn except(mut self, id: SocketId) -> Self {
        self.except = Some(id);
        self
    }

    /// Excepts the receivers that these stand for.
    #[must_use]
    pub fn except_any(mut self, except: &'a [To<'a>]) -> Self {
        self.except_any = except;
        self
    }

    /// Makes the event volatile: a socket that is away or cannot take it at once does not get it.
    #[must_use]
    pub fn volatile(mut self) -> Self {
        self.is_volatile = true;
        self
    }
}

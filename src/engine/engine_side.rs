//! Passes the engine's socket to the connect handlers, which the library calls.

use std::sync::{Arc, OnceLock};

use super::{
    connection::{Connection, intake::UndecidedConnect},
    socket::Socket,
};

/// Holds the engine's socket that belongs to a socket of the library. The request that opens the library's session
/// carries this value as an extension.
#[derive(Clone, Default)]
pub(crate) struct EngineSide(Arc<OnceLock<(Arc<Socket>, UndecidedConnect)>>);

impl EngineSide {
    /// The socket.
    pub(crate) fn socket(&self) -> Option<&Arc<Socket>> {
        self.0.get().map(|(socket, _)| socket)
    }

    /// Sets the socket. The CONNECT counts as undecided until the library drops its clone of this value.
    pub(super) fn set(&self, socket: &Arc<Socket>, connection: &Arc<Connection>) {
        assert!(self.0.set((socket.clone(), UndecidedConnect::new(connection))).is_ok(), "the socket is set once");
    }
}

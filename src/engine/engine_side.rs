//! How the connect handlers, which the library calls, find the engine's socket.

use std::sync::{Arc, OnceLock};

use super::{
    connection::{Connection, intake::Admission},
    socket::Socket,
};

/// The engine's socket behind a socket of the library: an extension of the request that opened the library's session.
#[derive(Clone, Default)]
pub(crate) struct EngineSide(Arc<OnceLock<(Arc<Socket>, Admission)>>);

impl EngineSide {
    /// The socket.
    pub(crate) fn socket(&self) -> Option<&Arc<Socket>> {
        self.0.get().map(|(socket, _)| socket)
    }

    /// Sets the socket. Until the library has dropped this, the connection has one undecided CONNECT more.
    pub(super) fn set(&self, socket: &Arc<Socket>, connection: &Arc<Connection>) {
        assert!(self.0.set((socket.clone(), Admission::new(connection))).is_ok(), "it is set once");
    }
}

//! Takes the sockets of a namespace from this process, for the next one.

use std::sync::Arc;

use super::Hub;
use crate::{
    engine::{Application, SuspendedSocket},
    model::Room,
};

/// A socket that was taken, with its rooms.
pub(crate) struct SuspendedMember {
    pub(crate) socket: SuspendedSocket,
    pub(crate) application: Arc<dyn Application>,
    pub(crate) rooms: Vec<Room>,
}

impl Hub {
    /// Takes all sockets whose clients are away, between two events: an event is in the logs of all its receivers, or in
    /// none.
    pub(crate) fn suspend(&self) -> Vec<SuspendedMember> {
        let mut pending = self.engine.pending_flush();
        let mut order = self.order.lock();
        self.release(&mut order, &mut pending);
        let registry = self.registry();
        let taken = registry.everyone().values().filter_map(|socket| {
            let (suspended, application) = socket.suspend()?;
            let rooms = registry.rooms_of(socket.id).into_iter().flatten().cloned().collect();
            Some(SuspendedMember { socket: suspended, application, rooms })
        });
        taken.collect()
    }

    /// Whether the clients of all sockets are away, and nothing of any socket runs or waits.
    pub(crate) fn is_quiet(&self) -> bool {
        let sockets: Vec<_> = self.registry().everyone().values().cloned().collect();
        let is_quiet = |application: Arc<dyn Application>| application.is_away() && application.is_idle();
        sockets.iter().all(|socket| socket.application().is_some_and(is_quiet))
    }
}

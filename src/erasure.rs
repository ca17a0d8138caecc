//! Erases rooms and what users have left, and exports both, in slices beside the traffic. Uses the store alone, so that
//! the server and the command line do the same.

mod export;
mod lines;
mod room;
mod user;

use std::sync::Arc;

pub(crate) use export::{export_room, export_user};
pub(crate) use lines::Lines;
pub(crate) use room::{RoomData, count_room, erase_room};
pub(crate) use user::{UserData, count_user, erase_user};

use crate::{model::Room, store::ErasedMessage, tellings::Tellings};

/// What an erasure has committed.
pub(crate) enum Erased<'a> {
    /// A message is a tombstone now.
    Message(&'a ErasedMessage),
    /// A room is empty now.
    Room(&'a Room),
}

/// Called after each commit of an erasure, in commit order.
pub(crate) type Tell = Arc<dyn Fn(Erased<'_>, &mut Tellings) + Send + Sync>;

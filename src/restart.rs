//! The handover: what a process leaves to the next one, so that a restart keeps its sockets. This folder holds its
//! values, their encoding and the file. The engine and the layers above make the values, and make sockets of them.

mod file;
mod format;
mod handover;

pub(crate) use self::{
    file::{BYTES_MAX as HANDOVER_BYTES_MAX, Found, take, write},
    handover::{Database, Handover, SavedEvent, SavedMember, SavedReply, SavedRoom, SavedSocket},
};

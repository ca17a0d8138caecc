//! The event `mark-read`.

use crate::{
    chat::{self, Change},
    error::Result,
    namespace::Ctx,
    protocol::{MarkRead, ReadMark},
};

/// Moves the user's read mark. The user's sockets get `message-read`, and in a direct message also those of the other
/// user.
pub fn mark_read(ctx: Ctx, payload: MarkRead) -> Result<impl Change<Output = ReadMark>> {
    chat::mark_read(ctx.app(), &ctx.identity(), payload)
}

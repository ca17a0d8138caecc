//! The event `mark-read`.

use crate::{
    chat::{self, Change},
    error::Result,
    namespace::Ctx,
    protocol::{MarkRead, ReadMark},
};

/// Moves the user's read mark. Their sockets hear `message-read`, and the other user of a direct message.
pub fn mark_read(ctx: Ctx, payload: MarkRead) -> Result<impl Change<Output = ReadMark>> {
    chat::mark_read(ctx.app(), &ctx.identity(), payload)
}

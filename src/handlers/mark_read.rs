use crate::{
    chat,
    error::Result,
    protocol::{MarkRead, ReadMark},
    socket::Ctx,
};

/// Moves the user's mark; their other sockets hear `message-read`, and the other user of a direct message.
pub async fn mark_read(ctx: Ctx, payload: MarkRead) -> Result<ReadMark> {
    let marked = chat::mark_read(ctx.app(), &ctx.identity(), payload)?;
    ctx.give_up_turn();
    marked.await
}

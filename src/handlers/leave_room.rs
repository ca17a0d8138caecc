use crate::{chat, error::Result, namespace::Ctx, protocol::LeaveRoom};

/// Ends the membership; all the user's sockets leave.
pub async fn leave_room(ctx: Ctx, payload: LeaveRoom) -> Result<()> {
    chat::leave(ctx.app(), &ctx.identity(), payload.room).await
}

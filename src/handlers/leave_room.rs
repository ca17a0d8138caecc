//! The event `leave-room`.

use crate::{chat, error::Result, namespace::Ctx, protocol::LeaveRoom};

/// Ends the user's membership and the subscriptions of all their sockets.
pub async fn leave_room(ctx: Ctx, payload: LeaveRoom) -> Result<()> {
    chat::leave(ctx.app(), &ctx.identity(), payload.room).await
}

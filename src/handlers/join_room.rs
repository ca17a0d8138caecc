//! The event `join-room`.

use crate::{
    chat,
    error::Result,
    namespace::Ctx,
    protocol::{JoinRoom, JoinedRoom},
};

/// Makes this socket hear the room. The reply holds what it missed.
pub async fn join_room(ctx: Ctx, payload: JoinRoom) -> Result<JoinedRoom> {
    chat::join(ctx.app(), &ctx.identity(), ctx.socket_id(), payload).await
}

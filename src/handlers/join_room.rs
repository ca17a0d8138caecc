//! The event `join-room`.

use crate::{
    chat,
    error::Result,
    namespace::Ctx,
    protocol::{JoinRoom, JoinedRoom},
};

/// Subscribes this socket to the room. The reply contains the messages that the client missed.
pub async fn join_room(ctx: Ctx, payload: JoinRoom) -> Result<JoinedRoom> {
    chat::join(ctx.app(), &ctx.identity(), ctx.id(), payload).await
}

use crate::{
    chat,
    error::Result,
    namespace::Ctx,
    protocol::{JoinRoom, JoinedRoom},
};

/// This socket hears the room from now on, and catches up.
pub async fn join_room(ctx: Ctx, payload: JoinRoom) -> Result<JoinedRoom> {
    chat::join(ctx.app(), &ctx.identity(), ctx.socket_id(), payload).await
}

use crate::{
    chat,
    error::Result,
    protocol::{ListRooms, RoomList},
    socket::Ctx,
};

/// The user's memberships.
pub async fn list_rooms(ctx: Ctx, _: ListRooms) -> Result<RoomList> {
    chat::rooms(ctx.app(), &ctx.identity()).await
}

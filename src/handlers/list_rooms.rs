use crate::{
    chat,
    error::Result,
    namespace::Ctx,
    protocol::{ListRooms, RoomList},
};

/// The user's memberships.
pub async fn list_rooms(ctx: Ctx, _: ListRooms) -> Result<RoomList> {
    chat::rooms(ctx.app(), &ctx.identity()).await
}

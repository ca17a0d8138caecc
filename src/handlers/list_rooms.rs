//! The event `list-rooms`.

use crate::{
    chat,
    error::Result,
    namespace::Ctx,
    protocol::{ListRooms, RoomList},
};

/// Replies with the user's memberships.
pub async fn list_rooms(ctx: Ctx, _: ListRooms) -> Result<RoomList> {
    chat::rooms(ctx.app(), &ctx.identity()).await
}

use super::went_away::went;
use crate::{engine::DisconnectReason, namespace::Ctx};

/// The rooms the socket heard learn that it is gone, if they have not; its user is offline once the grace is over.
pub async fn disconnect(ctx: Ctx, _: DisconnectReason) {
    ctx.app().typing.stop(ctx.socket_id());
    let rooms = ctx.hub().detach(ctx.socket_id());
    went(&ctx, rooms);
}

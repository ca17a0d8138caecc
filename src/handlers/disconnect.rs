//! The end of a socket.

use super::went_away::went;
use crate::{engine::DisconnectReason, namespace::Ctx};

/// Tells the rooms that the socket heard that it is gone, unless they were told when it went away. Its user is offline
/// after `presence.grace`. The namespace removes the socket from the hub when all disconnect handlers have run.
pub async fn disconnect(ctx: Ctx, _: DisconnectReason) {
    ctx.app().typing.stop(ctx.socket_id());
    went(&ctx, ctx.hub().rooms_of(ctx.socket_id()));
}

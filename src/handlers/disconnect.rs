//! Runs when a socket has ended.

use super::went_away::remove_from_presence;
use crate::{engine::DisconnectReason, namespace::Ctx};

/// Removes the socket from the presence of its rooms. If it was the user's last socket, the user is offline after
/// `presence.grace`. The namespace removes the socket from the hub when all disconnect handlers have run.
pub async fn disconnect(ctx: Ctx, _: DisconnectReason) {
    ctx.app().typing.stop(ctx.id());
    remove_from_presence(&ctx, ctx.hub().rooms_of(ctx.id()));
}

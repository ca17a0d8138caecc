//! Runs when a socket's client has gone and may come back.

use crate::{
    error::Result,
    model::{Room, Timestamp},
    namespace::Ctx,
    store::SaveLastSeen,
};

/// Removes the socket from the presence of its rooms. If it was the user's last socket, the user is offline after
/// `presence.grace`.
pub async fn away(ctx: Ctx) -> Result<()> {
    ctx.app().typing.stop(ctx.id());
    remove_from_presence(&ctx, ctx.hub().rooms_of(ctx.id()));
    Ok(())
}

/// Removes a socket from the presence of rooms. Stores when the user was last seen, if it was their last socket.
pub(super) fn remove_from_presence(ctx: &Ctx, rooms: impl IntoIterator<Item = Room>) {
    let (app, who) = (ctx.app(), ctx.identity());
    if who.is_guest {
        return;
    }
    for room in rooms {
        let Room::Named(room) = room else { continue };
        let was_last = app.presence.remove_socket(&room, &who.user.id, ctx.id());
        if was_last && room == app.config.rooms.lobby {
            app.store().write_quietly(SaveLastSeen { user: who.user.id.clone(), at: Timestamp::now() });
        }
    }
}

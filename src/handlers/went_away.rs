//! A socket's client has gone and may come back.

use crate::{
    error::Result,
    model::{Room, Timestamp},
    namespace::Ctx,
    store::Seen,
};

/// Tells the rooms that the socket hears that its client has gone. The user is offline after `presence.grace`.
pub async fn away(ctx: Ctx) -> Result<()> {
    ctx.app().typing.stop(ctx.socket_id());
    went(&ctx, ctx.hub().rooms_of(ctx.socket_id()));
    Ok(())
}

/// Tells rooms that a socket's client has gone.
pub(super) fn went(ctx: &Ctx, rooms: impl IntoIterator<Item = Room>) {
    let (app, who) = (ctx.app(), ctx.identity());
    if who.is_guest {
        return;
    }
    for room in rooms {
        let Room::Named(room) = room else { continue };
        let was_last = app.presence.went(&room, &who.user.id, ctx.socket_id());
        if was_last && room == app.config.rooms.lobby {
            app.store.write_quietly(Seen { user: who.user.id.clone(), at: Timestamp::now() });
        }
    }
}

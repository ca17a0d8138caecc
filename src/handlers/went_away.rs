use crate::{
    error::Result,
    model::{Room, Timestamp},
    namespace::Ctx,
    store::Seen,
};

/// The client has gone and may come back: for the others it is gone. Its user is offline once the grace is over.
pub async fn away(ctx: Ctx) -> Result<()> {
    ctx.app().typing.stop(ctx.socket_id());
    went(&ctx, ctx.hub().rooms_of(ctx.socket_id()));
    Ok(())
}

/// The rooms a socket hears learn that nobody is behind it any more.
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

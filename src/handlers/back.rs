use crate::{error::Result, model::Room, socket::Ctx};

/// The client is back: so it is for the others.
pub async fn back(ctx: Ctx) -> Result<()> {
    let (app, who) = (ctx.app(), ctx.identity());
    if who.is_guest {
        return Ok(());
    }
    for room in ctx.hub().rooms_of(ctx.socket_id()) {
        if let Room::Named(room) = room {
            app.presence.came(&room, &who.user, ctx.socket_id());
        }
    }
    Ok(())
}

//! A socket's client has come back.

use crate::{error::Result, model::Room, namespace::Ctx};

/// Makes the user present again in the rooms that the socket hears.
pub async fn back(ctx: Ctx) -> Result<()> {
    let (app, who) = (ctx.app(), ctx.identity());
    if who.is_guest {
        return Ok(());
    }
    for room in ctx.hub().rooms_of(ctx.socket_id()) {
        if let Room::Named(name) = &room {
            app.presence.came(name, &who.user, ctx.socket_id());
            if !ctx.hub().hears(ctx.socket_id(), &room) {
                // In the meantime the socket left the room.
                app.presence.went(name, &who.user.id, ctx.socket_id());
            }
        }
    }
    Ok(())
}

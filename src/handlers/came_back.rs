//! Runs when a socket's client has come back.

use crate::{error::Result, model::Room, namespace::Ctx};

/// Makes the user present again in the socket's rooms.
pub async fn back(ctx: Ctx) -> Result<()> {
    let (app, who) = (ctx.app(), ctx.identity());
    if who.is_guest {
        return Ok(());
    }
    for room in ctx.hub().rooms_of(ctx.id()) {
        if let Room::Named(name) = &room {
            app.presence.add_socket(name, &who.user, ctx.id());
            if !ctx.hub().is_subscribed(ctx.id(), &room) {
                // In the meantime the socket left the room.
                app.presence.remove_socket(name, &who.user.id, ctx.id());
            }
        }
    }
    Ok(())
}

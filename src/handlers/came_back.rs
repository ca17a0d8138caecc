use crate::{error::Result, model::Room, namespace::Ctx};

/// The client is back: so it is for the others.
pub async fn back(ctx: Ctx) -> Result<()> {
    let (app, who) = (ctx.app(), ctx.identity());
    if who.is_guest {
        return Ok(());
    }
    for room in ctx.hub().rooms_of(ctx.socket_id()) {
        if let Room::Named(name) = &room {
            app.presence.came(name, &who.user, ctx.socket_id());
            if !ctx.hub().hears(ctx.socket_id(), &room) {
                // It was taken out of the room in this very moment.
                app.presence.went(name, &who.user.id, ctx.socket_id());
            }
        }
    }
    Ok(())
}

//! The event `typing`.

use crate::{
    chat,
    error::{Error, Result},
    model::Room,
    namespace::Ctx,
    protocol::SetTyping,
};

/// Tells the others in the room that the user types or has stopped, unless the room has too many users.
pub async fn typing(ctx: Ctx, payload: SetTyping) -> Result<()> {
    let (app, who) = (ctx.app(), ctx.identity());
    let room = chat::enter(&who, payload.room)?;
    if !app.hub.hears(ctx.socket_id(), &room) {
        return Err(Error::Forbidden("join the room first".to_owned()));
    }
    if !matches!(&room, Room::Named(name) if app.presence.is_crowded(name)) {
        app.typing.set(ctx.socket_id(), &who.user, room, payload.typing);
    }
    Ok(())
}

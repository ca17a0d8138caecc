//! The event `typing`.

use crate::{
    chat,
    error::{Error, Result},
    model::Room,
    namespace::Ctx,
    protocol::SetTyping,
};

/// Tells the other sockets in the room that the user is typing or has stopped. In a room with more than
/// `presence.max-room-size` users it has no effect.
pub async fn typing(ctx: Ctx, payload: SetTyping) -> Result<()> {
    let (app, who) = (ctx.app(), ctx.identity());
    let room = chat::enter(&who, payload.room)?;
    if !app.hub.is_subscribed(ctx.id(), &room) {
        return Err(Error::Forbidden("join the room first".to_owned()));
    }
    if !matches!(&room, Room::Named(name) if app.presence.is_crowded(name)) {
        app.typing.set(ctx.id(), &who.user, room, payload.typing);
    }
    Ok(())
}

//! Runs on every new socket.

use crate::{
    chat,
    error::Result,
    model::{Room, RoomRef, Timestamp},
    namespace::Ctx,
    protocol::Session,
    store::SaveUserName,
};

/// Sends `session` to the socket and subscribes it to the lobby.
pub async fn connection(ctx: Ctx) -> Result<()> {
    let (app, who) = (ctx.app(), ctx.identity());
    let lobby = app.config.rooms.lobby.clone();
    let session = Session {
        user: who.user.clone(),
        socket_id: ctx.client_id(),
        rooms: vec![RoomRef::Named(lobby.clone())],
        server_time: Timestamp::now(),
    };
    ctx.emit_event(&session)?;
    let was_online = app.presence.is_online(&who.user.id);
    chat::subscribe(app, &app.hub, &who, ctx.id(), &Room::Named(lobby))?;
    if !who.is_guest && !was_online {
        app.store().write_quietly(SaveUserName(who.user.clone()));
    }
    Ok(())
}

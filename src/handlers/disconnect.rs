use crate::{
    model::{Room, Timestamp},
    socket::{Ctx, DisconnectReason},
    store::Seen,
};

/// The rooms the socket heard learn that it is gone; its user is offline once the grace is over.
pub async fn disconnect(ctx: Ctx, _: DisconnectReason) {
    let (app, who) = (ctx.app(), ctx.identity());
    app.typing.stop(ctx.socket_id());
    let rooms = ctx.hub().detach(ctx.socket_id());
    if who.is_guest {
        return;
    }
    let lobby = &app.config.rooms.lobby;
    for room in rooms {
        let Room::Named(room) = room else { continue };
        let was_last = app.presence.went(&room, &who.user.id);
        if was_last && room == *lobby {
            app.store.write_quietly(Seen { user: who.user.id.clone(), at: Timestamp::now() });
        }
    }
}

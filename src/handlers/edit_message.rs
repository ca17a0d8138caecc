use crate::{chat, error::Result, model::Message, protocol::EditMessage, socket::Ctx};

/// Replaces a message's body; the room hears `message-edited`.
pub async fn edit_message(ctx: Ctx, payload: EditMessage) -> Result<Message> {
    let edited = chat::edit(ctx.app(), Some(&ctx.identity()), payload);
    ctx.give_up_turn();
    edited.await
}

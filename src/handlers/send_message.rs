use crate::{chat, error::Result, model::Message, protocol::SendMessage, socket::Ctx};

/// Saves a message; the room hears `message-saved`.
pub async fn send_message(ctx: Ctx, payload: SendMessage) -> Result<Message> {
    let saved = chat::post(ctx.app(), &ctx.identity(), payload)?;
    ctx.give_up_turn();
    saved.await
}

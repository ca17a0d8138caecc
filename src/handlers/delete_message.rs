use crate::{chat, error::Result, model::Message, protocol::DeleteMessage, socket::Ctx};

/// Leaves a tombstone; the room hears `message-deleted`.
pub async fn delete_message(ctx: Ctx, payload: DeleteMessage) -> Result<Message> {
    let deleted = chat::delete(ctx.app(), Some(&ctx.identity()), payload);
    ctx.give_up_turn();
    deleted.await
}

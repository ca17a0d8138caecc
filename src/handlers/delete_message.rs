//! The event `delete-message`.

use crate::{
    chat::{self, Change},
    error::Result,
    model::Message,
    namespace::Ctx,
    protocol::DeleteMessage,
};

/// Replaces a message by a tombstone. Its room gets `message-deleted`.
pub fn delete_message(ctx: Ctx, payload: DeleteMessage) -> Result<impl Change<Output = Message>> {
    Ok(chat::delete(ctx.app(), Some(&ctx.identity()), payload))
}

//! The event `edit-message`.

use crate::{
    chat::{self, Change},
    error::Result,
    model::Message,
    namespace::Ctx,
    protocol::EditMessage,
};

/// Replaces a message's body. Its room gets `message-edited`.
pub fn edit_message(ctx: Ctx, payload: EditMessage) -> Result<impl Change<Output = Message>> {
    Ok(chat::edit(ctx.app(), Some(&ctx.identity()), payload))
}

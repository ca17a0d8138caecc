//! The event `send-message`.

use crate::{
    chat::{self, Change},
    error::Result,
    model::Message,
    namespace::Ctx,
    protocol::SendMessage,
};

/// Saves a message. Its room gets `message-saved`.
pub fn send_message(ctx: Ctx, payload: SendMessage) -> Result<impl Change<Output = Message>> {
    chat::post(ctx.app(), &ctx.identity(), payload)
}

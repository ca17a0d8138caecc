//! The event `load-messages`.

use crate::{
    chat,
    error::Result,
    namespace::Ctx,
    protocol::{LoadMessages, Page},
};

/// Replies with a page of a room's messages.
pub async fn load_messages(ctx: Ctx, payload: LoadMessages) -> Result<Page> {
    chat::load(ctx.app(), &ctx.identity(), payload).await
}

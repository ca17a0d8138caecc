//! The event `search-messages`.

use crate::{
    chat,
    error::Result,
    namespace::Ctx,
    protocol::{FoundMessages, SearchMessages},
};

/// Replies with the newest messages that have all words of a text.
pub async fn search_messages(ctx: Ctx, payload: SearchMessages) -> Result<FoundMessages> {
    chat::search(ctx.app(), Some(&ctx.identity()), payload).await
}

use crate::{
    chat,
    error::Result,
    namespace::Ctx,
    protocol::{LoadMessages, Page},
};

/// A page of history.
pub async fn load_messages(ctx: Ctx, payload: LoadMessages) -> Result<Page> {
    chat::load(ctx.app(), &ctx.identity(), payload).await
}

use crate::{
    chat,
    error::Result,
    protocol::{LoadMessages, Page},
    socket::Ctx,
};

/// A page of history.
pub async fn load_messages(ctx: Ctx, payload: LoadMessages) -> Result<Page> {
    chat::load(ctx.app(), &ctx.identity(), payload).await
}

//! The event `list-users`.

use crate::{
    chat,
    error::Result,
    namespace::Ctx,
    protocol::{ListUsers, UserList},
};

/// Replies with the users of a room, online users first.
pub async fn list_users(ctx: Ctx, payload: ListUsers) -> Result<UserList> {
    chat::users(ctx.app(), &ctx.identity(), payload).await
}

//! The event `refresh-token`.

use crate::{
    error::{Error, Result},
    namespace::Ctx,
    protocol::{RefreshToken, TokenExpiry},
};

/// Replaces the socket's token by a new one of the same user.
pub async fn refresh_token(ctx: Ctx, payload: RefreshToken) -> Result<TokenExpiry> {
    let identity = ctx.app().auth.refresh(&ctx.identity(), &payload.token)?;
    let expires_at = identity.expires_at.ok_or_else(|| Error::Unauthorized("the token has no exp".to_owned()))?;
    ctx.replace_identity(identity)?;
    Ok(TokenExpiry { expires_at })
}

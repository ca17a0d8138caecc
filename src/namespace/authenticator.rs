//! An application's function that authenticates clients, instead of the server's own check of credentials.

use std::sync::Arc;

use futures_util::{FutureExt, future::BoxFuture};

use super::middleware::Refusal;
use crate::{auth::Identity, engine::Handshake};

/// Says who a client is, or why it may not connect.
pub(crate) type Authenticator = Arc<dyn Fn(Handshake) -> BoxFuture<'static, Result<Identity, Refusal>> + Send + Sync>;

/// Wraps an application's function as an [`Authenticator`].
pub(crate) fn authenticator<F, Fut, I>(check: F) -> Authenticator
where
    F: Fn(Handshake) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<I, Refusal>> + Send + 'static,
    I: Into<Identity>,
{
    Arc::new(move |handshake| check(handshake).map(|checked| checked.map(Into::into)).boxed())
}

//! Checks the limits that apply to every event of a client.

use bytes::Bytes;

use super::app_socket::AppSocket;
use crate::{
    config::LimitsConfig,
    engine::ReceivedCharge,
    error::{Error, Result},
};

/// Checks an event. Fails with `token-expired`, `rate-limited` or `too-large`.
pub(super) fn check(
    socket: &AppSocket,
    text: &str,
    attachments: &[Bytes],
    is_within_rate: bool,
    charge: &ReceivedCharge,
) -> Result<()> {
    let identity = socket.identity();
    if identity.has_expired() {
        return Err(Error::TokenExpired(identity.expires_at));
    }
    if charge.is_refused() {
        socket.app.metrics.limited("memory");
        return Err(Error::RateLimited("the server holds too much for this connection (limits.memory)".to_owned()));
    }
    if !is_within_rate {
        socket.app.metrics.limited("events-per-second");
        return Err(Error::RateLimited("too many events (limits.events-per-second)".to_owned()));
    }
    let bytes = text.len() + attachments.iter().map(Bytes::len).sum::<usize>();
    if bytes > LimitsConfig::or_none(socket.app.limits.config().payload_bytes) {
        socket.app.metrics.limited("payload-bytes");
        return Err(Error::TooLarge(format!("{bytes} bytes are too many (limits.payload-bytes)")));
    }
    Ok(())
}

//! Messages at a fixed rate to a large room, one at a time, as in a chat: the server is idle between them.

use std::time::Duration;

use anyhow::Result;
use clap::Args;

use super::{
    Target,
    fan_out::{self, FanOut},
    pace::{Evictor, Pace},
};
use crate::figures::Figures;

/// Messages at a fixed rate to a room of many sockets.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct Rate {
    /// The number of sockets in the room, without the sender.
    #[arg(long, default_value_t = 1000)]
    pub sockets: usize,
    /// Messages per second. A message that is not complete when the next one is due delays it.
    #[arg(long, default_value_t = 25.0)]
    pub per_second: f64,
    /// Mebibytes written on the server's cores between two messages, to evict the server's data from the CPU caches.
    #[arg(long, default_value_t = 0)]
    pub evict: usize,
    /// Bytes of text in each message.
    #[arg(long, default_value_t = 100)]
    pub text: usize,
    /// How long to send, after a warm-up of the same length.
    #[arg(long, default_value_t = 3.0)]
    pub seconds: f64,
}

impl Rate {
    pub(super) fn measure(&self, target: &Target) -> Result<Figures> {
        let Rate { sockets, text, seconds, .. } = *self;
        let evictor = (self.evict > 0).then(|| Evictor::start(target.pid, self.evict << 20)).transpose()?;
        let pace = Pace::new(Duration::from_secs_f64(1.0 / self.per_second), evictor);
        FanOut { sockets, in_flight: 1, text, seconds }.measure(target, fan_out::Sender::Socket, Some(pace))
    }
}

//! Durations as people write them: "5s", "1m 30s", "250ms".

pub(super) use humantime_serde::{deserialize, serialize};

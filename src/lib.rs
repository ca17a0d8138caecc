#![doc = "Sockeye."]
pub mod error;
pub mod model;
pub mod protocol;

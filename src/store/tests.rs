//! The contract that both engines keep, and what is PostgreSQL's own: several servers, lost connections, crashes.

mod contract;
mod copy;
mod engines;
mod failures;
mod model;
mod outbox;
mod postgres;
#[path = "tests/postgres_server.rs"]
mod postgres_server;
mod removal;
mod search;
mod space;

pub(super) use engines::{Engine, TestStore};

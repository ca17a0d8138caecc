//! Tests over real connections: the same server as the binary's, on port 0, and a client that can send invalid input.
//! The official clients are in `tests/clients`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must panic")]

mod client;
mod harness;
#[allow(dead_code, reason = "the store's own tests use all of it")]
#[path = "../../src/store/tests/postgres_server.rs"]
mod postgres_server;

mod applications;
mod auction;
mod authentication;
mod background;
mod command_line;
mod concurrency;
mod connections;
mod crashes;
mod devices;
mod guests_and_devices;
mod handshake;
mod hostile;
mod input;
mod limits;
mod migrations;
mod mounted;
mod namespaces;
mod observer;
mod operations;
mod order;
mod outgoing_events;
mod own_binary;
mod packaging;
mod plain_websocket;
mod ported;
mod questions;
mod request_hooks;
mod response_settings;
mod restarts;
mod saved_messages;
mod settings;
mod state;
mod store_files;

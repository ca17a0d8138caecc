//! Tests over real connections: the same server as the binary's, on port 0, and a client that can send invalid input.
//! The official clients are in `tests/clients`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must panic")]

mod client;
mod harness;

mod applications;
mod auction;
mod background;
mod command_line;
mod connections;
mod crashes;
mod devices;
mod guests_and_devices;
mod hostile;
mod input;
mod limits;
mod operations;
mod order;
mod packaging;
mod plain_websocket;
mod saved_messages;
mod settings;
mod store_files;

//! Domain types (rooms, users, messages). Their constructors validate, so an invalid value cannot exist.

mod data_types;
mod message;
mod parse;
mod room;
mod schema;
mod socket_data;
mod socket_id;
mod timestamp;
mod user;

pub(crate) use data_types::DataTypes;
pub use message::{Body, Message, MessageId};
pub(crate) use parse::{idempotency_key, keyed, named};
pub use room::{Direct, Room, RoomName, RoomRef};
pub use socket_data::SocketData;
pub use socket_id::SocketId;
pub use timestamp::Timestamp;
pub use user::{User, UserId};

/// The longest name of a room, a user or an idempotency key, in characters.
pub const NAME_MAX_CHARS: usize = 128;

/// Refuses invalid names: empty, over [`NAME_MAX_CHARS`], or with a control character (U+0001 begins
/// the server's internal rooms).
pub(crate) fn checked_name(what: &str, text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err(format!("{what} must not be empty"));
    }
    if text.chars().count() > NAME_MAX_CHARS {
        return Err(format!("{what} must have at most {NAME_MAX_CHARS} characters"));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("{what} must not contain control characters"));
    }
    Ok(())
}

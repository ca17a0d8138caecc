//! The verbs: what users and backends can do. Each checks permissions, then changes the store, then tells the hub. All
//! ways in (events, HTTP, the Pusher API) use the same.

mod backends;
mod change;
mod directory;
mod enter;
mod history;
mod messages;
mod rooms;
mod users;

pub use backends::{Put, disconnect, disconnect_device, in_the_name_of, put};
pub use change::Change;
pub use directory::{
    Listed, Occupant, RoomSummary, UserDetails, known_users, named_room, named_rooms, occupants, user,
};
pub use enter::enter;
pub use history::{catch_up, load, message, page_limit};
pub use messages::{delete, edit, mark_read, post};
pub use rooms::{hear, join, leave, leave_closed_rooms, rooms, unhear};
pub use users::{user_named, users, welcome};

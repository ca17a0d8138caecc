//! The verbs: what users and backends can do. Each verb checks permissions, changes the store, and then emits through
//! the hub. Socket.IO events, the HTTP API and the Pusher API share the verbs.

mod backends;
mod change;
mod directory;
mod enter;
mod erasure;
mod history;
mod messages;
mod rooms;
mod search;
mod users;

pub use backends::{Put, disconnect, disconnect_device, in_the_name_of, put};
pub use change::Change;
pub use directory::{
    ListPage, Occupant, RoomSummary, UserDetails, known_users, named_room, named_rooms, occupants, user,
};
pub use enter::enter;
pub(crate) use erasure::{check_room, check_user, erase_room, erase_user};
pub use history::{catch_up, load, message, page_limit};
pub use messages::{delete, edit, mark_read, post};
pub use rooms::{join, leave, leave_closed_rooms, rooms, subscribe, unsubscribe};
pub use search::search;
pub use users::{user_named, users, welcome};

//! The values of a handover, in format 1. They hold texts and numbers only, so that they do not change with the types of
//! the layers that make them.

use std::net::IpAddr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// A digest of the database file as one process has left it. The next process compares it.
pub(crate) type Database = [u8; 32];

/// What a process leaves to the next one. Times are milliseconds since 1970, by the wall clock.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Handover {
    /// `None` if the server has no database.
    pub(crate) database: Option<Database>,
    /// How clients are authenticated. A process with another way does not take the sockets up.
    pub(crate) authentication: String,
    /// The tag of the offsets.
    pub(crate) tag: String,
    /// The number of the next event.
    pub(crate) next_number: u64,
    /// The events in the logs of the sockets, each once, in the order of their numbers.
    pub(crate) events: Vec<SavedEvent>,
    pub(crate) sockets: Vec<SavedSocket>,
    pub(crate) replies: Vec<SavedReply>,
}

/// An event, as its packet of Socket.IO.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedEvent {
    /// The number of its offset.
    pub(crate) number: u64,
    /// Whether a recovery does not repeat the event.
    pub(crate) is_transient: bool,
    /// The packet's text, with the offset.
    pub(crate) text: String,
    /// The length of the offset in the text, with its comma and quotes.
    pub(crate) offset_len: u32,
    pub(crate) attachments: Vec<Bytes>,
}

/// A socket whose client may come back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedSocket {
    pub(crate) id: String,
    /// The secret with which the client recovers the socket.
    pub(crate) pid: String,
    /// The path of the namespace.
    pub(crate) namespace: String,
    /// The pattern or function that has made the namespace.
    pub(crate) parent: Option<String>,
    pub(crate) connected_at: u64,
    /// When its client sent the request that opened its last connection.
    pub(crate) requested_at: u64,
    pub(crate) address: Option<IpAddr>,
    /// The end of the recovery window.
    pub(crate) until: u64,
    /// Why the connection was lost.
    pub(crate) reason: String,
    /// The number of the last event that was removed from the log. 0 if none was.
    pub(crate) last_removed: u64,
    /// The log: for each run of consecutive places in [`Handover::events`], the first place and the length.
    pub(crate) log: Vec<(u32, u32)>,
    pub(crate) rooms: Vec<SavedRoom>,
    pub(crate) member: SavedMember,
}

/// A room that a socket is in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedRoom {
    /// The room's key in the store.
    pub(crate) key: String,
    /// Whether the socket's user was online in the room, the grace included.
    pub(crate) is_present: bool,
}

/// The user of a socket, and what the application has stored with it.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedMember {
    pub(crate) user_id: String,
    pub(crate) user_name: String,
    pub(crate) is_guest: bool,
    /// Whether the application has chosen the user.
    pub(crate) is_of_application: bool,
    /// Whether the user may enter every room.
    pub(crate) may_enter_all: bool,
    /// Patterns of the rooms that the user may enter, in addition to those of the settings.
    pub(crate) patterns: Vec<String>,
    pub(crate) expires_at: Option<u64>,
    /// The values that the application has stored: the name of each type, and the value as JSON.
    pub(crate) data: Vec<(String, String)>,
}

/// The reply to a request with an `idempotencyKey`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedReply {
    /// The name of the API key.
    pub(crate) caller: String,
    pub(crate) key: String,
    pub(crate) replied_at: u64,
    /// The digest of the request's event.
    pub(crate) digest: [u8; 32],
    /// The reply as JSON.
    pub(crate) json: String,
}

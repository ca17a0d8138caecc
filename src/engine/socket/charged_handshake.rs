//! The handshake that a socket keeps, with the memory that is charged for it.

use std::{net::IpAddr, sync::Arc};

use crate::{
    engine::{connection::Connection, handshake::Handshake, memory::ReceivedCharge},
    model::Timestamp,
};

/// The handshake of a socket's last connection.
pub(super) struct ChargedHandshake {
    pub(super) handshake: Handshake,
    /// For a long head. The connection has the same charge.
    _head: Option<Arc<ReceivedCharge>>,
    /// For a long `auth`.
    _auth: Option<Box<ReceivedCharge>>,
}

impl ChargedHandshake {
    /// That of a request in an earlier process, which is short.
    pub(super) fn of_earlier_process(address: Option<IpAddr>, time: Timestamp) -> Self {
        Self { handshake: Handshake::of_earlier_process(address, time), _head: None, _auth: None }
    }

    /// For a CONNECT with this `auth`.
    pub(super) fn new(connection: &Connection, auth: &str) -> Self {
        Self {
            handshake: Handshake::new(&connection.request.head, auth),
            _head: connection.head_charge.clone(),
            _auth: ReceivedCharge::handshake(&connection.received, auth.len()),
        }
    }
}

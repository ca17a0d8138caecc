//! The description of a socket for its user and for backends.

use std::{net::IpAddr, sync::Arc};

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    engine::{Socket, TransportName},
    model::Timestamp,
};

/// One of a user's sockets: a tab, a phone. Only the user and backends see it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// The socket's id, as its client knows it.
    pub socket_id: String,
    /// The path of its namespace.
    #[schema(value_type = String)]
    pub namespace: Arc<str>,
    /// When the socket connected. A recovery does not change it.
    pub connected_at: Timestamp,
    /// The transport of its connection, unless it is away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport: Option<TransportName>,
    /// The client's address, unless it is away.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub address: Option<IpAddr>,
    /// Whether the client has gone and may come back.
    pub away: bool,
}

impl Device {
    pub(super) fn of(socket: &Socket) -> Self {
        let connection = socket.connection();
        Self {
            socket_id: socket.client_id(),
            namespace: socket.namespace.clone(),
            connected_at: socket.connected_at,
            transport: connection.map(|(transport, _)| transport),
            address: connection.and_then(|(_, address)| address),
            away: connection.is_none(),
        }
    }
}

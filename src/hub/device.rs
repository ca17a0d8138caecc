//! What a user and backends are told about one socket.

use std::{net::IpAddr, sync::Arc};

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    engine::{Socket, TransportName},
    model::Timestamp,
};

/// One of a user's sockets: a tab, a phone. For the user and for backends, and for nobody else.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// The socket's id, as its client knows it.
    pub socket_id: String,
    /// The path of its namespace.
    #[schema(value_type = String)]
    pub namespace: Arc<str>,
    /// When it came; its client's going and coming back changes nothing.
    pub connected_at: Timestamp,
    /// How its client is connected now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport: Option<TransportName>,
    /// From where.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub address: Option<IpAddr>,
    /// Its client has gone and may come back.
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

//! The request that opened a connection, and what the engine has concluded from it.

use super::{
    clients, jsonp, parameters::Parameters, request_head::RequestHead, settings::Settings, stored_head::StoredHead,
    version::Protocol,
};

/// The request that opened a connection.
pub(super) struct OpeningRequest {
    pub(super) protocol: Protocol,
    pub(super) head: StoredHead,
    /// The client's own choice in the parameter `recovery`, if it made one.
    pub(super) recovery_choice: Option<bool>,
    /// Whether its events carry offsets, so that its sockets can be recovered.
    pub(super) is_recoverable: bool,
    /// The callback of JSONP, if it polls by JSONP.
    pub(super) jsonp: Option<jsonp::Callback>,
}

impl OpeningRequest {
    /// The request of a client of Engine.IO.
    pub(super) fn of_engine_io(settings: &Settings, parameters: &Parameters, head: &RequestHead<'_>) -> Self {
        let protocol = parameters.protocol();
        let mut request = Self::of(protocol, head);
        let is_websocket = parameters.transport.as_deref() == Some("websocket");
        if !is_websocket {
            request.jsonp = parameters.j.as_deref().map(jsonp::Callback::of);
        }
        if protocol == Protocol::V4 {
            let choice = clients::choice(parameters.recovery.as_deref());
            let recovery = &settings.recovery;
            let query = head.uri.query().unwrap_or_default();
            let wants_offsets = choice
                .unwrap_or_else(|| clients::are_offsets_sent(recovery.clients, query, head.headers, is_websocket));
            request.recovery_choice = choice;
            request.is_recoverable = recovery.is_on() && wants_offsets;
        }
        request
    }

    /// The request of a client of plain WebSocket.
    pub(super) fn of_plain(head: &RequestHead<'_>) -> Self {
        Self::of(Protocol::Plain, head)
    }

    pub(super) fn of(protocol: Protocol, head: &RequestHead<'_>) -> Self {
        Self { protocol, head: StoredHead::of(head), recovery_choice: None, is_recoverable: false, jsonp: None }
    }
}

//! What a client said in the request that opened its connection, as far as it is needed later.

use std::net::IpAddr;

use http::header::AUTHORIZATION;

use super::{clients, jsonp, parameters::Parameters, request_head::RequestHead, settings::Settings, version::Protocol};

/// What a client said in the request that opened its connection.
#[derive(Debug, Clone)]
pub(crate) struct Handshake {
    pub(super) protocol: Protocol,
    /// The query of the URI. It may hold a token, and is never logged.
    pub(crate) query: String,
    /// The `Authorization` header.
    pub(crate) authorization: Option<String>,
    /// The client's address.
    pub(crate) address: Option<IpAddr>,
    /// The client's own choice in the parameter `recovery`, if it made one.
    pub(super) asked_recovery: Option<bool>,
    /// Whether its events carry offsets, so that its sockets can be recovered.
    pub(super) is_recoverable: bool,
    /// The callback of JSONP, if it polls by JSONP.
    pub(super) jsonp: Option<jsonp::Callback>,
}

impl Handshake {
    /// The handshake of a client of Engine.IO.
    pub(super) fn of_engine_io(settings: &Settings, parameters: &Parameters, head: &RequestHead<'_>) -> Self {
        let protocol = parameters.protocol();
        let mut handshake = Self::of(protocol, head);
        let is_websocket = parameters.transport.as_deref() == Some("websocket");
        if !is_websocket {
            handshake.jsonp = parameters.j.as_deref().map(jsonp::Callback::of);
        }
        if protocol == Protocol::V4 {
            let asked = clients::asked(parameters.recovery.as_deref());
            let recovery = &settings.recovery;
            let wants_offsets = asked.unwrap_or_else(|| {
                clients::are_offsets_sent(recovery.clients, &handshake.query, head.headers, is_websocket)
            });
            handshake.asked_recovery = asked;
            handshake.is_recoverable = recovery.is_on() && wants_offsets;
        }
        handshake
    }

    /// The handshake of a client of plain WebSocket.
    pub(super) fn of_plain(head: &RequestHead<'_>) -> Self {
        Self::of(Protocol::Plain, head)
    }

    fn of(protocol: Protocol, head: &RequestHead<'_>) -> Self {
        let authorization = head.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        Self {
            protocol,
            query: head.uri.query().unwrap_or_default().to_owned(),
            authorization: authorization.map(str::to_owned),
            address: head.address,
            asked_recovery: None,
            is_recoverable: false,
            jsonp: None,
        }
    }
}

//! Processes the Engine.IO packets that a connection receives.

use std::{ops::ControlFlow, sync::Arc, time::Instant};

use bytes::Bytes;

use super::Connection;
use crate::{
    engine::{
        assembly::{AssembledPacket, AssemblyError},
        diagnosis,
        packet::Packet,
        payload,
        reason::DisconnectReason,
        version::Protocol,
    },
    input,
};

impl Connection {
    /// Processes a text packet: a type digit and data. Breaks if the connection has ended.
    pub(in crate::engine) fn process_text(self: &Arc<Self>, packet: &str) -> ControlFlow<()> {
        let Some(kind) = packet.as_bytes().first() else {
            return self.break_for_mistake(DisconnectReason::ParseError, "a packet of Engine.IO without a type");
        };
        if *kind != b'4' {
            self.pay();
        }
        match (kind, self.protocol) {
            (b'4', _) => self.process_message(&packet[1..]),
            (b'3', Protocol::V4) => {
                self.pong_arrived();
                ControlFlow::Continue(())
            }
            (b'2', Protocol::V3) => {
                self.ping_arrived();
                ControlFlow::Continue(())
            }
            (b'1', _) => {
                self.close_packet_received();
                ControlFlow::Break(())
            }
            // A binary message in base64, as on polling.
            (b'b', protocol) => match payload::binary(packet, protocol) {
                Ok(data) => self.process_binary(data),
                Err(_) => self.break_for_mistake(DisconnectReason::ParseError, "a binary message that is no base64"),
            },
            (b'2' | b'3', _) => self
                .break_for_mistake(DisconnectReason::TransportError, "a ping or a pong that only the server may send"),
            (b'0' | b'5' | b'6', _) => ControlFlow::Continue(()),
            _ => {
                self.break_for_mistake(DisconnectReason::ParseError, "a packet of a type that Engine.IO does not have")
            }
        }
    }

    /// Processes a text message: a packet of Socket.IO.
    fn process_message(self: &Arc<Self>, text: &str) -> ControlFlow<()> {
        let mut assembly = self.assembly();
        let is_partial = assembly.is_partial();
        let result = match assembly.text(text, &self.shared.settings, &self.received) {
            Ok(None) => Ok(()),
            Ok(Some(packet)) => self.dispatch(&packet, Vec::new()),
            Err(AssemblyError::TooManyAttachments) => {
                self.shared.metrics.limited("attachments");
                Err(DisconnectReason::ForcedClose)
            }
            Err(AssemblyError::Invalid) => Err(DisconnectReason::ForcedClose),
        };
        drop(assembly);
        match result {
            Ok(()) => ControlFlow::Continue(()),
            Err(reason) => {
                let find = |namespace: &str| self.socket(namespace).map(|socket| socket.is_connected());
                self.break_for_mistake(
                    reason,
                    diagnosis::of_text(text, is_partial, self.protocol, &self.shared.settings, find),
                )
            }
        }
    }

    /// Processes a binary message: an attachment of a packet of Socket.IO. Breaks if the connection has ended.
    pub(in crate::engine) fn process_binary(self: &Arc<Self>, data: Bytes) -> ControlFlow<()> {
        let mut assembly = self.assembly();
        if !assembly.is_partial() {
            drop(assembly);
            return self.break_for_mistake(DisconnectReason::ForcedClose, diagnosis::of_binary(&data));
        }
        let result = match assembly.binary(data, &self.shared.settings) {
            Ok(None) => Ok(()),
            Ok(Some(AssembledPacket { text, attachments, charge: _charge })) => match Packet::parse(&text) {
                Ok(packet) if input::are_placed(packet.data, attachments.len()) => self.dispatch(&packet, attachments),
                _ => Err(DisconnectReason::ForcedClose),
            },
            Err(_) => Err(DisconnectReason::ForcedClose),
        };
        drop(assembly);
        match result {
            Ok(()) => ControlFlow::Continue(()),
            Err(reason) => self.break_for_mistake(
                reason,
                "attachments that are too large, or do not match the placeholders of their packet",
            ),
        }
    }

    /// A client of Engine.IO 3 has sent a ping.
    fn ping_arrived(self: &Arc<Self>) {
        self.state().deadlines.ping_arrived(Instant::now(), &self.shared.settings);
        self.send(&self.shared.frames.pong);
    }

    /// A client of Engine.IO 4 has answered a ping.
    fn pong_arrived(self: &Arc<Self>) {
        let sockets = {
            let mut state = self.state();
            state.deadlines.pong_arrived(Instant::now(), &self.shared.settings);
            state.sockets.clone()
        };
        self.watch_clock();
        for socket in sockets {
            socket.pong_received();
        }
    }

    /// A client of plain WebSocket has sent a frame.
    pub(in crate::engine) fn frame_arrived(&self) {
        let mut state = self.state();
        if !state.is_closed {
            state.deadlines.frame_arrived(Instant::now(), &self.shared.settings);
        }
    }
}

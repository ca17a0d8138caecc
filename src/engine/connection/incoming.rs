//! Packets of Engine.IO that arrive at a connection.

use std::{ops::ControlFlow, sync::Arc, time::Instant};

use bytes::Bytes;

use super::Connection;
use crate::{
    engine::{
        assembly::{Mismatch, Refused, Whole},
        diagnosis,
        packet::Packet,
        payload,
        reason::DisconnectReason,
        version::Protocol,
    },
    input,
};

impl Connection {
    /// Processes a text packet: its type and its data. Breaks where the connection has ended.
    pub(in crate::engine) fn take_text(self: &Arc<Self>, packet: &str) -> ControlFlow<()> {
        let Some(kind) = packet.as_bytes().first() else {
            return self.refuse(DisconnectReason::ParseError, "a packet of Engine.IO without a type");
        };
        if *kind != b'4' {
            self.pay();
        }
        match (kind, self.protocol) {
            (b'4', _) => self.take_message(&packet[1..]),
            (b'3', Protocol::V4) => {
                self.pong_arrived();
                ControlFlow::Continue(())
            }
            (b'2', Protocol::V3) => {
                self.ping_arrived();
                ControlFlow::Continue(())
            }
            (b'1', _) => {
                self.hung_up();
                ControlFlow::Break(())
            }
            // Base64, as on polling.
            (b'b', protocol) => match payload::binary(packet, protocol) {
                Ok(data) => self.take_binary(data),
                Err(_) => self.refuse(DisconnectReason::ParseError, "a binary message that is no base64"),
            },
            (b'2' | b'3', _) => {
                self.refuse(DisconnectReason::TransportError, "a heartbeat that is the server's to send, or to answer")
            }
            (b'0' | b'5' | b'6', _) => ControlFlow::Continue(()),
            _ => self.refuse(DisconnectReason::ParseError, "a packet of a type that Engine.IO does not have"),
        }
    }

    /// Processes a text message: a packet of Socket.IO.
    fn take_message(self: &Arc<Self>, text: &str) -> ControlFlow<()> {
        let mut assembly = self.assembly();
        let is_partial = assembly.is_partial();
        let taken = match assembly.text(text, &self.shared.settings, &self.received) {
            Ok(None) => Ok(()),
            Ok(Some(packet)) => self.dispatch(&packet, Vec::new()),
            Err(Mismatch::TooManyAttachments) => {
                self.shared.metrics.limited("attachments");
                Err(Refused(DisconnectReason::ForcedClose))
            }
            Err(Mismatch::NotExpected) => Err(Refused(DisconnectReason::ForcedClose)),
        };
        drop(assembly);
        match taken {
            Ok(()) => ControlFlow::Continue(()),
            Err(Refused(reason)) => {
                let find = |namespace: &str| self.socket(namespace).map(|socket| socket.is_connected());
                self.refuse(reason, diagnosis::of_text(text, is_partial, self.protocol, &self.shared.settings, find))
            }
        }
    }

    /// Processes a binary message: an attachment of a packet of Socket.IO. Breaks where the connection has ended.
    pub(in crate::engine) fn take_binary(self: &Arc<Self>, data: Bytes) -> ControlFlow<()> {
        let mut assembly = self.assembly();
        if !assembly.is_partial() {
            drop(assembly);
            return self.refuse(DisconnectReason::ForcedClose, diagnosis::of_binary(&data));
        }
        let taken = match assembly.binary(data, &self.shared.settings) {
            Ok(None) => Ok(()),
            Ok(Some(Whole { text, attachments, charge: _charge })) => match Packet::parse(&text) {
                Ok(packet) if input::are_placed(packet.data, attachments.len()) => self.dispatch(&packet, attachments),
                _ => Err(Refused(DisconnectReason::ForcedClose)),
            },
            Err(_) => Err(Refused(DisconnectReason::ForcedClose)),
        };
        drop(assembly);
        match taken {
            Ok(()) => ControlFlow::Continue(()),
            Err(Refused(reason)) => {
                self.refuse(reason, "attachments that are too large, or not those that the packet speaks of")
            }
        }
    }

    /// A client of Engine.IO 3 has sent a ping.
    fn ping_arrived(self: &Arc<Self>) {
        self.state().beat.ping_arrived(Instant::now(), &self.shared.settings);
        self.send(&self.shared.frames.pong);
    }

    /// A client of Engine.IO 4 has answered a ping.
    fn pong_arrived(self: &Arc<Self>) {
        let sockets = {
            let mut state = self.state();
            state.beat.pong_arrived(Instant::now(), &self.shared.settings);
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
            state.beat.frame_arrived(Instant::now(), &self.shared.settings);
        }
    }
}

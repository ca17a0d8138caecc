//! The dialects: the events of the peers, and sockeye's own over Socket.IO, plain WebSocket and HTTP.

use std::{fmt::Arguments, io::Write};

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use memchr::memmem;

use crate::client::Protocol;

/// The event that carries a message to a room.
pub const MESSAGE_SAVED: &[u8] = b"message-saved";
/// The event that a backend emits; its name must not be one of the server's own events.
pub const BULLETIN: &[u8] = b"bulletin";

/// Messages of a page, and of a catch-up.
pub const PAGE: u64 = 50;

/// The set of events that a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Dialect {
    /// `join` with the room's name, `send-message` without saving, `echo`.
    Peer,
    /// The sockeye binary's `join-room` and `send-message`, and `typing` in place of `echo`.
    Sockeye,
    /// The same events in envelopes, over plain WebSocket.
    Plain,
}

/// What is echoed, and by which kind of handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Echo {
    /// One argument, by a handler.
    Plain,
    /// One argument, by a catch-all: the event has no handler.
    CatchAll,
    /// A number, a text and an object, by a handler that takes a tuple.
    Arguments,
    /// An object with a binary attachment, by a handler.
    Binary,
}

impl Dialect {
    /// The protocol of its connections.
    pub fn protocol(self) -> Protocol {
        match self {
            Dialect::Peer | Dialect::Sockeye => Protocol::SocketIo,
            Dialect::Plain => Protocol::Envelopes,
        }
    }

    /// Writes the event that joins a room, with acknowledgement id 0.
    pub fn write_join(self, packet: &mut Vec<u8>, room: &str) {
        match self {
            Dialect::Peer => self.write_event(packet, 0, "join", format_args!(r#""{room}""#)),
            Dialect::Sockeye => self.write_event(packet, 0, "join-room", format_args!(r#"{{"room":"{room}"}}"#)),
            Dialect::Plain => self.write_event(packet, 0, "JoinRoom", format_args!(r#"{{"room":"{room}"}}"#)),
        }
    }

    /// Writes a message to a room, with acknowledgement `id`.
    pub fn write_message(self, packet: &mut Vec<u8>, id: u64, room: &str, text: &str, n: u64) {
        let name = if self == Dialect::Plain { "SendMessage" } else { "send-message" };
        self.write_event(packet, id, name, format_args!(r#"{{"room":"{room}","text":"{text}","n":{n}}}"#));
    }

    /// Writes a request for the messages before an offset, at most [`PAGE`].
    pub fn write_page(self, packet: &mut Vec<u8>, id: u64, room: &str, before: u64) {
        let payload = format_args!(r#"{{"room":"{room}","before":{before},"limit":{PAGE}}}"#);
        self.write_event(packet, id, "load-messages", payload);
    }

    /// Writes a request for the messages that changed after a revision.
    pub fn write_catch_up(self, packet: &mut Vec<u8>, id: u64, room: &str, since: u64) {
        self.write_event(packet, id, "join-room", format_args!(r#"{{"room":"{room}","since":{since}}}"#));
    }

    /// The number of messages in an acknowledgement.
    pub fn message_count(self, args: &[u8]) -> Result<usize> {
        self.accepted(args)?;
        Ok(memmem::find_iter(args, br#""body":"#).count())
    }

    fn write_event(self, packet: &mut Vec<u8>, id: u64, name: &str, payload: Arguments<'_>) {
        packet.clear();
        match self.protocol() {
            Protocol::Envelopes => write!(
                packet,
                r#"{{"eventType":"ClientEvent","event":"{name}","requestId":{id},"requestData":{payload}}}"#
            ),
            _ => write!(packet, r#"42{id}["{name}",{payload}]"#),
        }
        .expect("a Vec takes all");
    }

    /// Whether an acknowledgement reports success.
    pub fn accepted(self, args: &[u8]) -> Result<()> {
        let says_so = memmem::find(args, br#""success":true"#).is_some();
        ensure!(says_so, "refused: {}", String::from_utf8_lossy(args));
        Ok(())
    }

    /// The number of a saved message in its acknowledgement; peers do not return one.
    pub fn saved_number(self, args: &[u8]) -> Result<Option<u64>> {
        self.accepted(args)?;
        match self {
            Dialect::Peer => Ok(None),
            Dialect::Sockeye | Dialect::Plain => number(args).map(Some),
        }
    }

    /// Writes what takes the place of an echo where there is none: `typing: false` in a room with only this socket, with
    /// acknowledgement `id`. It is parsed, passes limits, membership check and queue, and is acknowledged like any
    /// event, without using the store. Text and number are ignored by it, and make it as long as the peers' echo.
    pub fn write_typing(self, packet: &mut Vec<u8>, id: u64, room: &str, text: &str, n: u64) {
        let payload = format_args!(r#"{{"room":"{room}","typing":false,"text":"{text}","n":{n}}}"#);
        self.write_event(packet, id, "typing", payload);
    }

    /// Whether there are echoes, acknowledged with their arguments. The binary has none.
    pub fn has_echoes(self) -> bool {
        self == Dialect::Peer
    }

    /// How long no event must arrive for the join to count as complete. Presence changes of a large room are combined
    /// for up to two seconds.
    pub fn quiet_ms(self) -> u64 {
        match self {
            Dialect::Peer => 500,
            Dialect::Sockeye | Dialect::Plain => 2_500,
        }
    }

    /// Returns an error for events that report one.
    pub fn check_event(self, name: &[u8], args: &[u8]) -> Result<()> {
        if name == b"event-error" || name == b"server-closing" {
            bail!("{}: {}", String::from_utf8_lossy(name), String::from_utf8_lossy(args));
        }
        Ok(())
    }
}

/// Writes the arguments of an echo, as one JSON array. Its acknowledgement has the same.
pub fn write_echo_args(args: &mut Vec<u8>, echo: Echo, text: &str, n: u64) {
    args.clear();
    match echo {
        Echo::Plain | Echo::CatchAll => write!(args, r#"[{{"text":"{text}","n":{n}}}]"#),
        Echo::Arguments => write!(args, r#"[{n},"{text}",{{"n":{n}}}]"#),
        Echo::Binary => write!(args, r#"[{{"n":{n},"data":{{"_placeholder":true,"num":0}}}}]"#),
    }
    .expect("a Vec takes all");
}

/// Writes an echo with the arguments of [`write_echo_args`], and with acknowledgement `id`.
pub fn write_echo(packet: &mut Vec<u8>, echo: Echo, id: u64, args: &[u8]) {
    packet.clear();
    let (name, kind) = match echo {
        Echo::Plain => ("echo", "42"),
        Echo::CatchAll => ("echo-any", "42"),
        Echo::Arguments => ("echo-args", "42"),
        Echo::Binary => ("echo-binary", "451-"),
    };
    write!(packet, r#"{kind}{id}["{name}","#).expect("a Vec takes all");
    packet.extend_from_slice(&args[1..]);
}

/// The attachment of the `n`th [`Echo::Binary`]: every number has another one.
pub fn attachment(bytes: usize, n: u64) -> Vec<u8> {
    n.to_le_bytes().into_iter().chain((0..=u8::MAX).cycle()).take(bytes).collect()
}

/// Writes the body of a request that emits a [`BULLETIN`] to a room.
pub fn write_bulletin(body: &mut Vec<u8>, room: &str, text: &str, n: u64) {
    body.clear();
    write!(body, r#"{{"event":"bulletin","data":{{"text":"{text}","n":{n}}},"to":{{"rooms":["{room}"]}}}}"#)
        .expect("a Vec takes all");
}

/// The number of sockets that a bulletin was delivered to, from the response.
pub fn delivered(body: &[u8]) -> Option<u64> {
    digits(body.strip_prefix(br#"{"success":true,"data":{"delivered":"#)?).0
}

/// The field `n` of a payload; our text never contains a quote.
pub fn number(args: &[u8]) -> Result<u64> {
    let key = br#""n":"#;
    let found = memmem::rfind(args, key).map(|at| digits(&args[at + key.len()..]).0);
    found.flatten().with_context(|| format!("no number in {}", String::from_utf8_lossy(args)))
}

/// The decimal number at the start of a text, and the rest.
pub fn digits(bytes: &[u8]) -> (Option<u64>, &[u8]) {
    let end = bytes.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(bytes.len());
    let value = std::str::from_utf8(&bytes[..end]).ok().and_then(|text| text.parse().ok());
    (value, &bytes[end..])
}

/// A text of this many bytes.
pub fn filler(bytes: usize) -> String {
    "abcdefghijklmnopqrstuvwxyz ".chars().cycle().take(bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_n_is_the_number() {
        assert_eq!(number(br#"{"name":"x","n":12,"message":{"body":{"text":"","n":345}}}"#).unwrap(), 345);
        assert!(number(br#"{"text":""}"#).is_err());
    }

    #[test]
    fn only_a_success_says_how_many_got_a_bulletin() {
        assert_eq!(delivered(br#"{"success":true,"data":{"delivered":12}}"#), Some(12));
        assert_eq!(delivered(br#"{"success":false,"error":{"code":"forbidden","message":""}}"#), None);
    }

    #[test]
    fn an_event_in_an_envelope_has_the_same_payload() {
        let (mut packet, mut envelope) = (Vec::new(), Vec::new());
        Dialect::Sockeye.write_message(&mut packet, 3, "room", "text", 2);
        Dialect::Plain.write_message(&mut envelope, 3, "room", "text", 2);
        let payload = r#"{"room":"room","text":"text","n":2}"#;
        assert_eq!(packet, format!(r#"423["send-message",{payload}]"#).as_bytes());
        let head = r#"{"eventType":"ClientEvent","event":"SendMessage","requestId":3,"requestData":"#;
        assert_eq!(envelope, format!("{head}{payload}}}").as_bytes());
    }

    #[test]
    fn every_echo_is_a_packet_with_the_arguments_of_its_acknowledgement() {
        for (echo, expected) in [
            (Echo::Plain, r#"427["echo",{"text":"text","n":6}]"#),
            (Echo::CatchAll, r#"427["echo-any",{"text":"text","n":6}]"#),
            (Echo::Arguments, r#"427["echo-args",6,"text",{"n":6}]"#),
            (Echo::Binary, r#"451-7["echo-binary",{"n":6,"data":{"_placeholder":true,"num":0}}]"#),
        ] {
            let (mut args, mut packet) = (Vec::new(), Vec::new());
            write_echo_args(&mut args, echo, "text", 6);
            write_echo(&mut packet, echo, 7, &args);
            assert_eq!(String::from_utf8_lossy(&packet), expected);
            assert!(expected.ends_with(&*String::from_utf8_lossy(&args[1..])));
        }
    }

    #[test]
    fn attachments_are_as_long_as_asked_and_differ_by_their_number() {
        assert_eq!(attachment(3, 7), [7, 0, 0]);
        assert_eq!(attachment(100, 7).len(), 100);
        assert_ne!(attachment(100, 7), attachment(100, 8));
    }

    #[test]
    fn a_refusal_is_an_error() {
        assert!(Dialect::Sockeye.accepted(br#"[{"success":false}]"#).is_err());
        assert!(Dialect::Peer.accepted(br#"[{"success":true}]"#).is_ok());
    }
}

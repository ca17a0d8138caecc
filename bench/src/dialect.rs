//! The two sets of events: what the peers speak, and sockeye's own wire.

use std::io::Write;

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use memchr::memmem;

/// The event that carries a message to a room.
pub const MESSAGE_SAVED: &[u8] = b"message-saved";

/// Which events a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Dialect {
    /// `join` with the room's name, `send-message` unsaved, `echo`.
    Peer,
    /// `join-room` and `send-message` as the sockeye binary has them, and `typing` for `echo`.
    Sockeye,
}

impl Dialect {
    /// The packet that joins a room, with acknowledgement 0.
    pub fn join(self, room: &str) -> String {
        match self {
            Dialect::Peer => format!(r#"420["join","{room}"]"#),
            Dialect::Sockeye => format!(r#"420["join-room",{{"room":"{room}"}}]"#),
        }
    }

    /// Whether an acknowledgement says that it went well.
    pub fn accepted(self, args: &[u8]) -> Result<()> {
        let says_so = memmem::find(args, br#""success":true"#).is_some();
        ensure!(says_so, "refused: {}", String::from_utf8_lossy(args));
        Ok(())
    }

    /// The number of a saved message that its acknowledgement holds; the peers' holds none.
    pub fn saved_number(self, args: &[u8]) -> Result<Option<u64>> {
        self.accepted(args)?;
        match self {
            Dialect::Peer => Ok(None),
            Dialect::Sockeye => number(args).map(Some),
        }
    }

    /// Writes the event that stands for an echo, with acknowledgement `id`. The binary has none: there it is that
    /// somebody who does not type stops typing, in a room that only this socket hears. It is decoded, let through
    /// by limits, membership and queue, and acknowledged like any event, and touches no store. Text and number,
    /// which it ignores, make it as long as the others'.
    pub fn write_echo(self, packet: &mut Vec<u8>, id: u64, room: &str, text: &str, n: u64) {
        packet.clear();
        match self {
            Dialect::Peer => write!(packet, r#"42{id}["echo",{{"text":"{text}","n":{n}}}]"#),
            Dialect::Sockeye => {
                write!(packet, r#"42{id}["typing",{{"room":"{room}","typing":false,"text":"{text}","n":{n}}}]"#)
            }
        }
        .expect("a Vec takes all");
    }

    /// Whether its acknowledgement is the payload; elsewhere it only says that it went well.
    pub fn echoes_payload(self) -> bool {
        self == Dialect::Peer
    }

    /// How long nothing must arrive before the join counts as over. Presence in a large room is combined over up
    /// to two seconds.
    pub fn quiet_ms(self) -> u64 {
        match self {
            Dialect::Peer => 500,
            Dialect::Sockeye => 2_500,
        }
    }

    /// Refuses the events that say something went wrong.
    pub fn check_event(self, name: &[u8], args: &[u8]) -> Result<()> {
        if name == b"event-error" || name == b"server-closing" {
            bail!("{}: {}", String::from_utf8_lossy(name), String::from_utf8_lossy(args));
        }
        Ok(())
    }
}

/// Writes the packet of a `send-message` whose acknowledgement is `id`.
pub fn write_message(packet: &mut Vec<u8>, id: u64, room: &str, text: &str, n: u64) {
    packet.clear();
    write!(packet, r#"42{id}["send-message",{{"room":"{room}","text":"{text}","n":{n}}}]"#).expect("a Vec takes all");
}

/// The field `n` of a payload; text of ours never contains a quote.
pub fn number(args: &[u8]) -> Result<u64> {
    let key = br#""n":"#;
    let found = memmem::rfind(args, key).map(|at| digits(&args[at + key.len()..]).0);
    found.flatten().with_context(|| format!("no number in {}", String::from_utf8_lossy(args)))
}

/// The decimal number at the beginning, and what follows it.
pub fn digits(bytes: &[u8]) -> (Option<u64>, &[u8]) {
    let end = bytes.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(bytes.len());
    let value = std::str::from_utf8(&bytes[..end]).ok().and_then(|text| text.parse().ok());
    (value, &bytes[end..])
}

/// A text of so many bytes.
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
    fn a_refusal_is_an_error() {
        assert!(Dialect::Sockeye.accepted(br#"[{"success":false}]"#).is_err());
        assert!(Dialect::Peer.accepted(br#"[{"success":true}]"#).is_ok());
    }
}

//! Engine.IO and Socket.IO packets that a server sends here: main namespace, at most one attachment.

use anyhow::{Context, Result, bail, ensure};

use crate::dialect::digits;

/// A packet from the server.
#[derive(Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// OPEN of Engine.IO: CONNECT of Socket.IO may be sent.
    Open,
    /// A ping, which must be answered.
    Ping,
    /// Connected to the namespace.
    Connect,
    /// An event: its name, and its other arguments with the closing bracket.
    Event { name: &'a [u8], args: &'a [u8] },
    /// An acknowledgement: its arguments in brackets.
    Ack { id: u64, args: &'a [u8] },
    /// An acknowledgement with one attachment, which follows in a binary frame.
    BinaryAck { id: u64, args: &'a [u8] },
    /// Disconnected from the namespace, or closed.
    Disconnect,
}

/// Parses the text of one frame.
pub fn read(text: &[u8]) -> Result<Packet<'_>> {
    Ok(match text {
        [b'0', ..] => Packet::Open,
        [b'1', ..] => Packet::Disconnect,
        [b'2', ..] => Packet::Ping,
        [b'4', b'0', rest @ ..] => {
            // The answer may contain a `pid` for recovery, which the generator does not use.
            ensure!(memchr::memmem::find(rest, br#""sid":""#).is_some(), "CONNECT without sid: {}", lossy(text));
            Packet::Connect
        }
        [b'4', b'1', ..] => Packet::Disconnect,
        [b'4', b'2', rest @ ..] => event(rest).with_context(|| format!("strange event {}", lossy(text)))?,
        [b'4', b'3', rest @ ..] => {
            let (id, args) = acknowledged(rest, text)?;
            Packet::Ack { id, args }
        }
        [b'4', b'6', b'1', b'-', rest @ ..] => {
            let (id, args) = acknowledged(rest, text)?;
            Packet::BinaryAck { id, args }
        }
        _ => bail!("unexpected packet {}", lossy(text)),
    })
}

/// The id and the arguments of an acknowledgement.
fn acknowledged<'a>(rest: &'a [u8], text: &[u8]) -> Result<(u64, &'a [u8])> {
    let (id, args) = digits(rest);
    Ok((id.with_context(|| format!("strange acknowledgement {}", lossy(text)))?, args))
}

fn event(rest: &[u8]) -> Option<Packet<'_>> {
    let (_id, json) = digits(rest);
    let quoted = json.strip_prefix(b"[\"")?;
    let end = memchr::memchr(b'"', quoted)?;
    let args = quoted[end + 1..].strip_prefix(b",").unwrap_or(&quoted[end + 1..]);
    Some(Packet::Event { name: &quoted[..end], args })
}

/// The start of a text, for an error message.
pub fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(&text[..text.len().min(200)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_packet_that_servers_send_is_read() {
        assert_eq!(read(br#"0{"sid":"x"}"#).unwrap(), Packet::Open);
        assert_eq!(read(b"2").unwrap(), Packet::Ping);
        assert_eq!(read(br#"40{"sid":"x"}"#).unwrap(), Packet::Connect);
        assert_eq!(read(br#"40{"sid":"x","pid":"y"}"#).unwrap(), Packet::Connect);
        assert_eq!(read(br#"42["a",1]"#).unwrap(), Packet::Event { name: b"a", args: b"1]" });
        assert_eq!(read(br#"427["a"]"#).unwrap(), Packet::Event { name: b"a", args: b"]" });
        assert_eq!(read(br#"4312[{}]"#).unwrap(), Packet::Ack { id: 12, args: b"[{}]" });
        assert_eq!(read(br#"461-12[{}]"#).unwrap(), Packet::BinaryAck { id: 12, args: b"[{}]" });
        assert_eq!(
            read(br#"42["a",{},"t.1"]"#).unwrap(),
            Packet::Event { name: b"a", args: br#"{},"t.1"]"# },
            "an offset for recovery is an argument like any other"
        );
        assert!(read(br#"44{"message":"no"}"#).is_err());
        assert!(read(b"40").is_err());
        assert!(read(b"42{}").is_err());
        assert!(read(b"43[]").is_err());
        assert!(read(b"461-[]").is_err());
        assert!(read(b"462-1[]").is_err(), "two attachments");
    }
}

//! The envelopes of plain WebSocket, in the exact form that sockeye writes: fixed order of fields, no spaces. The
//! envelopes that the generator sends are in `dialect.rs`.

use anyhow::{Context, Result, ensure};

use super::packet::{Packet, lossy};
use crate::dialect::digits;

/// Registers as a guest, like a Socket.IO client without `auth`.
pub const REGISTER: &[u8] = br#"{"eventType":"ClientEvent","event":"Register","requestData":{}}"#;

/// Parses the text of one frame.
pub fn read(text: &[u8]) -> Result<Packet<'_>> {
    let packet = event(text).or_else(|| reply(text)).with_context(|| format!("strange envelope {}", lossy(text)))?;
    if packet == Packet::Connect {
        let let_in = memchr::memmem::find(text, br#""success":true"#).is_some();
        ensure!(let_in, "not let in: {}", lossy(text));
    }
    Ok(packet)
}

fn event(text: &[u8]) -> Option<Packet<'_>> {
    let (name, rest) = quoted(text.strip_prefix(br#"{"eventType":"ServerEvent","event":""#)?)?;
    Some(Packet::Event { name, args: rest.strip_prefix(br#","data":"#)?.strip_suffix(b"}")? })
}

/// The arguments of an acknowledgement: everything after its id, with `success` first.
fn reply(text: &[u8]) -> Option<Packet<'_>> {
    let (name, rest) = quoted(text.strip_prefix(br#"{"eventType":"Reply","event":""#)?)?;
    if name == b"Register" {
        return Some(Packet::Connect);
    }
    let (id, rest) = digits(rest.strip_prefix(br#","requestId":"#)?);
    Some(Packet::Ack { id: id?, args: rest.strip_prefix(b",")?.strip_suffix(b"}")? })
}

/// The rest of a string without escapes, after its opening quote, and the text after it.
fn quoted(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b'"', text)?;
    Some((&text[..end], &text[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_envelope_that_the_server_sends_is_read() {
        assert_eq!(
            read(br#"{"eventType":"ServerEvent","event":"message-saved","data":{"n":1}}"#).unwrap(),
            Packet::Event { name: b"message-saved", args: br#"{"n":1}"# }
        );
        assert_eq!(
            read(br#"{"eventType":"Reply","event":"SendMessage","requestId":12,"success":true,"data":{}}"#).unwrap(),
            Packet::Ack { id: 12, args: br#""success":true,"data":{}"# }
        );
        assert_eq!(
            read(br#"{"eventType":"Reply","event":"Register","success":true,"data":{}}"#).unwrap(),
            Packet::Connect
        );
    }

    #[test]
    fn a_refusal_to_register_and_strange_envelopes_are_errors() {
        for strange in [
            &br#"{"eventType":"Reply","event":"Register","success":false,"error":{"code":"unauthorized"}}"#[..],
            br#"{"eventType":"Reply","event":null,"success":false,"error":{"code":"bad-payload"}}"#,
            br#"{"eventType":"Reply","event":"SendMessage","success":true,"data":{}}"#,
            br#"{"eventType":"Reply","event":"SendMessage","requestId":"x","success":true,"data":{}}"#,
            br#"{"eventType":"ServerEvent","event":"a","requestId":1,"data":{}}"#,
            br#"{"eventType":"ServerEvent","event":"a","data":1"#,
            b"hello",
            b"",
        ] {
            assert!(read(strange).is_err(), "{}", lossy(strange));
        }
    }
}

//! The packets that the floor server sends, in each dialect.

use std::io::Write;

use super::peer::quoted;
use crate::{client::frame, dialect::Dialect};

/// The frame of the event for a room's members, with the payload as received, and the acknowledgement for the sender.
/// In the dialect `sockeye` they are as long as the binary's; the `n`th message has offset `n`.
pub fn saved(dialect: Dialect, payload: &[u8], n: u64) -> (Vec<u8>, Vec<u8>) {
    let mut event = Vec::with_capacity(512);
    if dialect == Dialect::Peer {
        frame::write_bare(&mut event, frame::TEXT, &[br#"42["message-saved","#, payload, b"]"]);
        return (event, br#"[{"success":true}]"#.to_vec());
    }
    let room = quoted(payload, br#""room":"#);
    let body = memchr::memchr(b',', payload).map_or(&b"}"[..], |comma| &payload[comma + 1..]);
    let mut message = Vec::with_capacity(512);
    message.extend_from_slice(br#"{"id":"01a1fff8-adb6-709f-a9a0-5380e66d2057","room":""#);
    message.extend_from_slice(room);
    let from = r#"{"id":"guest-0219530985674f14b102084f66be844a","name":"Guest 1"}"#;
    write!(message, r#"","offset":{n},"revision":{n},"from":{from},"at":"2026-11-21T21:17:29.910Z","body":{{"#)
        .expect("a Vec takes all");
    message.extend_from_slice(body);
    message.push(b'}');
    let offset = format!(r#"}},"HrnUKj.{n}"]"#);
    let begin = br#"42["message-saved",{"success":true,"message":"#;
    frame::write_bare(&mut event, frame::TEXT, &[begin, &message, offset.as_bytes()]);
    (event, [br#"[{"success":true,"data":"#, &message[..], b"}]"].concat())
}

//! A socket's id in the form that Pusher's libraries require: two integers with a dot between them. The 16 characters
//! of an id are 96 bits in base64url; each integer is one half of them, so it is below 2^48.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::{
    error::{Error, Result},
    model::SocketId,
};

/// Parses an id that a client has computed from its `socket.id`, as `docs/pusher.md` shows.
pub(super) fn parse(text: &str) -> Result<SocketId> {
    decode(text).ok_or_else(|| {
        Error::BadPayload(
            "socket_id is two integers below 2^48 with a dot between them, made from socket.id".to_owned(),
        )
    })
}

fn decode(text: &str) -> Option<SocketId> {
    let (first, second) = text.split_once('.')?;
    BASE64_URL_SAFE_NO_PAD.encode([half(first)?, half(second)?].concat()).parse().ok()
}

fn half(text: &str) -> Option<[u8; 6]> {
    // `parse` alone would accept a sign.
    let digits = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    let [0, 0, bytes @ ..] = digits.parse::<u64>().ok()?.to_be_bytes() else { return None };
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    /// The function of `docs/pusher.md`, which is in JavaScript there.
    fn encode(id: &str) -> String {
        let half = |text: &str| text.chars().fold(0, |sum, c| sum * 64 + ALPHABET.find(c).unwrap() as u64);
        format!("{}.{}", half(&id[..8]), half(&id[8..]))
    }

    #[test]
    fn an_encoded_id_is_parsed_to_the_same_id() {
        let everywhere = ALPHABET.chars().flat_map(|c| (0..16).map(move |place| (c, place)));
        let ids = everywhere.map(|(c, place)| format!("{}{c}{}", "A".repeat(place), "_".repeat(15 - place)));
        for id in ids.chain((0..1_000).map(|_| SocketId::new().to_string())) {
            assert_eq!(parse(&encode(&id)).unwrap().to_string(), id);
        }
    }

    #[test]
    fn the_first_integer_is_the_first_half() {
        assert_eq!(parse("0.1").unwrap().to_string(), "AAAAAAAAAAAAAAAB");
        assert_eq!(parse("64.0").unwrap().to_string(), "AAAAAABAAAAAAAAA");
        assert_eq!(parse("281474976710655.281474976710655").unwrap().to_string(), "_".repeat(16));
    }

    #[test]
    fn anything_else_is_refused() {
        let wrong = [
            "",
            ".",
            "1",
            "1.",
            ".1",
            "1.2.3",
            "-1.2",
            "+1.2",
            "1. 2",
            "a.b",
            "281474976710656.0",
            "0.281474976710656",
            "99999999999999999999999.1",
            "\u{661}.1",
            "AAAAAAAAAAAAAAAB",
        ];
        for text in wrong {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}

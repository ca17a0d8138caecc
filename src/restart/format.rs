//! The bytes of a handover: a mark, the number of the format, the values in postcard's encoding
//! (<https://postcard.jamesmunns.com/wire-format>), and a SHA-256 of all bytes before it.
//!
//! A change of the values is a new number. The values of the previous number are then kept in a file of their own, and
//! [`decode`] converts them, so that an upgrade keeps its sockets.

use sha2::{Digest, Sha256};

use super::handover::Handover;

/// The first bytes of the file.
const MARK: &[u8; 16] = b"sockeye sockets\n";
/// The number of the format that this version writes.
const FORMAT: u32 = 1;
const NUMBER: usize = size_of::<u32>();
const CHECKSUM: usize = 32;

/// The bytes of a handover.
pub(super) fn encode(handover: &Handover) -> Vec<u8> {
    encode_as(FORMAT, handover)
}

fn encode_as(format: u32, handover: &Handover) -> Vec<u8> {
    let mut bytes = MARK.to_vec();
    bytes.extend(format.to_le_bytes());
    let mut bytes = postcard::to_extend(handover, bytes).expect("texts and numbers can be encoded");
    let checksum = Sha256::digest(&bytes);
    bytes.extend(checksum);
    bytes
}

/// Reads a handover. The error says why it cannot be read.
pub(super) fn decode(bytes: &[u8]) -> Result<Handover, String> {
    let rest = bytes.strip_prefix(MARK).ok_or("it is no file of saved sockets")?;
    let (number, rest) = rest.split_first_chunk::<NUMBER>().ok_or("it is torn")?;
    let number = u32::from_le_bytes(*number);
    if number > FORMAT {
        return Err(format!("a newer sockeye wrote it, in format {number}"));
    }
    let (values, checksum) = rest.split_last_chunk::<CHECKSUM>().ok_or("it is torn")?;
    if <[u8; CHECKSUM]>::from(Sha256::digest(&bytes[..bytes.len() - CHECKSUM])) != *checksum {
        return Err("it is torn or damaged".to_owned());
    }
    match number {
        FORMAT => match postcard::take_from_bytes(values) {
            Ok((handover, [])) => Ok(handover),
            Ok(_) | Err(_) => Err("its values cannot be read".to_owned()),
        },
        number => Err(format!("format {number} is too old")),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::{super::handover::*, *};

    /// A handover in which every field has a value.
    pub(in crate::restart) fn example() -> Handover {
        Handover {
            database: Some([7; 32]),
            authentication: "open".to_owned(),
            tag: "aB3xYz".to_owned(),
            next_number: 1_000_001,
            events: vec![
                SavedEvent {
                    number: 999_999,
                    is_transient: false,
                    text: "42[\"a\",1,\"aB3xYz.999999\"]".to_owned(),
                    offset_len: 16,
                    attachments: Vec::new(),
                },
                SavedEvent {
                    number: 1_000_000,
                    is_transient: true,
                    text: "451-/x,[\"é\",{\"_placeholder\":true,\"num\":0},\"aB3xYz.1000000\"]".to_owned(),
                    offset_len: 17,
                    attachments: vec![vec![0, 1, 255].into()],
                },
            ],
            sockets: vec![SavedSocket {
                id: "AAAAAAAAAAAAAAAA".to_owned(),
                pid: "AAAAAAAAAAAAAAAAsecret".to_owned(),
                namespace: "/x".to_owned(),
                parent: Some("/{*any}".to_owned()),
                connected_at: 1_763_712_000_007,
                requested_at: 1_763_712_000_001,
                address: Some([192, 0, 2, 1].into()),
                until: 1_763_712_120_000,
                reason: "server shutting down".to_owned(),
                last_removed: 999_998,
                log: vec![(0, 2)],
                rooms: vec![SavedRoom { key: "lobby".to_owned(), is_present: true }],
                member: SavedMember {
                    user_id: "ada".to_owned(),
                    user_name: "Ada".to_owned(),
                    is_guest: false,
                    is_of_application: true,
                    may_enter_all: false,
                    patterns: vec!["team-*".to_owned()],
                    expires_at: Some(1_763_715_600_000),
                    data: vec![("cart".to_owned(), "[1,2]".to_owned())],
                },
            }],
            replies: vec![SavedReply {
                caller: "backend".to_owned(),
                key: "order-7".to_owned(),
                replied_at: 1_763_712_000_000,
                digest: [9; 32],
                json: "{\"delivered\":1}".to_owned(),
            }],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for handover in [example(), Handover::default()] {
            assert_eq!(decode(&encode(&handover)).unwrap(), handover);
        }
    }

    #[test]
    fn a_file_that_is_torn_anywhere_is_not_read() {
        let bytes = encode(&example());
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length]).is_err(), "{length}");
        }
        assert!(decode(&[&bytes[..], b"x"].concat()).is_err());
    }

    #[test]
    fn a_file_with_one_wrong_bit_is_not_read() {
        let bytes = encode(&example());
        for place in 0..bytes.len() {
            for bit in [1, 0x80] {
                let mut wrong = bytes.clone();
                wrong[place] ^= bit;
                assert!(decode(&wrong).is_err(), "{place}");
            }
        }
    }

    #[test]
    fn a_newer_format_is_not_read() {
        let error = decode(&encode_as(FORMAT + 1, &example())).unwrap_err();
        assert_eq!(error, "a newer sockeye wrote it, in format 2");
        assert_eq!(decode(&encode_as(0, &example())).unwrap_err(), "format 0 is too old");
    }

    /// If this fails, the values have changed, and with them the format: it needs a new number.
    #[test]
    fn a_file_of_format_1_is_read() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sockets-1");
        if !path.exists() {
            std::fs::write(&path, encode(&example())).unwrap();
            panic!("{} was missing and has been written: commit it", path.display());
        }
        assert_eq!(decode(&std::fs::read(path).unwrap()).unwrap(), example());
    }
}

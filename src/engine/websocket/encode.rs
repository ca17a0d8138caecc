//! Encodes the frames that the server sends (RFC 6455, section 5.2): unmasked and never fragmented.

/// Maximum length of a server frame's header in bytes. It has no mask.
pub(in crate::engine) const HEADER_MAX: usize = 10;

/// Writes the header of a frame with a payload of `payload` bytes to the end of `room`. Returns the index in `room` at
/// which the header begins.
pub(in crate::engine) fn header(opcode: u8, payload: usize, room: &mut [u8; HEADER_MAX]) -> usize {
    let first = 0x80 | opcode;
    match payload {
        0..126 => {
            room[8..].copy_from_slice(&[first, payload as u8]);
            8
        }
        126..65_536 => {
            room[6..8].copy_from_slice(&[first, 126]);
            room[8..].copy_from_slice(&(payload as u16).to_be_bytes());
            6
        }
        _ => {
            room[..2].copy_from_slice(&[first, 127]);
            room[2..].copy_from_slice(&(payload as u64).to_be_bytes());
            0
        }
    }
}

/// Appends a frame whose payload is `prefix` and then `payload`.
pub(in crate::engine) fn append(buffer: &mut Vec<u8>, opcode: u8, prefix: &[u8], payload: &[u8]) {
    let mut room = [0; HEADER_MAX];
    let start = header(opcode, prefix.len() + payload.len(), &mut room);
    buffer.extend_from_slice(&room[start..]);
    buffer.extend_from_slice(prefix);
    buffer.extend_from_slice(payload);
}

//! Offsets of connection state recovery: some servers append them to broadcasts as the last argument.

use anyhow::{Result, bail, ensure};

/// Splits a delivery into its arguments without the offset, and the offset. The payload is an object, never a string.
pub fn split(args: &[u8]) -> (&[u8], Option<&[u8]>) {
    let split = || {
        let rest = args.strip_suffix(b"\"]")?;
        let quote = memchr::memrchr(b'"', rest)?;
        Some((rest[..quote].strip_suffix(b",")?, &rest[quote + 1..]))
    };
    match split() {
        Some((payload, offset)) => (payload, Some(offset)),
        None => (args.strip_suffix(b"]").unwrap_or(args), None),
    }
}

/// The offsets of one connection's deliveries. A client is recovered from the last offset it received, so each one
/// must be greater than the one before; otherwise it would lose or repeat events.
#[derive(Debug, Default)]
pub struct Trail {
    begun: bool,
    /// Empty if the server appends none.
    last: Vec<u8>,
}

impl Trail {
    /// Checks the offset of the next delivery.
    pub fn follow(&mut self, offset: Option<&[u8]>) -> Result<()> {
        let offset = offset.unwrap_or_default();
        if std::mem::replace(&mut self.begun, true) {
            if self.last.is_empty() && offset.is_empty() {
                return Ok(());
            }
            ensure!(is_after(offset, &self.last), "offset {:?} after {:?}", lossy(offset), lossy(&self.last));
        }
        if offset.len() > 64 {
            bail!("an offset of {} bytes", offset.len());
        }
        self.last.clear();
        self.last.extend_from_slice(offset);
        Ok(())
    }
}

/// In two offsets `<tag>.<number>` with the same tag the number must increase. Node's contain the time as tag, and a
/// number only for several in one millisecond; these, and any other form, must only be different.
fn is_after(offset: &[u8], last: &[u8]) -> bool {
    match (numbered(offset), numbered(last)) {
        (Some((tag, number)), Some((last_tag, last_number))) if tag == last_tag => number > last_number,
        _ => !offset.is_empty() && !last.is_empty() && offset != last,
    }
}

fn numbered(offset: &[u8]) -> Option<(&[u8], u64)> {
    let dot = memchr::memrchr(b'.', offset)?;
    let number = std::str::from_utf8(&offset[dot + 1..]).ok()?.parse().ok()?;
    Some((&offset[..dot], number))
}

fn lossy(offset: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_told_from_a_payload() {
        assert_eq!(split(br#"{"text":"a"}]"#), (&br#"{"text":"a"}"#[..], None));
        assert_eq!(split(br#"{"text":"a"},"t.12"]"#), (&br#"{"text":"a"}"#[..], Some(&b"t.12"[..])));
        assert_eq!(split(br#"{"n":1,"text":"a,\""}]"#).1, None);
    }

    #[test]
    fn offsets_must_grow_and_neither_begin_nor_cease() {
        let follows = |offsets: &[Option<&str>]| {
            let mut trail = Trail::default();
            offsets.iter().try_for_each(|offset| trail.follow(offset.map(str::as_bytes))).is_ok()
        };
        assert!(follows(&[None, None, None]));
        assert!(follows(&[Some("t.9"), Some("t.10"), Some("t.12")]));
        assert!(follows(&[Some("PQr1"), Some("PQr1.0"), Some("PQr1.1"), Some("PQr2"), Some("PQr3.0")]));
        for wrong in [["t.9", "t.9"], ["t.10", "t.9"], ["PQr1", "PQr1"]] {
            assert!(!follows(&wrong.map(Some)), "{wrong:?}");
        }
        assert!(!follows(&[None, Some("t.1")]));
        assert!(!follows(&[Some("t.1"), None]));
    }
}

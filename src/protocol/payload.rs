//! What an event or an acknowledgement carries: any type of serde's, written as arguments. Bytes become attachments.

use std::io;

use bytes::Bytes;
use serde::Serialize;
use serde_json::ser::Formatter;

use super::Arguments;

/// The arguments of an event or of an acknowledgement: everything that serde can write, and [`Arguments`].
///
/// A tuple of n is n arguments, `()` is none, and every other type is one argument. Bytes (`bytes::Bytes`, and what
/// else serde writes as bytes) become binary attachments, anywhere inside of a payload.
pub trait Payload {
    /// Appends the arguments to a JSON array, which is empty text or text such as `["name"`, and closes the array. Fails
    /// if a type's own `Serialize` fails, as that of a map whose keys are no strings.
    #[doc(hidden)]
    fn append(&self, array: &mut Vec<u8>, attachments: &mut Vec<Bytes>) -> serde_json::Result<()>;

    /// Appends the arguments of a reply `{ success, data }` to empty text, with the payload as `data`.
    #[doc(hidden)]
    fn append_enveloped(&self, array: &mut Vec<u8>, attachments: &mut Vec<Bytes>) -> serde_json::Result<()> {
        self.append(array, attachments)
    }
}

impl<T: Serialize + ?Sized> Payload for T {
    fn append(&self, array: &mut Vec<u8>, attachments: &mut Vec<Bytes>) -> serde_json::Result<()> {
        let start = array.len();
        if is_tuple::<T>() {
            // The tuple's own array: `[1,2]`, or `null` for `()`.
            write(self, array, attachments)?;
            if array[start..] == *b"null" {
                array.truncate(start);
                array.extend(if start == 0 { b"[]".as_slice() } else { b"]" });
            } else if start > 0 {
                array[start] = b',';
            }
            return Ok(());
        }
        array.push(if start == 0 { b'[' } else { b',' });
        write(self, array, attachments)?;
        array.push(b']');
        Ok(())
    }

    fn append_enveloped(&self, array: &mut Vec<u8>, attachments: &mut Vec<Bytes>) -> serde_json::Result<()> {
        array.extend(br#"[{"success":true,"data":"#);
        write(self, array, attachments)?;
        array.extend(b"}]");
        Ok(())
    }
}

/// A reply that is sent as it is, also by a server that wraps its replies in `{ success, data }`.
#[derive(Debug)]
pub struct Raw<T>(pub T);

impl<T: Serialize> Payload for Raw<T> {
    fn append(&self, array: &mut Vec<u8>, attachments: &mut Vec<Bytes>) -> serde_json::Result<()> {
        self.0.append(array, attachments)
    }
}

impl Payload for Arguments {
    fn append(&self, array: &mut Vec<u8>, attachments: &mut Vec<Bytes>) -> serde_json::Result<()> {
        let Self { json, attachments: own } = self.checked()?;
        let list = json.trim_ascii().as_bytes();
        let is_empty = list[1..list.len() - 1].trim_ascii().is_empty();
        match (array.is_empty(), is_empty) {
            (true, _) => array.extend(list),
            (false, true) => array.push(b']'),
            (false, false) => {
                array.push(b',');
                array.extend(&list[1..]);
            }
        }
        attachments.extend_from_slice(own);
        Ok(())
    }
}

/// The arguments of an acknowledgement, as one JSON array.
pub(crate) fn arguments<P: Payload + ?Sized>(payload: &P) -> serde_json::Result<Arguments> {
    // Enough for a message with its envelope: most payloads are no longer.
    let (mut json, mut attachments) = (Vec::with_capacity(512), Vec::new());
    payload.append(&mut json, &mut attachments)?;
    Ok(Arguments { json: text(json)?, attachments })
}

/// The arguments of an acknowledgement `{ success, data }`. [`Raw`] and [`Arguments`] stay as they are.
pub(super) fn enveloped<P: Payload + ?Sized>(payload: &P) -> serde_json::Result<Arguments> {
    let (mut json, mut attachments) = (Vec::with_capacity(512), Vec::new());
    payload.append_enveloped(&mut json, &mut attachments)?;
    Ok(Arguments { json: text(json)?, attachments })
}

/// An event's packet: the JSON array of its name and its arguments.
pub(crate) fn event<P: Payload + ?Sized>(name: &str, payload: &P) -> serde_json::Result<Arguments> {
    let (mut json, mut attachments) = (Vec::with_capacity(512), Vec::new());
    json.push(b'[');
    serde_json::to_writer(&mut json, name)?;
    payload.append(&mut json, &mut attachments)?;
    Ok(Arguments { json: text(json)?, attachments })
}

fn text(json: Vec<u8>) -> serde_json::Result<String> {
    String::from_utf8(json).map_err(serde::ser::Error::custom)
}

/// Whether a type is a tuple, `()` or a reference to one. serde alone cannot tell a tuple from an array.
pub(crate) fn is_tuple<T: ?Sized>() -> bool {
    std::any::type_name::<T>().trim_start_matches('&').starts_with('(')
}

/// Appends a value's JSON. Its bytes are appended to the attachments.
fn write<T: Serialize + ?Sized>(value: &T, json: &mut Vec<u8>, attachments: &mut Vec<Bytes>) -> serde_json::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(json, Attaching { attachments }))
}

/// Compact JSON, with a placeholder in place of bytes.
struct Attaching<'a> {
    attachments: &'a mut Vec<Bytes>,
}

impl Formatter for Attaching<'_> {
    fn write_byte_array<W: io::Write + ?Sized>(&mut self, writer: &mut W, value: &[u8]) -> io::Result<()> {
        let number = self.attachments.len();
        if number == 0 {
            // Most payloads have one attachment, and a frame keeps no spare capacity.
            self.attachments.reserve_exact(1);
        }
        self.attachments.push(Bytes::copy_from_slice(value));
        writer.write_all(br#"{"_placeholder":true,"num":"#)?;
        writer.write_all(itoa::Buffer::new().format(number).as_bytes())?;
        writer.write_all(b"}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn written(payload: &impl Payload) -> (String, Vec<Bytes>) {
        let Arguments { json, attachments } = arguments(payload).unwrap();
        (json, attachments)
    }

    fn named(payload: &impl Payload) -> String {
        event("e", payload).unwrap().json
    }

    fn text(payload: &impl Payload) -> String {
        written(payload).0
    }

    #[test]
    fn a_tuple_is_several_arguments_and_any_other_type_is_one() {
        assert_eq!(text(&()), "[]");
        assert_eq!(text(&(1,)), "[1]");
        assert_eq!(text(&("a", 2, [3, 4])), r#"["a",2,[3,4]]"#);
        assert_eq!(text(&&(1, 2)), "[1,2]");
        assert_eq!(text(&[1, 2]), "[[1,2]]");
        assert_eq!(text(&vec![(1, 2)]), "[[[1,2]]]");
        assert_eq!(text(&None::<(u8, u8)>), "[null]");
        assert_eq!(text(&Some(())), "[null]");
        assert_eq!(text(&"text"), r#"["text"]"#);
        assert_eq!(text(&json!({ "a": null })), r#"[{"a":null}]"#);
    }

    #[test]
    fn an_event_has_its_name_before_the_arguments() {
        assert_eq!(named(&()), r#"["e"]"#);
        assert_eq!(named(&(1, "a")), r#"["e",1,"a"]"#);
        assert_eq!(named(&"a"), r#"["e","a"]"#);
        assert_eq!(named(&None::<u8>), r#"["e",null]"#);
        assert_eq!(named(&Arguments::new("[ ]", Vec::new())), r#"["e"]"#);
        assert_eq!(named(&Arguments::new("[1, 2]", Vec::new())), r#"["e",1, 2]"#);
        assert_eq!(event("a\"b", &()).unwrap().json, r#"["a\"b"]"#);
    }

    #[test]
    fn bytes_become_attachments_wherever_they_are() {
        #[derive(Serialize)]
        struct File {
            name: &'static str,
            parts: Vec<Bytes>,
        }
        let [a, b] = [Bytes::from_static(b"a"), Bytes::from_static(b"b")];
        let file = File { name: "x", parts: vec![a.clone(), b.clone()] };
        let placed = |number: usize| format!(r#"{{"_placeholder":true,"num":{number}}}"#);
        let expected = format!(r#"[{},{{"name":"x","parts":[{},{}]}}]"#, placed(0), placed(1), placed(2));
        assert_eq!(written(&(b.clone(), file)), (expected, vec![b.clone(), a, b]));
    }

    #[test]
    fn arguments_stay_as_they_are() {
        let arguments = Arguments::new(r#"[1, {"_placeholder":true,"num":0}]"#, vec![Bytes::from_static(b"a")]);
        assert_eq!(text(&arguments), arguments.json);
        assert!(super::arguments(&Arguments::new("[1", Vec::new())).is_err());
        assert!(
            super::arguments(&Arguments::new(r#"[{"_placeholder":true,"num":1}]"#, vec![Bytes::from_static(b"a")]))
                .is_err()
        );
    }
}

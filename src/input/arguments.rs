//! Reads the arguments of an event: all of them as a tuple, or the first one.

use bytes::Bytes;
use serde::{
    Deserializer,
    de::{DeserializeOwned, DeserializeSeed, Error as _, SeqAccess, Visitor},
    forward_to_deserialize_any,
};
use serde_json::value::RawValue;

use super::{
    DEPTH_MAX,
    depth::{AROUND, is_too_deep, sentence},
    input_error::InputError,
    node::{Node, NodeKind},
};

/// Reads the arguments as a tuple: as many as it has elements. Surplus arguments are ignored.
pub(crate) fn read_tuple<T: DeserializeOwned>(list: &[&RawValue], attachments: &[Bytes]) -> Result<T, String> {
    read(list, attachments, |arguments| T::deserialize(arguments))
}

/// Reads the first argument.
pub(crate) fn read_first<T: DeserializeOwned>(list: &[&RawValue], attachments: &[Bytes]) -> Result<T, String> {
    let first = &list[..list.len().min(1)];
    read(first, attachments, |mut arguments| arguments.element(std::marker::PhantomData::<T>))
}

/// serde_json reads first, as in [`super::read`]. What it refuses, arrays, and arguments with attachments are read from
/// trees.
fn read<T>(
    list: &[&RawValue],
    attachments: &[Bytes],
    mut read: impl FnMut(Arguments<'_, '_>) -> Result<T, InputError>,
) -> Result<T, String> {
    let is_plain = attachments.is_empty() && !list.iter().any(|argument| argument.get().starts_with('['));
    if is_plain && let Ok(value) = read(Arguments { list: List::Texts(list), next: 0 }) {
        return Ok(value);
    }
    let mut nodes = Vec::with_capacity(list.len());
    for (index, argument) in list.iter().enumerate() {
        let name = || format!("argument {}", index + 1);
        if is_too_deep(argument.get(), DEPTH_MAX + AROUND) {
            return Err(sentence(&name()));
        }
        let node = Node::parse_attached(argument.get(), attachments);
        nodes.push(node.ok_or_else(|| format!("{} is not valid JSON", name()))?);
    }
    read(Arguments { list: List::Nodes(&nodes), next: 0 }).map_err(|wrong| wrong.sentence("the arguments"))
}

/// The arguments that are not read yet.
struct Arguments<'de, 'a> {
    list: List<'de, 'a>,
    next: usize,
}

#[derive(Clone, Copy)]
enum List<'de, 'a> {
    Texts(&'de [&'de RawValue]),
    Nodes(&'de [Node<'a>]),
}

/// What a missing argument is read as.
static MISSING: Node<'static> = Node { text: "null", kind: NodeKind::Null };

impl<'de> Arguments<'de, '_> {
    /// Reads the next argument.
    fn element<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, InputError> {
        let index = self.next;
        self.next += 1;
        let name = || format!("argument {}", index + 1);
        match self.list {
            // The error is not shown: the arguments are read again.
            List::Texts(texts) if index < texts.len() => {
                let mut json = serde_json::Deserializer::from_str(texts[index].get());
                seed.deserialize(&mut json).map_err(InputError::custom)
            }
            List::Nodes(nodes) if index < nodes.len() => {
                seed.deserialize(&nodes[index]).map_err(|wrong| wrong.within(&name()))
            }
            _ => seed.deserialize(&MISSING).map_err(|_: InputError| InputError::missing().within(&name())),
        }
    }
}

impl<'de> SeqAccess<'de> for Arguments<'de, '_> {
    type Error = InputError;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, InputError> {
        self.element(seed).map(Some)
    }
}

/// A tuple's type asks for a tuple, `()` for a unit.
impl<'de> Deserializer<'de> for Arguments<'de, '_> {
    type Error = InputError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputError> {
        visitor.visit_seq(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::Value;

    use super::*;

    fn list(json: &str) -> Vec<&RawValue> {
        serde_json::from_str(json).unwrap()
    }

    fn tuple<T: DeserializeOwned>(json: &str) -> Result<T, String> {
        read_tuple(&list(json), &[])
    }

    fn first<T: DeserializeOwned>(json: &str) -> Result<T, String> {
        read_first(&list(json), &[])
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Bid {
        amount: u64,
    }

    #[test]
    fn a_tuple_takes_as_many_arguments_as_it_has_elements() {
        assert_eq!(tuple::<()>("[]"), Ok(()));
        assert_eq!(tuple::<()>("[1]"), Ok(()));
        assert_eq!(tuple::<(u8, String)>(r#"[1,"a",true]"#), Ok((1, "a".to_owned())));
        assert_eq!(tuple::<(Vec<u8>, Bid)>(r#"[[1,2],{"amount":3}]"#), Ok((vec![1, 2], Bid { amount: 3 })));
        assert_eq!(tuple::<((u8, u8),)>("[[1,2]]"), Ok(((1, 2),)));
    }

    #[test]
    fn every_other_type_is_the_first_argument() {
        assert_eq!(first::<u8>("[1,2]"), Ok(1));
        assert_eq!(first::<[u8; 2]>("[[1,2],3]"), Ok([1, 2]));
        assert_eq!(first::<Value>("[]"), Ok(Value::Null));
    }

    #[test]
    fn a_missing_argument_is_null() {
        assert_eq!(tuple::<(u8, Option<u8>)>("[1]"), Ok((1, None)));
        assert_eq!(first::<Option<u8>>("[]"), Ok(None));
        assert_eq!(first::<Box<RawValue>>("[]").unwrap().get(), "null");
        assert_eq!(tuple::<(u8, u8)>("[1]"), Err("argument 2 is missing".to_owned()));
        assert_eq!(first::<Bid>("[]"), Err("argument 1 is missing".to_owned()));
    }

    #[test]
    fn an_error_names_the_argument_and_what_came() {
        let sentence = |json| tuple::<(u8, Bid)>(json).unwrap_err();
        assert_eq!(sentence(r#"["a",{}]"#), "argument 1 must be a whole number of 0 or more, not a string");
        assert_eq!(sentence(r#"[1,{"amount":-1}]"#), "argument 2.amount must be a whole number of 0 or more, not -1");
        assert_eq!(sentence("[1,[2]]"), "argument 2 must be an object, not an array");
    }

    #[test]
    fn a_placeholder_is_read_as_bytes() {
        #[derive(Deserialize)]
        struct File {
            part: Bytes,
        }
        let attachments = [Bytes::from_static(b"a"), Bytes::from_static(b"b")];
        let placed = |number: usize| format!(r#"{{"_placeholder":true,"num":{number}}}"#);
        let json = format!(r#"[{{"part":{}}},{}]"#, placed(1), placed(0));
        let (file, bytes): (File, Bytes) = read_tuple(&list(&json), &attachments).unwrap();
        assert_eq!((&file.part, &bytes), (&attachments[1], &attachments[0]));
        let odd = r#"[{"part":{ "num":9, "_placeholder":true, "num":1 }},{"_placeholder":true,"num":0,"x":[]}]"#;
        let (file, bytes): (File, Bytes) = read_tuple(&list(odd), &attachments).unwrap();
        assert_eq!((&file.part, &bytes), (&attachments[1], &attachments[0]));
        let wrong = read_tuple::<(Value, u8)>(&list(&json), &attachments).unwrap_err();
        assert_eq!(wrong, "argument 1.part must be any valid JSON value, not binary");
    }
}

//! serde's `Deserializer` over a [`Node`](super::node::Node).

use std::{borrow::Cow, str::FromStr};

use serde::{
    Deserializer,
    de::{
        DeserializeSeed, Error as _, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor,
        value::{CowStrDeserializer, MapAccessDeserializer},
    },
    forward_to_deserialize_any,
};

use super::{
    KEY, KEY_TEXT, NAME,
    input_error::InputError,
    node::{Node, NodeKind, is_whole},
    surrogates::{LONE_SURROGATE, has_lone_surrogate},
};

/// Before each level of nesting, `STACK_LEFT` bytes of stack must be free; otherwise `STACK_ADDED` bytes are added. One
/// level takes a few hundred bytes, some thousand in debug builds.
const STACK_LEFT: usize = 128 * 1024;
const STACK_ADDED: usize = 1024 * 1024;

/// Values of a query are texts, from which numbers and booleans are parsed.
macro_rules! word {
    ($($method:ident $visit:ident $type:ty;)+) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputError> {
            match &self.kind {
                NodeKind::Word(text) => visitor.$visit(parsed::<$type>(text, stringify!($type))?),
                _ => self.deserialize_any(visitor),
            }
        })+
    };
}

impl<'de> Deserializer<'de> for &'de Node<'_> {
    type Error = InputError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputError> {
        match &self.kind {
            NodeKind::Null => visitor.visit_unit(),
            NodeKind::Bool(value) => visitor.visit_bool(*value),
            NodeKind::Number => {
                if let Ok(number) = self.text.parse() {
                    visitor.visit_u64(number)
                } else if let Ok(number) = self.text.parse() {
                    visitor.visit_i64(number)
                } else {
                    // As in JavaScript, a number that is too large is infinite.
                    visitor.visit_f64(self.text.parse().map_err(|_| InputError::custom("not a number"))?)
                }
            }
            NodeKind::Text(text) | NodeKind::Word(text) => visitor.visit_borrowed_str(text),
            NodeKind::Array(items) => {
                let mut items = Items { items, next: 0 };
                let value = stacker::maybe_grow(STACK_LEFT, STACK_ADDED, || visitor.visit_seq(&mut items))?;
                match items.items.len() {
                    len if len > items.next => {
                        Err(InputError::invalid_length(len, &&*format!("an array of {}", items.next)))
                    }
                    _ => Ok(value),
                }
            }
            NodeKind::Binary(bytes) => visitor.visit_bytes(bytes),
            NodeKind::Object(members) => {
                let members = Object { members, next: 0 };
                stacker::maybe_grow(STACK_LEFT, STACK_ADDED, || visitor.visit_map(members))
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputError> {
        match &self.kind {
            NodeKind::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, InputError> {
        match &self.kind {
            NodeKind::Text(_) if [KEY, KEY_TEXT].contains(&name) && has_lone_surrogate(self.text) => {
                Err(InputError::custom(LONE_SURROGATE))
            }
            NodeKind::Number if [NAME, KEY].contains(&name) && is_whole(self.text) => visitor.visit_str(self.text),
            // serde_json's marker for `RawValue`: no Rust type has a name that begins with `$`.
            _ if name.starts_with('$') => {
                let mut json = serde_json::Deserializer::from_str(self.text);
                json.deserialize_newtype_struct(name, visitor).map_err(InputError::custom)
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, InputError> {
        match &self.kind {
            NodeKind::Text(text) | NodeKind::Word(text) => visitor.visit_enum(text.as_ref().into_deserializer()),
            NodeKind::Object(members) if members.len() == 1 => {
                visitor.visit_enum(MapAccessDeserializer::new(Object { members, next: 0 }))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    /// serde's default would read an array as a struct's fields in order.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, InputError> {
        match &self.kind {
            NodeKind::Array(_) => Err(InputError::invalid_type(Unexpected::Seq, &visitor)),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputError> {
        visitor.visit_unit()
    }

    word! {
        deserialize_bool visit_bool bool;
        deserialize_i8 visit_i64 i64;
        deserialize_i16 visit_i64 i64;
        deserialize_i32 visit_i64 i64;
        deserialize_i64 visit_i64 i64;
        deserialize_u8 visit_u64 u64;
        deserialize_u16 visit_u64 u64;
        deserialize_u32 visit_u64 u64;
        deserialize_u64 visit_u64 u64;
        deserialize_f32 visit_f64 f64;
        deserialize_f64 visit_f64 f64;
    }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map identifier
    }
}

fn parsed<T: FromStr>(text: &str, expected: &'static str) -> Result<T, InputError> {
    let expected = if expected == "bool" { "a boolean" } else { expected };
    text.parse().map_err(|_| InputError::invalid_value(Unexpected::Str(text), &expected))
}

struct Items<'de, 'a> {
    items: &'de [Node<'a>],
    next: usize,
}

impl<'de> SeqAccess<'de> for Items<'de, '_> {
    type Error = InputError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, InputError> {
        let Some(item) = self.items.get(self.next) else { return Ok(None) };
        self.next += 1;
        seed.deserialize(item).map(Some).map_err(|error| error.at(self.next - 1))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len() - self.next)
    }
}

struct Object<'de, 'a> {
    members: &'de [(Cow<'a, str>, Node<'a>)],
    next: usize,
}

impl<'de> MapAccess<'de> for Object<'de, '_> {
    type Error = InputError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, InputError> {
        let Some((name, _)) = self.members.get(self.next) else { return Ok(None) };
        self.next += 1;
        let name: CowStrDeserializer<'_, InputError> = Cow::Borrowed(name.as_ref()).into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, InputError> {
        let (name, value) = self.next.checked_sub(1).and_then(|at| self.members.get(at)).expect("its key was read");
        seed.deserialize(value).map_err(|error| error.within(name))
    }
}

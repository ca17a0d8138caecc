//! A JSON object whose values are kept as text.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::decoded;

/// The members of an object, in order. If a name is repeated, the last member counts.
pub(crate) struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Object<'a> {
    /// Parses an object's JSON; `None` if it is not an object.
    pub(crate) fn of(json: &'a str) -> Option<Self> {
        if let Ok(Members(members)) = serde_json::from_str::<Members<Key<'a>, &'a RawValue>>(json) {
            return Some(Self(members.into_iter().map(|(Key(name), value)| (name, value)).collect()));
        }
        // A name may hold half a surrogate pair.
        let Members(members) = serde_json::from_str::<Members<&'a RawValue, &'a RawValue>>(json).ok()?;
        let name = |name: &'a RawValue| decoded(name.get()).unwrap_or_default();
        Some(Self(members.into_iter().map(|(raw, value)| (name(raw), value)).collect()))
    }

    /// Names and values in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> + use<'a, '_> {
        self.0.iter().map(|(name, value)| (&**name, *value))
    }

    /// The value of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| *value)
    }
}

/// A member's name, borrowed unless it has escapes.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

struct Members<K, V>(Vec<(K, V)>);

impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> Deserialize<'de> for Members<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor(PhantomData))
    }
}

struct MembersVisitor<K, V>(PhantomData<(K, V)>);

impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> Visitor<'de> for MembersVisitor<K, V> {
    type Value = Members<K, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

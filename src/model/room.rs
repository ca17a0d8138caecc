//! Rooms: by name, and direct messages between two users.

use std::{
    borrow::{Borrow, Cow},
    sync::Arc,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{UserId, checked_name, parse::keyed};

/// Prefix of a direct message's name on the wire, before the other user's id.
const DIRECT: &str = "dm:";

/// Prefix of a direct message's key in the store. Clients cannot write it, since it begins with a control character.
const DIRECT_KEY: &str = "\u{1}dm:";

/// The name of a room: 1 to 128 characters, no control characters, not beginning with `dm:`. Cheap to clone.
#[cfg_attr(test, derive(ts_rs::TS), ts(type = "string"))]
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomName(Arc<str>);

impl RoomName {
    /// Parses a name from a client or the configuration. The error is a sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        checked_name("a room's name", text)?;
        if text.starts_with(DIRECT) {
            return Err(format!("a room's name must not begin with {DIRECT:?}: that is a direct message"));
        }
        Ok(Self(text.into()))
    }

    /// A name that an application gives where there is no chat: any text, as in Node.
    pub(crate) fn of_application(text: &str) -> Self {
        Self(text.into())
    }

    /// The name as on the wire and in the store.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Names have the order of their texts, so a map can be searched by text.
impl Borrow<str> for RoomName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Serialize for RoomName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RoomName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        keyed(deserializer, Self::parse)
    }
}

impl From<RoomName> for String {
    fn from(name: RoomName) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl std::fmt::Display for RoomName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A room as one user sees it: on the wire, a room's name or `dm:<the other user's id>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(test, derive(ts_rs::TS), ts(type = "string"))]
pub enum RoomRef {
    /// A room with a name.
    Named(RoomName),
    /// The direct message with this user.
    With(UserId),
}

impl RoomRef {
    /// Parses a room as clients write it. The error is a sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.strip_prefix(DIRECT) {
            Some(id) => Ok(Self::With(UserId::parse(id)?)),
            None => Ok(Self::Named(RoomName::parse(text)?)),
        }
    }

    /// The room that this user refers to.
    pub fn seen_by(self, reader: &UserId) -> Room {
        match self {
            Self::Named(name) => Room::Named(name),
            Self::With(other) => Room::Direct(Direct::between(reader.clone(), other)),
        }
    }
}

impl Serialize for RoomRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Named(name) => name.serialize(serializer),
            Self::With(_) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for RoomRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        keyed(deserializer, Self::parse)
    }
}

impl std::fmt::Display for RoomRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Named(name) => name.fmt(f),
            Self::With(other) => write!(f, "{DIRECT}{other}"),
        }
    }
}

/// A direct message between two users, who may be the same one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Direct {
    low: UserId,
    high: UserId,
}

impl Direct {
    /// The direct message between two users, given in either order.
    pub fn between(one: UserId, other: UserId) -> Self {
        if one <= other { Self { low: one, high: other } } else { Self { low: other, high: one } }
    }

    /// Both users; only one if they are the same.
    pub fn users(&self) -> impl Iterator<Item = &UserId> {
        std::iter::once(&self.low).chain((self.low != self.high).then_some(&self.high))
    }

    /// Whether this user is one of the two.
    pub fn has(&self, user: &UserId) -> bool {
        *user == self.low || *user == self.high
    }

    fn other(&self, reader: &UserId) -> &UserId {
        if *reader == self.low { &self.high } else { &self.low }
    }
}

/// A room, independent of the user who sees it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Room {
    /// A room with a name.
    Named(RoomName),
    /// The direct message of two users.
    Direct(Direct),
}

impl Room {
    /// The room as this user sees it.
    pub fn for_reader(&self, reader: &UserId) -> RoomRef {
        match self {
            Self::Named(name) => RoomRef::Named(name.clone()),
            Self::Direct(direct) => RoomRef::With(direct.other(reader).clone()),
        }
    }

    /// The room's key in the store: the name, or U+0001, `dm:` and the two sorted ids, the first with its length
    /// in bytes, so that no two pairs share a key.
    pub(crate) fn key(&self) -> Cow<'_, str> {
        match self {
            Self::Named(name) => Cow::Borrowed(name.as_str()),
            Self::Direct(Direct { low, high }) => {
                Cow::Owned(format!("{DIRECT_KEY}{}:{low}:{high}", low.as_str().len()))
            }
        }
    }

    /// The name to which patterns are applied: that of a direct message is `dm:<id>:<id>`.
    pub(crate) fn pattern_name(&self) -> Cow<'_, str> {
        match self {
            Self::Named(name) => Cow::Borrowed(name.as_str()),
            Self::Direct(Direct { low, high }) => Cow::Owned(format!("{DIRECT}{low}:{high}")),
        }
    }

    /// A room that an application names: on a server without the chat any text, as in Node.
    pub(crate) fn of_application(name: &str, has_chat: bool) -> Result<Self, String> {
        if has_chat { RoomName::parse(name).map(Self::Named) } else { Ok(Self::Named(RoomName::of_application(name))) }
    }

    /// Parses a [`Room::key`]; `None` if it is not one.
    pub(crate) fn from_key(key: &str) -> Option<Self> {
        let Some(pair) = key.strip_prefix(DIRECT_KEY) else {
            return Some(Self::Named(RoomName::parse(key).ok()?));
        };
        let (length, ids) = pair.split_once(':')?;
        let length: usize = length.parse().ok()?;
        let (low, high) = (ids.get(..length)?, ids.get(length..)?.strip_prefix(':')?);
        Some(Self::Direct(Direct { low: UserId::parse(low).ok()?, high: UserId::parse(high).ok()? }))
    }
}

impl From<RoomName> for Room {
    fn from(name: RoomName) -> Self {
        Self::Named(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: &str) -> UserId {
        UserId::parse(id).unwrap()
    }

    #[test]
    fn a_direct_message_is_one_room_whose_name_is_the_other_users_id() {
        let room = RoomRef::parse("dm:bob").unwrap().seen_by(&user("ada"));
        assert_eq!(room, RoomRef::parse("dm:ada").unwrap().seen_by(&user("bob")));
        assert_eq!(room.for_reader(&user("ada")).to_string(), "dm:bob");
        assert_eq!(room.for_reader(&user("bob")).to_string(), "dm:ada");
    }

    #[test]
    fn keys_are_parsed_even_if_ids_contain_colons() {
        for (one, other) in [("a:b", "c"), ("a", "b:c"), ("me", "me"), ("é:1", "ü")] {
            let room = Room::Direct(Direct::between(user(one), user(other)));
            assert_eq!(Room::from_key(&room.key()), Some(room));
        }
    }

    #[test]
    fn nobody_can_name_an_internal_room() {
        for name in ["\u{1}dm:1:a:b", "\u{1}", "a\u{1}", "", "dm:x"] {
            assert!(RoomName::parse(name).is_err(), "{name:?}");
        }
        assert!(RoomRef::parse("dm:\u{1}").is_err());
    }
}

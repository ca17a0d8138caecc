//! Searches: what they ask for and return, which fields of a message are searched, and the rules that the engines share.

use std::collections::HashMap;

use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::{
    reads::PAGE_BYTES,
    words::{self, Term},
};
use crate::{
    config::SearchConfig,
    error::{Error, Result},
    input::{Object, decoded},
    model::{Body, Message, MessageId, Room, RoomRef, UserId},
};

/// Maximum number of hits that one search looks at. A hit is a message that has all words, also one that the reader may
/// not read.
pub(super) const HITS_MAX: usize = 10_000;
/// Maximum length of the text of a search, in characters.
const TEXT_CHARS: usize = 256;
/// The version of the rules by which words are made. An index that was made by others is made anew.
const WORDS_VERSION: u32 = 1;

/// A search for messages.
pub struct Search {
    pub(super) terms: Vec<Term>,
    /// Only messages of this room.
    pub room: Option<Room>,
    /// Only messages of this author.
    pub from: Option<UserId>,
    /// Only messages older than this one, which need not exist.
    pub before: Option<MessageId>,
    /// Maximum number of messages.
    pub limit: usize,
    /// Who searches; `None` for a backend, which may read everything.
    pub reader: Option<Reader>,
}

/// The user who searches.
pub struct Reader {
    /// Id of the user.
    pub user: UserId,
    /// Whether the user may read a room.
    pub may_read: Box<dyn Fn(&Room) -> bool + Send + Sync>,
}

/// The result of [`super::Store::search`].
#[derive(Debug, Default)]
pub struct Found {
    /// The newest first.
    pub messages: Vec<Message>,
    /// Where to go on, as [`Search::before`], if there may be more.
    pub next: Option<MessageId>,
}

impl Search {
    /// A search for the words of `text` in all rooms. `bad-payload` if it has no words, or is too long.
    pub fn new(text: &str, limit: usize, reader: Option<Reader>) -> Result<Self> {
        if text.chars().nth(TEXT_CHARS).is_some() {
            return Err(Error::BadPayload(format!("text must have at most {TEXT_CHARS} characters")));
        }
        let terms = words::terms(text);
        match terms.len() {
            0 => Err(Error::BadPayload("text must have a word".to_owned())),
            1..=words::QUERY_WORDS => Ok(Self { terms, room: None, from: None, before: None, limit, reader }),
            _ => Err(Error::BadPayload(format!("text must have at most {} words", words::QUERY_WORDS))),
        }
    }

    /// How a found room is named in the message of this author.
    pub(super) fn seen_as(&self, room: &Room, author: &UserId) -> RoomRef {
        room.for_reader(self.reader.as_ref().map_or(author, |reader| &reader.user))
    }

    /// The words for the room and the author.
    pub(super) fn filters(&self, room: Option<i64>) -> impl Iterator<Item = String> + use<> {
        room.map(room_word).into_iter().chain(self.from.as_ref().map(author_word))
    }
}

/// Length of a message's words, in bytes, from which no more text is added to them. PostgreSQL keeps 1 MiB for one message
/// at the most, and a text adds at most 260 KB.
const WORDS_BYTES: usize = 512 * 1024;

/// The fields of bodies that are searched.
#[derive(Debug, Clone)]
pub(super) struct Fields(Vec<String>);

impl Fields {
    /// `None` if nothing is searched.
    pub(super) fn new(config: &SearchConfig) -> Option<Self> {
        (!config.fields.is_empty()).then(|| Self(config.fields.clone()))
    }

    /// Names what an index holds, so that a change is noticed.
    pub(super) fn name(&self) -> String {
        format!("{WORDS_VERSION} {}", serde_json::json!(self.0))
    }

    /// The setting with which an index of this name was made.
    pub(super) fn setting_of(name: &str) -> Option<SearchConfig> {
        let (_, fields) = name.split_once(' ')?;
        Some(SearchConfig { fields: serde_json::from_str(fields).ok()? })
    }

    /// The words of a message in the room with this number, separated by blanks. Empty if the message has none.
    pub(super) fn words(&self, body: &Body, room: i64, author: &UserId) -> String {
        let mut found = self.words_of(body.as_str());
        if !found.is_empty() {
            found.push(' ');
            found.push_str(&room_word(room));
            found.push(' ');
            found.push_str(&author_word(author));
        }
        found
    }

    /// Whether a body has the words of a query.
    pub(super) fn have(&self, body: &str, terms: &[Term]) -> bool {
        let words = self.words_of(body);
        terms.iter().all(|term| {
            words.split(' ').any(|word| match term.is_prefix {
                true => word.starts_with(&term.word),
                false => word == term.word,
            })
        })
    }

    fn words_of(&self, body: &str) -> String {
        let mut found = String::new();
        // A deleted message has an empty body, and is found by nothing.
        if let Some(object) = Object::of(body) {
            for field in &self.0 {
                add_field(&object, field, &mut found);
            }
        }
        found
    }
}

/// Adds the words of a field. A name with dots leads into nested objects, unless there is a field with that whole name.
fn add_field(object: &Object, name: &str, found: &mut String) {
    if let Some(value) = object.get(name) {
        add_value(value.get(), found);
    } else if let Some((outer, inner)) = name.split_once('.')
        && let Some(value) = object.get(outer)
        && let Some(object) = Object::of(value.get())
    {
        add_field(&object, inner, found);
    }
}

/// Adds the words of a string, or of a list of strings.
fn add_value(json: &str, found: &mut String) {
    if found.len() >= WORDS_BYTES {
        return;
    }
    if let Some(text) = decoded(json) {
        words::add_words(&text, found);
    } else if json.starts_with('[')
        && let Ok(list) = serde_json::from_str::<Vec<&RawValue>>(json)
    {
        for text in list.iter().filter_map(|item| decoded(item.get())) {
            if found.len() < WORDS_BYTES {
                words::add_words(&text, found);
            }
        }
    }
}

/// What a search has looked at so far. An engine gives it the hits in their order, the newest first.
pub(super) struct Progress<'a> {
    search: &'a Search,
    /// The rooms that were seen, by their numbers; `None` for those that the reader may not read.
    rooms: HashMap<i64, Option<Room>>,
    hits: usize,
    bytes: usize,
    /// The hit after which the search goes on.
    last: Option<MessageId>,
    messages: Vec<Message>,
}

impl<'a> Progress<'a> {
    pub(super) fn new(search: &'a Search) -> Self {
        Self { search, rooms: HashMap::new(), hits: 0, bytes: 0, last: None, messages: Vec::new() }
    }

    /// How many more hits may be looked at.
    pub(super) fn rest(&self) -> usize {
        HITS_MAX - self.hits
    }

    /// The room with this number, if the reader may read it.
    pub(super) fn readable<E>(&mut self, room: i64, load: impl FnOnce() -> Result<Room, E>) -> Result<Option<Room>, E> {
        if let Some(known) = self.rooms.get(&room) {
            return Ok(known.clone());
        }
        let loaded = load()?;
        let is_readable = self.search.reader.as_ref().is_none_or(|reader| (reader.may_read)(&loaded));
        let known = is_readable.then_some(loaded);
        self.rooms.insert(room, known.clone());
        Ok(known)
    }

    /// Looks at the next hit. False if this search may look at no more.
    pub(super) fn look(&mut self, hit: MessageId) -> bool {
        if self.rest() == 0 {
            return false;
        }
        self.hits += 1;
        self.last = Some(hit);
        true
    }

    /// Adds the message of the hit that was looked at last. False if there is no place for it.
    pub(super) fn add(&mut self, message: Message) -> bool {
        if self.search.from.as_ref().is_some_and(|from| *from != message.from.id) {
            return true;
        }
        self.bytes += message.body.as_str().len();
        if self.messages.len() == self.search.limit || (self.bytes > PAGE_BYTES && !self.messages.is_empty()) {
            self.last = self.messages.last().map(|last| last.id);
            return false;
        }
        self.messages.push(message);
        true
    }

    /// The result, if there are no more hits.
    pub(super) fn complete(self) -> Found {
        Found { messages: self.messages, next: None }
    }

    /// The result, if there are more hits than were looked at.
    pub(super) fn incomplete(self) -> Found {
        let added = self.messages.last().map(|last| last.id);
        let next = self.last.map(|last| if added == Some(last) { last } else { resume_after(last, added) });
        Found { messages: self.messages, next }
    }
}

/// Where a search goes on after a hit that the reader may not read. Its id would be known to the reader then, so this is
/// the highest id of its millisecond, or the last message that was found in that millisecond.
fn resume_after(hit: MessageId, added: Option<MessageId>) -> MessageId {
    let millisecond = &hit.as_bytes()[..6];
    if let Some(added) = added.filter(|added| added.as_bytes()[..6] == *millisecond) {
        return added;
    }
    let mut highest = [0xff; 16];
    highest[..6].copy_from_slice(millisecond);
    // Version 7, and the variant of RFC 9562.
    (highest[6], highest[8]) = (0x7f, 0xbf);
    MessageId::from_bytes(highest)
}

/// The word that all messages of a room have. No text has words with this sign.
pub(super) fn room_word(room: i64) -> String {
    format!("={room}")
}

/// The word that all messages of an author have. It is short, and plain whatever the id is; two authors may share one.
pub(super) fn author_word(author: &UserId) -> String {
    format!("@{}", hex::encode(&Sha256::digest(author.as_str())[..8]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_message_are_bounded_whatever_its_lists() {
        let text = (0..2_000).map(|n| format!("{n:032}")).collect::<Vec<_>>().join(" ");
        let body = Body::from_json(serde_json::json!({ "text": vec![text; 30] }).to_string());
        let fields = Fields(vec!["text".to_owned(), "text".to_owned()]);
        let length = fields.words(&body, 1, &UserId::parse("ada").unwrap()).len();
        assert!((WORDS_BYTES..1 << 20).contains(&length), "{length}");
    }
}

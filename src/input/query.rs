//! Query strings.

use indexmap::IndexMap;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    input_error::InputError,
    node::{Node, NodeKind},
};

/// The decoded fields of a query string.
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    pub(crate) fn of(query: &str) -> Self {
        // `serde_urlencoded` accepts every text.
        Self(serde_urlencoded::from_str(query).unwrap_or_default())
    }

    /// The fields as a JSON object, which takes the place of `auth` for clients of version 2. Repeated fields become an
    /// array, as in Node.
    pub(crate) fn to_json(&self) -> String {
        let mut members: IndexMap<&str, Vec<&str>> = IndexMap::new();
        for (name, text) in &self.0 {
            members.entry(name).or_default().push(text);
        }
        let one = |(name, texts): (&str, Vec<&str>)| match texts.as_slice() {
            [text] => (name.to_owned(), Value::from(*text)),
            several => (name.to_owned(), Value::from(several)),
        };
        Value::Object(members.into_iter().map(one).collect()).to_string()
    }

    /// The text of one field. An error if the field is repeated.
    pub(crate) fn get(&self, name: &str) -> Result<Option<&str>, String> {
        let mut texts = self.0.iter().filter(|(field, _)| field == name).map(|(_, text)| text.as_str());
        match (texts.next(), texts.next()) {
            (text, None) => Ok(text),
            (_, Some(_)) => Err(format!("{name} is there twice in the query")),
        }
    }
}

/// Deserializes a query string.
pub(crate) fn read_query<T: DeserializeOwned>(query: &str) -> Result<T, String> {
    let Fields(fields) = Fields::of(query);
    let word = |(name, text): (String, String)| (name.into(), Node { text: "", kind: NodeKind::Word(text.into()) });
    let node = Node { text: "", kind: NodeKind::Object(fields.into_iter().map(word).collect()) };
    T::deserialize(&node).map_err(|error: InputError| error.sentence("the query"))
}

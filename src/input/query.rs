//! Query strings.

use indexmap::IndexMap;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    node::{Kind, Node},
    wrong::Wrong,
};

/// The decoded fields of a query string.
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    pub(crate) fn of(query: &str) -> Self {
        // `serde_urlencoded` accepts every text.
        Self(serde_urlencoded::from_str(query).unwrap_or_default())
    }

    /// The fields as a JSON object, which is what `auth` is for clients of version 2. Repeated fields become an array,
    /// as in Node.
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

    /// The text of one field. An error where the field is repeated, since either could be meant.
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
    let word = |(name, text): (String, String)| (name.into(), Node { text: "", kind: Kind::Word(text.into()) });
    let node = Node { text: "", kind: Kind::Object(fields.into_iter().map(word).collect()) };
    T::deserialize(&node).map_err(|wrong: Wrong| wrong.sentence("the query"))
}

//! The application's own sections of the configuration: each is a type, and its settings are the type's fields.

use std::{any::Any, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value as Json;
use toml::{Table, Value};

use super::{reference, value_kind::ValueKind};

/// A value of a section's type.
pub(super) type Parsed = Arc<dyn Any + Send + Sync>;

/// The application's own sections, in the order in which they were declared.
#[derive(Default)]
pub(crate) struct Sections(pub(super) Vec<Section>);

/// A section of the application's own.
pub(super) struct Section {
    pub(super) name: String,
    pub(super) settings: Vec<OwnSetting>,
    /// The type's defaults, by its fields.
    pub(super) defaults: Table,
    parse: Box<dyn Fn(Table) -> Result<Parsed, String> + Send + Sync>,
}

/// A setting of such a section.
pub(super) struct OwnSetting {
    /// The key, as in `game.max-players`.
    pub(super) key: String,
    /// The fields that lead to it, as serde names them: `["max_players"]`.
    pub(super) fields: Vec<String>,
    pub(super) kind: ValueKind,
    /// `None` for a field that is null by default.
    pub(super) default: Option<Value>,
}

impl Sections {
    /// Adds a section with its defaults.
    ///
    /// # Panics
    ///
    /// If the name is taken or cannot be a section's, or TOML cannot express the defaults.
    pub(crate) fn add<T: Serialize + DeserializeOwned + Send + Sync + 'static>(&mut self, name: &str, defaults: &T) {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        assert!(!name.is_empty() && name.bytes().all(is_plain), "[{name}] must be of a-z, 0-9 and -");
        let is_taken = reference::is_section(name) || self.0.iter().any(|section| section.name == name);
        assert!(!is_taken, "[{name}] is a section already: give it another name");
        let json = serde_json::to_value(defaults).expect("the defaults of a section are plain data");
        let mut settings = Vec::new();
        flatten(name, &mut Vec::new(), &json, &mut settings);
        assert!(json.is_object(), "[{name}] must be a type with named fields");
        let mut table = Table::new();
        for setting in &settings {
            if let Some(default) = &setting.default {
                insert(&mut table, &setting.fields, default.clone());
            }
        }
        let parse = |table| T::deserialize(table).map(|value| Arc::new(value) as Parsed).map_err(message);
        let section = Section { name: name.to_owned(), settings, defaults: table, parse: Box::new(parse) };
        if let Err(error) = section.parse(section.defaults.clone()) {
            panic!("the defaults of [{name}] cannot be read again: {error}");
        }
        self.0.push(section);
    }

    pub(super) fn get(&self, name: &str) -> Option<&Section> {
        self.0.iter().find(|section| section.name == name)
    }

    /// The kind of a setting's value; `None` if no section has this key.
    pub(super) fn kind_of(&self, key: &str) -> Option<&ValueKind> {
        self.settings().find(|setting| setting.key == key).map(|setting| &setting.kind)
    }

    /// The key that a variable means: `GAME_MAX_PLAYERS` and `GAME__MAX_PLAYERS` are both `game.max-players`.
    pub(super) fn key_of_variable(&self, rest: &str) -> Option<&str> {
        let plain = |text: &str| text.to_ascii_lowercase().replace("__", "_").replace(['.', '-'], "_");
        let wanted = plain(rest);
        self.settings().map(|setting| &*setting.key).find(|key| plain(key) == wanted)
    }

    /// The setting nearest to an unknown key, if one is near enough.
    pub(super) fn nearest(&self, wrong: &str) -> Option<String> {
        let wrong = wrong.replace('_', "-");
        reference::most_alike(&wrong, self.settings().map(|setting| (setting.key.clone(), setting.key.clone())))
    }

    /// The end of the message about a key that is no setting.
    pub(super) fn suggestion(&self, wrong: &str) -> String {
        if let Some(nearest) = self.nearest(wrong) {
            return format!("; did you mean {nearest}?");
        }
        let name = wrong.split_once('.').map_or(wrong, |(section, _)| section);
        let Some(section) = self.get(name) else { return reference::suggestion(wrong) };
        let names = section.settings.iter().map(|setting| &setting.key[name.len() + 1..]);
        format!("; [{name}] has {}", names.collect::<Vec<_>>().join(", "))
    }

    fn settings(&self) -> impl Iterator<Item = &OwnSetting> {
        self.0.iter().flat_map(|section| &section.settings)
    }
}

impl Section {
    pub(super) fn parse(&self, table: Table) -> Result<Parsed, String> {
        (self.parse)(table)
    }
}

/// Sets a value, in tables within tables.
pub(super) fn insert(table: &mut Table, fields: &[String], value: Value) {
    let Some((name, within)) = fields.split_last() else { return };
    let mut table = table;
    for field in within {
        let inner = table.entry(field).or_insert_with(|| Value::Table(Table::new()));
        let Value::Table(inner) = inner else { return };
        table = inner;
    }
    table.insert(name.clone(), value);
}

/// Collects the settings of a value: an object's fields are settings below its own key, other values are settings.
fn flatten(key: &str, fields: &mut Vec<String>, value: &Json, settings: &mut Vec<OwnSetting>) {
    match value {
        // An empty object is a map that the file may fill.
        Json::Object(members) if !members.is_empty() => {
            for (field, value) in members {
                fields.push(field.clone());
                flatten(&format!("{key}.{}", field.replace('_', "-")), fields, value, settings);
                fields.pop();
            }
        }
        value => {
            let default = match value {
                Json::Null => None,
                value => Some(Value::try_from(value).unwrap_or_else(|error| panic!("{key}: {error}"))),
            };
            let kind = kind(default.as_ref());
            settings.push(OwnSetting { key: key.to_owned(), fields: fields.clone(), kind, default });
        }
    }
}

/// The kind of a value, from its default.
fn kind(default: Option<&Value>) -> ValueKind {
    match default {
        Some(Value::String(_)) => ValueKind::Text,
        Some(Value::Integer(_)) => ValueKind::Whole,
        Some(Value::Float(_)) => ValueKind::Decimal,
        Some(Value::Boolean(_)) => ValueKind::Truth,
        Some(Value::Array(items)) if !items.is_empty() && items.iter().all(Value::is_str) => {
            ValueKind::List(Vec::new())
        }
        _ => ValueKind::Any,
    }
}

fn message(error: toml::de::Error) -> String {
    error.message().to_owned()
}

//! What can be said of every setting, read off the doc comments and defaults of [`Config`].

use std::{fmt::Write as _, sync::LazyLock};

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::{Config, load::ValueKind};

/// One key of the file.
struct Setting {
    section: String,
    key: String,
    sentence: String,
    kind: ValueKind,
    /// As TOML; `None` for a key of a section of which there are many, such as `[relay.<event>]`.
    default: Option<String>,
}

struct Reference {
    sections: Vec<(String, String)>,
    settings: Vec<Setting>,
}

static REFERENCE: LazyLock<Reference> = LazyLock::new(|| {
    let schema = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let schema = schema.into_generator().into_root_schema_for::<Config>();
    let defaults = serde_json::to_value(Config::default()).expect("the defaults are plain data");
    let mut reference = Reference { sections: Vec::new(), settings: Vec::new() };
    for (section, shape) in schema.as_value()["properties"].as_object().into_iter().flatten() {
        reference.add(section, shape, &defaults[section]);
    }
    reference
});

impl Reference {
    /// Adds a section, and after it those within it of which there are many.
    fn add(&mut self, section: &str, shape: &Value, defaults: &Value) {
        self.sections.push((section.to_owned(), sentence(shape)));
        let many = many(section);
        let shape = if many.is_some() { &shape["additionalProperties"] } else { shape };
        let mut within = Vec::new();
        for (key, property) in shape["properties"].as_object().into_iter().flatten() {
            let path = format!("{section}.{key}");
            if self::many(&path).is_some() {
                within.push((path, property));
                continue;
            }
            self.settings.push(Setting {
                section: many.unwrap_or(section).to_owned(),
                key: key.clone(),
                sentence: sentence(property),
                kind: kind(property),
                default: many.is_none().then(|| toml_text(&defaults[key])),
            });
        }
        for (section, shape) in within {
            self.add(&section, shape, &Value::Null);
        }
    }
}

/// The sections of which there are many, and how the reference writes their names.
const MANY: [(&str, &str); 3] = [("relay", "relay.<event>"), ("auth.keys", "auth.keys.<kid>"), ("key", "key.<name>")];

fn many(section: &str) -> Option<&'static str> {
    MANY.iter().find(|(name, _)| *name == section).map(|(_, written)| *written)
}

/// The same for one of them, as in `relay.cursor`.
fn one_of_many(section: &str) -> Option<&'static str> {
    let is_one = |name| section.strip_prefix(name).is_some_and(|rest| rest.starts_with('.') && rest.len() > 1);
    MANY.iter().find(|(name, _)| is_one(*name)).map(|(_, written)| *written)
}

fn sentence(shape: &Value) -> String {
    let text = shape["description"].as_str().unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn kind(shape: &Value) -> ValueKind {
    let is = |name: &str| match &shape["type"] {
        Value::String(kind) => kind == name,
        Value::Array(kinds) => kinds.iter().any(|kind| kind == name),
        _ => false,
    };
    if is("integer") {
        ValueKind::Number
    } else if is("boolean") {
        ValueKind::Truth
    } else if is("array") {
        ValueKind::List
    } else {
        ValueKind::Text
    }
}

fn toml_text(value: &Value) -> String {
    // A JSON scalar or list of strings is TOML as it stands.
    value.to_string().replace("\",\"", "\", \"")
}

/// How a key's text is read; `None` where there is no such key.
pub(super) fn kind_of(key: &str) -> Option<ValueKind> {
    let (section, name) = key.rsplit_once('.')?;
    let section = one_of_many(section).unwrap_or(section);
    let setting = REFERENCE.settings.iter().find(|setting| setting.section == section && setting.key == name)?;
    Some(setting.kind)
}

/// The key that looks most like a wrong one, if any does.
pub(super) fn nearest(wrong: &str) -> Option<String> {
    let known = REFERENCE.settings.iter().map(|setting| format!("{}.{}", setting.section, setting.key));
    let sections = REFERENCE.sections.iter().map(|(name, _)| name.clone());
    known
        .chain(sections)
        .map(|key| (strsim::jaro_winkler(&key, wrong), key))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, key)| key)
}

// Below, results of `write!` are let go of: writing to a `String` cannot fail.

/// The commented `sockeye.toml` that `sockeye default-config` prints: every setting at its default.
pub fn default_toml() -> String {
    let mut text = String::from(
        "# Every setting of sockeye at its default. Variables go over this file, flags over both:\n\
         # SOCKEYE_LIMITS__EVENTS_PER_SECOND=0 and --set limits.events-per-second=0 say the same.\n",
    );
    for (section, sentence) in &REFERENCE.sections {
        let _ = write!(text, "\n# {sentence}\n");
        if let Some(section) = many(section) {
            for setting in REFERENCE.settings.iter().filter(|setting| setting.section == section) {
                let _ = writeln!(text, "#   {}: {}", setting.key, setting.sentence);
            }
            if section == "relay.<event>" {
                text += "[relay.message]\nto = \"everyone\"\n";
            }
            continue;
        }
        let _ = writeln!(text, "[{section}]");
        for setting in REFERENCE.settings.iter().filter(|setting| setting.section == *section) {
            let default = setting.default.as_deref().unwrap_or_default();
            let _ = writeln!(text, "# {}\n{} = {default}", setting.sentence, setting.key);
        }
    }
    text
}

/// The README's table of settings, in Markdown.
pub fn settings_table() -> String {
    let mut table = String::from("| setting | default | |\n|---|---|---|\n");
    for Setting { section, key, sentence, default, .. } in &REFERENCE.settings {
        let default = default.as_ref().map_or_else(String::new, |default| format!("`{default}`"));
        let _ = writeln!(table, "| `{section}.{key}` | {default} | {} |", sentence.replace('|', "\\|"));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_file_means_the_defaults() {
        let read: Config = toml::from_str(&default_toml()).expect("it is TOML");
        assert_eq!(serde_json::to_value(read).unwrap(), serde_json::to_value(Config::default()).unwrap());
    }

    #[test]
    fn every_setting_has_a_sentence() {
        for setting in &REFERENCE.settings {
            assert!(setting.sentence.ends_with('.'), "{}.{}: {:?}", setting.section, setting.key, setting.sentence);
        }
        assert!(REFERENCE.settings.len() > 30);
    }

    #[test]
    fn a_wrong_key_is_answered_with_the_nearest() {
        assert_eq!(nearest("limits.event-per-second").as_deref(), Some("limits.events-per-second"));
        assert_eq!(nearest("zzz"), None);
    }
}

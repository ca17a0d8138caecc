//! The reference of all settings, from the doc comments and defaults of [`Config`].

#[cfg(test)]
use std::fmt::Write as _;
use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::{Config, value_kind::ValueKind};

/// One setting.
pub(super) struct Setting {
    pub(super) section: String,
    pub(super) key: String,
    pub(super) sentence: String,
    kind: ValueKind,
    /// The default in TOML; `None` in a section that repeats by name, such as `[relay.<event>]`.
    #[cfg_attr(not(test), expect(dead_code, reason = "a test writes the table of settings from it"))]
    default: Option<String>,
}

/// All settings.
pub(super) struct Reference {
    /// Each section and its sentence.
    pub(super) sections: Vec<(String, String)>,
    pub(super) settings: Vec<Setting>,
}

pub(super) static REFERENCE: LazyLock<Reference> = LazyLock::new(|| {
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
    /// Adds a section, then its subsections that repeat by name.
    fn add(&mut self, section: &str, shape: &Value, defaults: &Value) {
        self.sections.push((section.to_owned(), sentence(shape)));
        let repeated = repeated(section);
        let shape = if repeated.is_some() { &shape["additionalProperties"] } else { shape };
        let mut within = Vec::new();
        for (key, property) in shape["properties"].as_object().into_iter().flatten() {
            let path = format!("{section}.{key}");
            if self::repeated(&path).is_some() {
                within.push((path, property));
                continue;
            }
            self.settings.push(Setting {
                section: repeated.unwrap_or(section).to_owned(),
                key: key.clone(),
                sentence: sentence(property),
                kind: kind(property),
                default: repeated.is_none().then(|| toml_text(&defaults[key])),
            });
        }
        for (section, shape) in within {
            self.add(&section, shape, &Value::Null);
        }
    }
}

/// The sections that repeat by name, and how the reference writes them.
const REPEATED: [(&str, &str); 4] = [
    ("relay", "relay.<event>"),
    ("auth.keys", "auth.keys.<kid>"),
    ("key", "key.<name>"),
    ("retention", "retention.<pattern>"),
];

/// How the reference writes a section that repeats by name.
pub(super) fn repeated(section: &str) -> Option<&'static str> {
    REPEATED.iter().find(|(name, _)| *name == section).map(|(_, written)| *written)
}

/// The pattern of a section that repeats by name: `relay.<event>` for `relay.cursor`.
fn pattern_of(section: &str) -> Option<&'static str> {
    let is_one = |name| section.strip_prefix(name).is_some_and(|rest| rest.starts_with('.') && rest.len() > 1);
    REPEATED.iter().find(|(name, _)| is_one(*name)).map(|(_, written)| *written)
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
    match shape["format"].as_str() {
        Some("size") => ValueKind::Size,
        Some("duration") => ValueKind::Duration,
        Some("secret") => ValueKind::Secret,
        Some("uint32") => ValueKind::Number(u32::MAX.into()),
        _ if is("integer") => ValueKind::Number(i64::MAX as u64),
        _ if is("boolean") => ValueKind::Truth,
        _ if is("array") => ValueKind::List(choices(&shape["items"])),
        _ => {
            let choices = choices(shape);
            if choices.is_empty() { ValueKind::Text } else { ValueKind::Choice(choices) }
        }
    }
}

/// The variants of an enum; empty for other types.
fn choices(shape: &Value) -> Vec<String> {
    let documented = shape["oneOf"].as_array().into_iter().flatten().filter_map(|variant| variant["const"].as_str());
    let bare = shape["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
    documented.chain(bare).map(str::to_owned).collect()
}

/// A setting's value in TOML.
pub(super) fn toml_text(value: &Value) -> String {
    // A JSON scalar or list of strings is valid TOML.
    value.to_string().replace("\",\"", "\", \"")
}

/// The kind of a setting's value; `None` for an unknown key.
pub(super) fn kind_of(key: &str) -> Option<&'static ValueKind> {
    let (section, name) = key.rsplit_once('.')?;
    let section = pattern_of(section).unwrap_or(section);
    let setting = REFERENCE.settings.iter().find(|setting| setting.section == section && setting.key == name)?;
    Some(&setting.kind)
}

/// Splits a key into its tables and its last name. The name of an event or of a key may contain dots.
pub(super) fn place_of(key: &str) -> (Vec<&str>, &str) {
    let (section, name) = key.rsplit_once('.').unwrap_or(("", key));
    let of_repeated = |repeated: &'static str| Some((repeated, section.strip_prefix(repeated)?.strip_prefix('.')?));
    match REPEATED.iter().find_map(|(repeated, _)| of_repeated(repeated)) {
        Some((repeated, instance)) => (repeated.split('.').chain([instance]).collect(), name),
        None => (vec![section], name),
    }
}

/// Whether there is such a section.
pub(super) fn is_section(name: &str) -> bool {
    REFERENCE.sections.iter().any(|(section, _)| section == name)
}

/// For a section that repeats by name: a valid table with only the required keys.
pub(super) fn smallest(section: &str) -> Option<toml::Table> {
    let table = match section {
        "relay" => toml::toml! { to = "everyone" },
        "key" => toml::toml! {
            hash = ""
            scopes = []
        },
        "auth.keys" | "retention" => toml::Table::new(),
        _ => return None,
    };
    Some(table)
}

/// Similarity from which a key counts as a misspelling of another.
const ALIKE: f64 = 0.8;

/// The end of the message about an unknown key: the nearest setting, from the same section if it exists; otherwise
/// the section's settings.
pub(super) fn suggestion(wrong: &str) -> String {
    nearest(wrong).map_or_else(
        || siblings(wrong),
        |nearest| {
            let is_key = nearest.contains('.');
            if is_key { format!("; did you mean {nearest}?") } else { format!("; did you mean [{nearest}]?") }
        },
    )
}

/// The setting nearest to an unknown key, if one is near enough.
pub(super) fn nearest(wrong: &str) -> Option<String> {
    let wrong = wrong.replace('_', "-");
    let (path, name) = wrong.rsplit_once('.').unwrap_or(("", &wrong));
    let section = pattern_of(path).unwrap_or(path);
    let settings = || REFERENCE.settings.iter();
    // A suggestion keeps the section as the key has it, such as `relay.cursor`.
    let of_section = settings().filter(|setting| setting.section == section);
    let within = most_alike(name, of_section.map(|setting| (setting.key.clone(), format!("{path}.{}", setting.key))));
    within
        .or_else(|| {
            let elsewhere = settings().find(|setting| setting.key == name && !setting.section.contains('.'))?;
            Some(format!("{}.{}", elsewhere.section, elsewhere.key))
        })
        .or_else(|| {
            // Otherwise the mistake is in the section's name.
            if settings().any(|setting| setting.section == section) {
                return None;
            }
            let keys = settings().map(|setting| format!("{}.{}", setting.section, setting.key));
            let sections = REFERENCE.sections.iter().map(|(name, _)| name.clone());
            most_alike(&wrong, keys.chain(sections).map(|key| (key.clone(), key)))
        })
}

/// Returns the second part of the pair whose first part is most similar to the unknown key.
pub(super) fn most_alike(wrong: &str, names: impl Iterator<Item = (String, String)>) -> Option<String> {
    names
        .map(|(name, meant)| (strsim::jaro_winkler(&name, wrong), meant))
        .filter(|(likeness, _)| *likeness > ALIKE)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, meant)| meant)
}

/// The settings of the unknown key's section, or all sections.
fn siblings(wrong: &str) -> String {
    let path = wrong.rsplit_once('.').map_or("", |(path, _)| path);
    let section = pattern_of(path).unwrap_or(path);
    let of_section = REFERENCE.settings.iter().filter(|setting| setting.section == section);
    let names: Vec<_> = of_section.map(|setting| &*setting.key).collect();
    if names.is_empty() {
        let sections: Vec<_> = REFERENCE.sections.iter().map(|(name, _)| &**name).collect();
        return format!("; the sections are {}", sections.join(", "));
    }
    format!("; [{section}] has {}", names.join(", "))
}

/// The table of settings in `docs/configuration.md`.
#[cfg(test)]
pub(crate) fn settings_table() -> String {
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
    fn every_setting_has_a_description() {
        for setting in &REFERENCE.settings {
            assert!(setting.sentence.ends_with('.'), "{}.{}: {:?}", setting.section, setting.key, setting.sentence);
        }
        assert!(REFERENCE.settings.len() > 30);
    }

    #[test]
    fn the_message_about_an_unknown_key_names_the_nearest_setting() {
        let cases = [
            ("limits.event-per-second", "limits.events-per-second"),
            ("limits.events_per_second", "limits.events-per-second"),
            ("limit.events-per-second", "limits.events-per-second"),
            ("limits.ping-interval", "server.ping-interval"),
            ("relay.cursor.filed", "relay.cursor.field"),
            ("key.billing.scope", "key.billing.scopes"),
            ("auth.keys.2026-05.secrets", "auth.keys.2026-05.secret"),
            ("payload-bytes", "limits.payload-bytes"),
            ("limitz", "limits"),
        ];
        for (wrong, meant) in cases {
            assert_eq!(nearest(wrong).as_deref(), Some(meant), "{wrong}");
        }
        assert_eq!(nearest("zzz"), None);
    }

    #[test]
    fn the_message_about_a_key_without_a_near_one_lists_its_section() {
        assert!(suggestion("limits.foo").starts_with("; [limits] has events-per-second, payload-bytes,"));
        assert!(suggestion("auth.keys.a.kid").starts_with("; [auth.keys.<kid>] has algorithm, secret,"));
        assert!(suggestion("relay.cursor.foo").starts_with("; [relay.<event>] has to, field,"));
        assert!(suggestion("zzz.foo").starts_with("; the sections are server, cors,"));
    }
}

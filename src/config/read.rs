//! Converts a table of settings to [`Config`]. Each setting is converted separately, so that every wrong one is
//! reported.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::{Table, Value};

use super::{
    Config,
    base::{Base, CHAT_SECTIONS},
    findings::Findings,
    own_settings::OwnSettings,
    reference,
    sections::{self, Section, Sections},
    value_kind::ValueKind,
};

/// The source of each setting, by its dotted key: a line of the file, a variable or a flag.
pub(super) type Places = BTreeMap<String, String>;

/// Converts the settings that are valid. The others are reported in `findings` and keep the values of `base`.
pub(super) fn read(mut table: Table, base: &Base, places: &Places, findings: &mut Findings) -> (Config, OwnSettings) {
    let mut reading = SettingsReader { sections: &base.sections, places, findings };
    let own = reading.own(&mut table);
    let mut good = Table::new();
    for (section, value) in table {
        if base.is_bare && CHAT_SECTIONS.contains(&&*section) {
            reading.findings.warn(format!("[{section}] has no effect: this server has no chat"));
        }
        match value {
            Value::Table(settings) if reference::is_section(&section) => {
                let settings = match reference::smallest(&section) {
                    Some(smallest) => reading.named_tables(&section, &smallest, settings),
                    None => reading.settings(&section, settings, |name, value| nested(&section, name, value)),
                };
                good.insert(section, Value::Table(settings));
            }
            Value::Table(settings) if !settings.is_empty() => {
                for name in settings.keys() {
                    reading.unknown(&format!("{section}.{name}"));
                }
            }
            _ if reference::is_section(&section) => {
                reading.mistake(&section, &format!("must be a table: write [{section}], and its settings below"));
            }
            _ => reading.unknown(&section),
        }
    }
    let config = base.overlaid(good).unwrap_or_else(|error| {
        reading.findings.mistake("", format!("the settings cannot be read: {error}"));
        base.config.clone()
    });
    (config, own)
}

struct SettingsReader<'a> {
    sections: &'a Sections,
    places: &'a Places,
    findings: &'a mut Findings,
}

impl SettingsReader<'_> {
    /// Takes the application's own sections out of the table.
    fn own(&mut self, table: &mut Table) -> OwnSettings {
        let mut own = OwnSettings::defaults(self.sections);
        for section in &self.sections.0 {
            let Some(value) = table.remove(&section.name) else { continue };
            let Value::Table(settings) = value else {
                let name = &section.name;
                self.mistake(name, &format!("must be a table: write [{name}], and its settings below"));
                continue;
            };
            let mut good = section.defaults.clone();
            self.own_settings(section, &section.name, settings, &mut good);
            match section.parse(good.clone()) {
                Ok(value) => own.insert(section, &good, value),
                Err(error) => self.mistake(&section.name, &format!("cannot be read: {error}")),
            }
        }
        own
    }

    /// Adds the valid settings of one table to `good`. The table is an application's own section, or a table in it;
    /// `path` is its dotted key.
    fn own_settings(&mut self, section: &Section, path: &str, settings: Table, good: &mut Table) {
        for (name, value) in settings {
            let key = format!("{path}.{name}");
            let below = format!("{key}.");
            match (section.settings.iter().find(|setting| setting.key == key), value) {
                (Some(setting), value) => {
                    let mut tried = section.defaults.clone();
                    sections::insert(&mut tried, &setting.fields, value.clone());
                    match section.parse(tried) {
                        Ok(_) => sections::insert(good, &setting.fields, value),
                        Err(error) => self.mistake(&key, &setting.kind.own_complaint(&value, &error)),
                    }
                }
                (None, value) if section.settings.iter().any(|setting| setting.key.starts_with(&below)) => {
                    match value {
                        Value::Table(inner) => self.own_settings(section, &key, inner, good),
                        _ => self.mistake(&key, &format!("must be a table: write [{key}], and its settings below")),
                    }
                }
                (None, _) => self.unknown(&key),
            }
        }
    }

    /// Returns the valid settings of one table. `config_with` builds a configuration that contains only the given
    /// setting, in order to check it alone.
    fn settings(&mut self, path: &str, settings: Table, config_with: impl Fn(&str, Value) -> Table) -> Table {
        let mut good = Table::new();
        for (name, value) in settings {
            let key = format!("{path}.{name}");
            if let Some(smallest) = reference::smallest(&key) {
                match value {
                    Value::Table(tables) => {
                        let tables = self.named_tables(&key, &smallest, tables);
                        good.insert(name, Value::Table(tables));
                    }
                    _ => self.mistake(&key, &format!("must be a table: write [{key}.<name>], and its settings below")),
                }
                continue;
            }
            let Some(kind) = reference::kind_of(&key) else {
                self.unknown(&key);
                continue;
            };
            let complaints = complaints(kind, &value, |value| config_with(&name, value));
            for complaint in &complaints {
                self.mistake(&key, complaint);
            }
            if complaints.is_empty() {
                good.insert(name, value);
            }
        }
        good
    }

    /// Returns the tables `[section.<name>]` with their valid settings.
    fn named_tables(&mut self, section: &str, smallest: &Table, tables: Table) -> Table {
        let mut good = Table::new();
        for (name, value) in tables {
            let path = format!("{section}.{name}");
            let Value::Table(settings) = value else {
                self.mistake(&path, &format!("must be a table: write [{path}], and its settings below"));
                continue;
            };
            let misspelt: Vec<_> =
                settings.keys().filter_map(|key| reference::nearest(&format!("{path}.{key}"))).collect();
            let missing: Vec<_> = smallest.keys().filter(|key| !settings.contains_key(*key)).cloned().collect();
            let read = self.settings(&path, settings, |key, value| {
                let mut table = smallest.clone();
                table.insert(key.to_owned(), value);
                nested(section, &name, Value::Table(table))
            });
            for key in &missing {
                let place = self.place(&path);
                let missing = format!("{path}.{key}");
                if !misspelt.contains(&missing) {
                    self.findings.mistake(&missing, format!("{path} needs {key}{place}"));
                }
            }
            // `smallest` is a valid table with only the required keys. Its values stand in for wrong or missing ones,
            // so that the other settings can be checked.
            let mut table = smallest.clone();
            table.extend(read);
            good.insert(name, Value::Table(table));
        }
        good
    }

    fn unknown(&mut self, key: &str) {
        self.mistake(key, &format!("is no setting{}", self.sections.suggestion(key)));
    }

    fn place(&self, key: &str) -> String {
        self.places.get(key).map_or_else(String::new, |place| format!(" ({place})"))
    }

    fn mistake(&mut self, key: &str, sentence: &str) {
        let place = self.place(key);
        self.findings.mistake(key, format!("{key} {sentence}{place}"));
    }
}

/// The error messages for a value; one for each wrong item of a list.
fn complaints(kind: &ValueKind, value: &Value, config_with: impl Fn(Value) -> Table) -> Vec<String> {
    let complaint = |value: &Value| {
        let error = Config::deserialize(config_with(value.clone())).err()?;
        Some(kind.complaint(value, error.message()))
    };
    let Some(all) = complaint(value) else { return Vec::new() };
    let items = value.as_array().into_iter().flatten();
    let each: Vec<String> = items.filter_map(|item| complaint(&Value::Array(vec![item.clone()]))).collect();
    if each.is_empty() { vec![all] } else { each }
}

/// A configuration that contains only this setting, in a section or a nested one (`auth.keys`).
fn nested(section: &str, name: &str, value: Value) -> Table {
    let innermost = Table::from_iter([(name.to_owned(), value)]);
    let wrap = |table, name: &str| Table::from_iter([(name.to_owned(), Value::Table(table))]);
    section.rsplit('.').fold(innermost, wrap)
}

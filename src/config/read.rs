//! Converts a table of settings to [`Config`]. Each setting is converted separately, so that every wrong one is
//! reported.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::{Table, Value};

use super::{Config, findings::Findings, reference, value_kind::ValueKind};

/// The source of each setting, by its dotted key: a line of the file, a variable or a flag.
pub(super) type Places = BTreeMap<String, String>;

/// Converts the settings that are valid. The others are reported in `findings` and keep their defaults.
pub(super) fn read(table: Table, places: &Places, findings: &mut Findings) -> Config {
    let mut reading = Reading { places, findings };
    let mut good = Table::new();
    for (section, value) in table {
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
    Config::deserialize(good).unwrap_or_else(|error| {
        reading.findings.mistake("", format!("the settings cannot be read: {}", error.message()));
        Config::default()
    })
}

struct Reading<'a> {
    places: &'a Places,
    findings: &'a mut Findings,
}

impl Reading<'_> {
    /// Returns the valid settings of one table. `whole` builds a configuration that contains only the given setting.
    fn settings(&mut self, path: &str, settings: Table, whole: impl Fn(&str, Value) -> Table) -> Table {
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
            let complaints = complaints(kind, &value, |value| whole(&name, value));
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
            // A wrong value is replaced by that of the smallest valid table, so that the rest can be checked.
            let mut table = smallest.clone();
            table.extend(read);
            good.insert(name, Value::Table(table));
        }
        good
    }

    fn unknown(&mut self, key: &str) {
        self.mistake(key, &format!("is no setting{}", reference::suggestion(key)));
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
fn complaints(kind: &ValueKind, value: &Value, whole: impl Fn(Value) -> Table) -> Vec<String> {
    let complaint = |value: &Value| {
        let error = Config::deserialize(whole(value.clone())).err()?;
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

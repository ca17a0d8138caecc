//! The values of the application's own settings, by their types.

use std::{
    any::{Any, TypeId},
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use toml::Table;

use super::sections::{Parsed, Section, Sections};

/// The values of the application's own sections.
#[derive(Debug, Clone, Default)]
pub(crate) struct OwnSettings {
    values: HashMap<TypeId, Parsed>,
    /// Each setting in TOML, by its key.
    texts: BTreeMap<String, String>,
}

impl OwnSettings {
    /// The defaults of all sections.
    pub(crate) fn defaults(sections: &Sections) -> Self {
        let mut own = Self::default();
        for section in &sections.0 {
            let parsed = section.parse(section.defaults.clone()).expect("it was tried when the section was added");
            own.insert(section, &section.defaults, parsed);
        }
        own
    }

    /// Adds a section's value, and the table that it was read from.
    pub(super) fn insert(&mut self, section: &Section, table: &Table, value: Parsed) {
        let any: &dyn Any = &*value;
        self.values.insert(any.type_id(), value.clone());
        for setting in &section.settings {
            let found = setting.fields.iter().try_fold(None, |found: Option<&toml::Value>, field| {
                let inner = match found {
                    None => table.get(field),
                    Some(found) => found.get(field),
                };
                inner.map(Some)
            });
            let text = found.flatten().map_or_else(String::new, toml::Value::to_string);
            self.texts.insert(setting.key.clone(), text);
        }
    }

    /// The value of a section's type.
    pub(crate) fn get<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let value = self.values.get(&TypeId::of::<T>())?.clone();
        value.downcast().ok()
    }

    /// The keys of the settings that differ.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let differs = |(key, text): &(&String, &String)| other.texts.get(*key) != Some(*text);
        self.texts.iter().filter(differs).map(|(key, _)| key.clone()).collect()
    }
}

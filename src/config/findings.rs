//! Collects every mistake in the settings, not only the first one.

use std::{collections::BTreeSet, fmt};

use super::ConfigError;

/// All mistakes in the settings, and the warnings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub struct ConfigErrors {
    /// One sentence per mistake; never empty.
    pub mistakes: Vec<ConfigError>,
    /// Sentences about values that are allowed but probably not intended.
    pub warnings: Vec<String>,
}

impl fmt::Display for ConfigErrors {
    /// One mistake per line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, mistake) in self.mistakes.iter().enumerate() {
            if place > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{mistake}")?;
        }
        Ok(())
    }
}

impl From<ConfigError> for ConfigErrors {
    fn from(mistake: ConfigError) -> Self {
        Self { mistakes: vec![mistake], warnings: Vec::new() }
    }
}

/// Collects mistakes and warnings.
#[derive(Debug, Default)]
pub(super) struct Findings {
    mistakes: Vec<ConfigError>,
    warnings: Vec<String>,
    /// The settings with a known mistake.
    wrong: BTreeSet<String>,
}

impl Findings {
    /// Adds the mistake `KEY SENTENCE` about the first of the keys; the sentence depends on the values of the others.
    /// If one of them has a known mistake, its value here is the default, not the one that was written, so the
    /// sentence is left out.
    pub(super) fn wrong(&mut self, keys: &[&str], sentence: impl fmt::Display) {
        if keys.iter().all(|key| !self.wrong.contains(*key)) {
            self.mistake(keys[0], format!("{} {sentence}", keys[0]));
        }
    }

    /// Adds several mistakes in one setting, each as the sentence `KEY SENTENCE`.
    pub(super) fn each_wrong(&mut self, key: &str, sentences: Vec<String>) {
        if !self.wrong.contains(key) {
            for sentence in sentences {
                self.mistake(key, format!("{key} {sentence}"));
            }
        }
    }

    /// Adds a mistake of a setting. The sentence must name the setting.
    pub(super) fn mistake(&mut self, key: &str, sentence: String) {
        self.wrong.insert(key.to_owned());
        self.mistakes.push(ConfigError(sentence));
    }

    /// Whether a setting with this prefix has a known mistake.
    pub(super) fn is_wrong_in(&self, prefix: &str) -> bool {
        self.wrong.iter().any(|key| key.starts_with(prefix))
    }

    /// Adds a warning.
    pub(super) fn warn(&mut self, sentence: impl Into<String>) {
        self.warnings.push(sentence.into());
    }

    /// Returns `value` with the warnings, or all mistakes.
    pub(super) fn or<T>(self, value: T) -> Result<(T, Vec<String>), ConfigErrors> {
        let Self { mistakes, warnings, .. } = self;
        if mistakes.is_empty() { Ok((value, warnings)) } else { Err(ConfigErrors { mistakes, warnings }) }
    }
}

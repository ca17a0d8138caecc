//! What a check of the settings finds: every mistake, not only the first one.

use std::{collections::BTreeSet, fmt};

use super::ConfigError;

/// All mistakes in the settings, and the warnings that were found beside them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub struct ConfigErrors {
    /// One sentence per mistake; never empty.
    pub mistakes: Vec<ConfigError>,
    /// Sentences about what is allowed and probably not meant.
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
    /// The settings of which a mistake is known.
    wrong: BTreeSet<String>,
}

impl Findings {
    /// Adds a mistake as the sentence `KEY SENTENCE` about the first of the keys. The others are those that the
    /// sentence depends on. Where a mistake in one of them is known already, its default stands in its place, and
    /// the sentence would be about a value that nobody wrote: it is left out.
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

    /// Adds a mistake in a setting; the sentence names it.
    pub(super) fn mistake(&mut self, key: &str, sentence: String) {
        self.wrong.insert(key.to_owned());
        self.mistakes.push(ConfigError(sentence));
    }

    /// Whether a mistake is known in a setting whose name begins so.
    pub(super) fn is_wrong_in(&self, prefix: &str) -> bool {
        self.wrong.iter().any(|key| key.starts_with(prefix))
    }

    /// Adds a warning.
    pub(super) fn warn(&mut self, sentence: impl Into<String>) {
        self.warnings.push(sentence.into());
    }

    /// `value` and the warnings, or all mistakes.
    pub(super) fn or<T>(self, value: T) -> Result<(T, Vec<String>), ConfigErrors> {
        let Self { mistakes, warnings, .. } = self;
        if mistakes.is_empty() { Ok((value, warnings)) } else { Err(ConfigErrors { mistakes, warnings }) }
    }
}

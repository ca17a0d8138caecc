//! One TOML file, `SOCKEYE_...` variables over it, flags over both.

use std::path::PathBuf;

use figment::{
    Figment,
    error::Kind,
    providers::{Format, Toml},
    value::Value,
};

use super::{Config, ConfigError, reference};

/// What every variable's name begins with.
const PREFIX: &str = "SOCKEYE_";

/// Where settings come from, the later over the earlier.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The file of `--config`; without it `sockeye.toml` of the current folder, if there is one.
    pub file: Option<PathBuf>,
    /// `--set key=value`, `--listen` and `--data`, as keys and texts.
    pub flags: Vec<(String, String)>,
}

/// Settings that were read and checked, and what is worth a warning.
#[derive(Debug)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// Sentences for the log, such as a variable that means nothing.
    pub warnings: Vec<String>,
}

impl Sources {
    /// Reads and checks everything. Nothing has been opened but the file.
    pub fn load(self) -> Result<Loaded, ConfigError> {
        let mut warnings = Vec::new();
        let mut figment = Figment::new();
        if let Some(file) = self.file.or_else(|| Some(PathBuf::from("sockeye.toml")).filter(|file| file.exists())) {
            let text = std::fs::read_to_string(&file)
                .map_err(|error| ConfigError(format!("--config: {} cannot be read: {error}", file.display())))?;
            figment = figment.merge(Toml::string(&text));
        }
        let variables = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        for (name, value) in variables {
            let Some(rest) = name.strip_prefix(PREFIX) else { continue };
            let key = key_of_variable(rest);
            let Some(kind) = reference::kind_of(&key) else {
                let nearest = reference::nearest(&key).map(|key| variable_of_key(&key));
                warnings.push(format!("{name} names no setting and is ignored{}", did_you_mean(nearest)));
                continue;
            };
            let value = value.into_string().map_err(|_| ConfigError(format!("{name}: the value is not UTF-8")))?;
            figment = figment.merge((key, kind.read(&value)));
        }
        for (key, value) in self.flags {
            let Some(kind) = reference::kind_of(&key) else {
                return Err(ConfigError(format!("{key} is no setting{}", did_you_mean(reference::nearest(&key)))));
            };
            figment = figment.merge((key, kind.read(&value)));
        }
        let config: Config = figment.extract().map_err(in_one_sentence)?;
        warnings.extend(config.check()?);
        Ok(Loaded { config, warnings })
    }
}

/// `LIMITS__EVENTS_PER_SECOND` is `limits.events-per-second`; the two shorthands are those of the flags.
fn key_of_variable(rest: &str) -> String {
    match rest {
        "LISTEN" => "server.listen".to_owned(),
        "DATA" => "store.path".to_owned(),
        _ => rest.to_ascii_lowercase().replace("__", ".").replace('_', "-"),
    }
}

fn variable_of_key(key: &str) -> String {
    format!("{PREFIX}{}", key.to_ascii_uppercase().replace('.', "__").replace('-', "_"))
}

fn did_you_mean(nearest: Option<String>) -> String {
    nearest.map_or_else(String::new, |nearest| format!("; did you mean {nearest}?"))
}

/// What a text from a variable or a flag is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueKind {
    Text,
    Number,
    Truth,
    List,
}

impl ValueKind {
    /// What does not parse stays text, so that the error names what was written.
    fn read(self, text: &str) -> Value {
        match self {
            Self::Text => Value::from(text),
            Self::Number => text.trim().parse::<u64>().map_or_else(|_| Value::from(text), Value::from),
            Self::Truth => text.trim().parse::<bool>().map_or_else(|_| Value::from(text), Value::from),
            Self::List => {
                let text = text.trim();
                let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
                let items = inner.split(',').map(|item| item.trim().trim_matches('"')).filter(|item| !item.is_empty());
                Value::from(items.map(Value::from).collect::<Vec<_>>())
            }
        }
    }
}

fn in_one_sentence(error: figment::Error) -> ConfigError {
    let key = error.path.join(".");
    ConfigError(match &error.kind {
        Kind::UnknownField(field, _) => {
            let key = if key.is_empty() || key.ends_with(field.as_str()) {
                field.clone().max(key)
            } else {
                format!("{key}.{field}")
            };
            format!("{key} is no setting{}", did_you_mean(reference::nearest(&key)))
        }
        Kind::Message(message) if key.is_empty() => format!("the configuration cannot be read: {}", one_line(message)),
        Kind::MissingField(field) => format!("{key}.{field} is missing"),
        kind => format!("{key}: {}", one_line(&kind.to_string())),
    })
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

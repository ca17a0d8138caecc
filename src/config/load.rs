//! Merges the TOML file, the `SOCKEYE_...` variables and the flags, in ascending priority.

use std::path::PathBuf;

use toml::{Table, Value};

use super::{
    Config, ConfigError, ConfigErrors, file,
    findings::Findings,
    read::{self, Places},
    reference,
};

/// Prefix of the environment variables.
const PREFIX: &str = "SOCKEYE_";

/// The file read without `--config`, if it exists.
const DEFAULT_FILE: &str = "sockeye.toml";

/// The sources of settings. Later ones override earlier ones.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Sources {
    /// The file of `--config`; if `None`, `sockeye.toml` in the current folder, if it exists.
    pub file: Option<PathBuf>,
    /// `--set key=value`, `--listen` and `--data`, as pairs of key and text.
    pub flags: Vec<(String, String)>,
}

/// The checked settings and the warnings.
#[derive(Debug)]
#[non_exhaustive]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// Warnings for the log, for example about an unknown variable.
    pub warnings: Vec<String>,
}

/// The merged values, not yet converted to settings.
#[derive(Default)]
struct Merged {
    table: Table,
    places: Places,
    findings: Findings,
}

impl Sources {
    /// Reads and checks all settings, and reports every mistake. Opens no file but the configuration file.
    pub fn load(self) -> Result<Loaded, ConfigErrors> {
        self.load_with_keys(|_| Ok(()))
    }

    /// Like [`Sources::load`], and also checks the keys of tokens with `keys`, which opens their files. `keys` is not
    /// called if `[auth]` has mistakes.
    pub(crate) fn load_with_keys(
        self,
        keys: impl FnOnce(&Config) -> Result<(), ConfigError>,
    ) -> Result<Loaded, ConfigErrors> {
        let mut merged = Merged::default();
        let is_file_read = merged.file(self.file);
        merged.variables();
        merged.flags(self.flags);
        let Merged { table, places, mut findings } = merged;
        let config = read::read(table, &places, &mut findings);
        if is_file_read {
            config.check_all(&mut findings);
            if !findings.is_wrong_in("auth.")
                && let Err(ConfigError(sentence)) = keys(&config)
            {
                findings.mistake("auth.key-file", sentence);
            }
        }
        let (config, warnings) = findings.or(config)?;
        Ok(Loaded { config, warnings })
    }
}

impl Merged {
    /// Returns false if a file is no valid TOML: its settings are then unknown.
    fn file(&mut self, file: Option<PathBuf>) -> bool {
        let default = || Some(PathBuf::from(DEFAULT_FILE)).filter(|file| file.exists());
        let Some(path) = file.or_else(default) else { return true };
        let name = path.display();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => {
                self.findings.mistake("", format!("--config: {name} cannot be read: {error}"));
                return false;
            }
        };
        match file::read(&text) {
            Ok(file) => {
                self.table = file.table;
                let places = file.lines.into_iter().map(|(key, line)| (key, format!("{name}, line {line}")));
                self.places.extend(places);
                true
            }
            Err(errors) => {
                for file::SyntaxError { line, sentence } in errors {
                    self.findings.mistake("", format!("{name}, line {line}: {sentence}"));
                }
                false
            }
        }
    }

    fn variables(&mut self) {
        let variables = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        for (name, value) in variables {
            let Some(rest) = name.strip_prefix(PREFIX) else { continue };
            let key = key_of_variable(rest);
            if reference::kind_of(&key).is_none() {
                let nearest = reference::nearest(&key).filter(|key| key.contains('.'));
                let hint = nearest.map_or_else(String::new, |key| format!("; did you mean {}?", variable_of_key(&key)));
                self.findings.warn(format!("{name} names no setting and is ignored{hint}"));
                continue;
            }
            match value.into_string() {
                Ok(value) => self.set(&key, &value, name),
                Err(_) => self.findings.mistake(&key, format!("{key} must be UTF-8 ({name})")),
            }
        }
    }

    fn flags(&mut self, flags: Vec<(String, String)>) {
        for (key, value) in flags {
            self.set(&key, &value, "command line".to_owned());
        }
    }

    /// Sets a value, overriding that of an earlier source.
    fn set(&mut self, key: &str, text: &str, place: String) {
        let Some(kind) = reference::kind_of(key) else {
            let hint = reference::suggestion(key);
            self.findings.mistake(key, format!("{key} is no setting{hint} ({place})"));
            return;
        };
        self.places.insert(key.to_owned(), place);
        let (path, name) = reference::place_of(key);
        let mut table = &mut self.table;
        for part in path {
            let inner = table.entry(part).or_insert_with(|| Value::Table(Table::new()));
            let Value::Table(inner) = inner else { return };
            table = inner;
        }
        table.insert(name.to_owned(), kind.read(text));
    }
}

/// `LIMITS__EVENTS_PER_SECOND` is `limits.events-per-second`; `LISTEN` and `DATA` stand for the settings of the flags
/// with these names.
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

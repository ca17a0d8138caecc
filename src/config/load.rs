//! Merges the TOML file, the `SOCKEYE_...` variables and the flags, in ascending priority.

use std::path::PathBuf;

use toml::{Table, Value};

use super::{
    Config, ConfigError, ConfigErrors,
    base::Base,
    file,
    findings::Findings,
    own_settings::OwnSettings,
    read::{self, Places},
    reference,
    sections::Sections,
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
    /// The values of the application's own sections.
    pub(crate) own: OwnSettings,
}

/// The merged values, not yet converted to settings.
#[derive(Default)]
struct MergedSettings {
    table: Table,
    places: Places,
    findings: Findings,
}

impl Sources {
    /// Reads and checks all settings, and reports every mistake. Opens no file but the configuration file.
    pub fn load(self) -> Result<Loaded, ConfigErrors> {
        self.load_onto(&Base::default(), |_| Ok(()))
    }

    /// Like [`Sources::load`], over the settings of a server's own, and with its own sections. Also checks the keys of
    /// tokens with `keys`, which opens their files. `keys` is not called if `[auth]` has mistakes.
    pub(crate) fn load_onto(
        self,
        base: &Base,
        keys: impl FnOnce(&Config) -> Result<(), ConfigError>,
    ) -> Result<Loaded, ConfigErrors> {
        let mut merged = MergedSettings::default();
        let is_file_read = merged.file(self.file);
        merged.variables(&base.sections);
        merged.flags(self.flags, &base.sections);
        let MergedSettings { table, places, mut findings } = merged;
        let (config, own) = read::read(table, base, &places, &mut findings);
        if is_file_read {
            config.check_all(&mut findings);
            if !findings.is_wrong_in("auth.")
                && let Err(ConfigError(sentence)) = keys(&config)
            {
                findings.mistake("auth.key-file", sentence);
            }
        }
        let (config, warnings) = findings.or(config)?;
        Ok(Loaded { config, warnings, own })
    }
}

impl MergedSettings {
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

    fn variables(&mut self, sections: &Sections) {
        let variables = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        for (name, value) in variables {
            let Some(rest) = name.strip_prefix(PREFIX) else { continue };
            let key = sections.key_of_variable(rest).map_or_else(|| key_of_variable(rest), str::to_owned);
            if sections.kind_of(&key).is_none() && reference::kind_of(&key).is_none() {
                let nearest =
                    sections.nearest(&key).or_else(|| reference::nearest(&key)).filter(|key| key.contains('.'));
                let hint = nearest.map_or_else(String::new, |key| format!("; did you mean {}?", variable_of_key(&key)));
                self.findings.warn(format!("{name} names no setting and is ignored{hint}"));
                continue;
            }
            match value.into_string() {
                Ok(value) => self.set(sections, &key, &value, name),
                Err(_) => self.findings.mistake(&key, format!("{key} must be UTF-8 ({name})")),
            }
        }
    }

    fn flags(&mut self, flags: Vec<(String, String)>, sections: &Sections) {
        for (key, value) in flags {
            self.set(sections, &key, &value, "command line".to_owned());
        }
    }

    /// Sets a value, overriding that of an earlier source.
    fn set(&mut self, sections: &Sections, key: &str, text: &str, place: String) {
        let own = sections.kind_of(key);
        let Some(kind) = own.or_else(|| reference::kind_of(key)) else {
            let hint = sections.suggestion(key);
            self.findings.mistake(key, format!("{key} is no setting{hint} ({place})"));
            return;
        };
        self.places.insert(key.to_owned(), place);
        let (path, name) = match (own, key.rsplit_once('.')) {
            (Some(_), Some((path, name))) => (path.split('.').collect(), name),
            _ => reference::place_of(key),
        };
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

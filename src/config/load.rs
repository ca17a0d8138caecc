//! One TOML file, `SOCKEYE_...` variables over it, flags over both.

use std::path::PathBuf;

use toml::{Table, Value};

use super::{
    Config, ConfigError, ConfigErrors, file,
    findings::Findings,
    read::{self, Places},
    reference,
};

/// What every variable's name begins with.
const PREFIX: &str = "SOCKEYE_";

/// The file that is read if `--config` names none.
const DEFAULT_FILE: &str = "sockeye.toml";

/// Where settings come from, the later over the earlier.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Sources {
    /// The file of `--config`; without it `sockeye.toml` of the current folder, if there is one.
    pub file: Option<PathBuf>,
    /// `--set key=value`, `--listen` and `--data`, as keys and texts.
    pub flags: Vec<(String, String)>,
}

/// Settings that were read and checked, and what is worth a warning.
#[derive(Debug)]
#[non_exhaustive]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// Sentences for the log, such as a variable that means nothing.
    pub warnings: Vec<String>,
}

/// What was written, before it is read as settings.
#[derive(Default)]
struct Written {
    table: Table,
    places: Places,
    findings: Findings,
}

impl Sources {
    /// Reads and checks everything, and tells every mistake. Nothing has been opened but the file.
    pub fn load(self) -> Result<Loaded, ConfigErrors> {
        self.load_with_keys(|_| Ok(()))
    }

    /// As [`Sources::load`], and checks the keys of tokens too; `keys` opens their files. It is not asked where
    /// `[auth]` has mistakes already.
    pub(crate) fn load_with_keys(
        self,
        keys: impl FnOnce(&Config) -> Result<(), ConfigError>,
    ) -> Result<Loaded, ConfigErrors> {
        let mut written = Written::default();
        let is_file_read = written.file(self.file);
        written.variables();
        written.flags(self.flags);
        let Written { table, places, mut findings } = written;
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

impl Written {
    /// False if there is a file and it is no TOML: what it should have set is unknown then.
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

    /// Puts a value over what stands in its place.
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

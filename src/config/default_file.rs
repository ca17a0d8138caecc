//! The commented configuration file that `default-config` prints.

use std::fmt::Write as _;

use serde_json::Value;

use super::{
    base::{Base, CHAT_SECTIONS},
    reference::{REFERENCE, repeated, toml_text},
};

// Results of `write!` are ignored below: writing to a `String` cannot fail.

/// The commented `sockeye.toml` that `sockeye default-config` prints: every setting at its default.
pub fn default_toml() -> String {
    toml_of(&Base::default())
}

/// The commented configuration file of a server, with the defaults and sections of `base`. It leaves out the chat's
/// sections for a server without the chat.
pub(crate) fn toml_of(base: &Base) -> String {
    let values = serde_json::to_value(&base.config).expect("the settings are plain data");
    let mut text = String::from(
        "# Every setting of sockeye at its default. Environment variables override this file, and flags override\n\
         # both, as in SOCKEYE_LIMITS__EVENTS_PER_SECOND=0 and --set limits.events-per-second=0.\n",
    );
    for (section, sentence) in &REFERENCE.sections {
        if base.is_bare && CHAT_SECTIONS.contains(&&**section) {
            continue;
        }
        let _ = write!(text, "\n# {sentence}\n");
        if let Some(written) = repeated(section) {
            for setting in REFERENCE.settings.iter().filter(|setting| setting.section == written) {
                let _ = writeln!(text, "#   {}: {}", setting.key, setting.sentence);
            }
            if section == "relay" {
                for (event, relay) in values["relay"].as_object().into_iter().flatten() {
                    text += &relay_toml(event, relay);
                }
            }
            continue;
        }
        let _ = writeln!(text, "[{section}]");
        for setting in REFERENCE.settings.iter().filter(|setting| setting.section == *section) {
            let value = toml_text(&values[section][&setting.key]);
            let _ = writeln!(text, "# {}\n{} = {value}", setting.sentence, setting.key);
        }
    }
    for section in &base.sections.0 {
        let _ = write!(text, "\n# Settings of this application.\n[{}]\n", section.name);
        for setting in &section.settings {
            let key = &setting.key[section.name.len() + 1..];
            let _ = match &setting.default {
                Some(value) => writeln!(text, "{key} = {value}"),
                None => writeln!(text, "# {key} is not set"),
            };
        }
    }
    text
}

/// The table of a relay. Fields that are `false` are left out, since that is their default.
fn relay_toml(event: &str, relay: &Value) -> String {
    let fields = relay.as_object().into_iter().flatten().filter(|(_, value)| **value != Value::Bool(false));
    let fields = fields.map(|(name, value)| format!("{name} = {}\n", toml_text(value))).collect::<String>();
    format!("[relay.{}]\n{fields}", toml_key(event))
}

/// A name as a TOML key, quoted only where necessary (<https://toml.io/en/v1.0.0#keys>).
pub(crate) fn toml_key(name: &str) -> String {
    let is_bare = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if is_bare { name.to_owned() } else { toml::Value::from(name).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_default_file_parses_to_the_defaults() {
        let read: Config = toml::from_str(&default_toml()).expect("it is TOML");
        assert_eq!(serde_json::to_value(read).unwrap(), serde_json::to_value(Config::default()).unwrap());
    }
}

//! The configuration and the sections that a program gives to its server in code. The configuration file, environment
//! variables and flags override them.

use toml::{Table, Value};

use super::{Config, reference, sections::Sections};

/// The sections that only the chat uses. A bare server ignores them.
pub(super) const CHAT_SECTIONS: [&str; 7] = ["store", "retention", "search", "presence", "api", "key", "pusher"];

/// What a program gives to its server in code.
#[derive(Default)]
pub(crate) struct Base {
    pub(crate) config: Config,
    /// The application's own sections.
    pub(crate) sections: Sections,
    /// Whether the server has no chat.
    pub(crate) is_bare: bool,
}

impl Base {
    /// Returns the configuration with these settings in place of its own. A setting that is not given keeps its value,
    /// except that `relay`, `retention`, `key` and `auth.keys`, which hold one table for each name, are replaced as a
    /// whole. If a
    /// setting is invalid, returns the error message of serde.
    pub(super) fn overlaid(&self, settings: Table) -> Result<Config, String> {
        let message = |error: toml::de::Error| error.message().to_owned();
        let has = |section: &str, name: &str| settings.get(section).is_some_and(|table| table.get(name).is_some());
        let (has_secret, has_keys) = (has("auth", "secret"), has("auth", "keys"));
        let has_pusher_secret = has("pusher", "secret");
        let has_store_password = has("store", "password");
        let mut table = Table::try_from(&self.config).expect("settings are plain data");
        for (section, value) in settings {
            match (table.get_mut(&section), value) {
                (Some(Value::Table(own)), Value::Table(value)) if reference::smallest(&section).is_none() => {
                    own.extend(value);
                }
                (_, value) => drop(table.insert(section, value)),
            }
        }
        let mut config: Config = table.try_into().map_err(message)?;
        // `Table::try_from` has left the secrets out. Those that are not set anew are copied.
        if !has_secret {
            config.auth.secret.clone_from(&self.config.auth.secret);
        }
        if !has_keys {
            config.auth.keys.clone_from(&self.config.auth.keys);
        }
        if !has_store_password {
            config.store.password.clone_from(&self.config.store.password);
        }
        if !has_pusher_secret {
            config.pusher.secret.clone_from(&self.config.pusher.secret);
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Secret, TokenKey};

    #[test]
    fn settings_override_the_configuration_given_in_code_and_secrets_that_are_not_set_are_kept() {
        let mut config = Config::bare();
        config.auth.secret = Secret::new("own");
        config.auth.keys.insert("a".to_owned(), TokenKey { secret: Secret::new("key"), ..TokenKey::default() });
        config.relay.insert("own".to_owned(), crate::config::Relay::new(crate::config::RelayTo::Others));
        let base = Base { config, is_bare: true, ..Base::default() };
        let same = base.overlaid(Table::new()).unwrap();
        assert_eq!(serde_json::to_value(&same).unwrap(), serde_json::to_value(&base.config).unwrap());
        assert_eq!((same.auth.secret.expose(), same.auth.keys["a"].secret.expose()), ("own", "key"));
        let over = base
            .overlaid(toml::toml! {
                [auth]
                secret = "new"
                [limits]
                connections = 5
                [relay.other]
                to = "everyone"
            })
            .unwrap();
        assert_eq!((over.auth.secret.expose(), over.limits.connections, over.limits.memory), ("new", 5, 0));
        assert_eq!(over.relay.keys().collect::<Vec<_>>(), ["other"]);
    }
}

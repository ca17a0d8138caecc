//! Applies a new configuration while the server runs (SIGHUP).

use std::{collections::BTreeMap, sync::Arc};

use arc_swap::Guard;
use serde_json::Value;

use super::App;
use crate::config::{AuthConfig, Config, ConfigErrors, OwnSettings, Secret};

/// What a new configuration changes, by the names of the settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Changes {
    /// Settings that have been applied.
    pub made: Vec<String>,
    /// Settings that need a restart.
    pub waiting: Vec<String>,
}

impl App {
    /// The current settings: those of the start, with the changes of [`App::reload`].
    pub(crate) fn live(&self) -> Guard<Arc<Config>> {
        self.live.load()
    }

    /// Applies the settings that may change while the server runs; [`Reloader::reload`](crate::Reloader::reload) lists
    /// them. If any setting is invalid, nothing is changed.
    /// `own` are the application's own settings; without it they stay as they are.
    pub(crate) fn reload(&self, new: &Config, own: Option<OwnSettings>) -> Result<Changes, ConfigErrors> {
        new.check()?;
        let before = self.live();
        let mut now = self.config.clone();
        now.key.clone_from(&new.key);
        now.pusher.clone_from(&new.pusher);
        now.limits.clone_from(&new.limits);
        now.cors.origins.clone_from(&new.cors.origins);
        now.server.hosts.clone_from(&new.server.hosts);
        now.auth =
            AuthConfig { mode: now.auth.mode, allow_open_public: now.auth.allow_open_public, ..new.auth.clone() };
        now.retention.clone_from(&new.retention);
        now.api.requests_per_second = new.api.requests_per_second;
        now.api.asked_sockets = new.api.asked_sockets;
        // `auth.mode` is not changed. In mode `jwt` the new configuration must therefore have a key, even if its own
        // mode is `open`.
        now.check()?;
        let tokens = self.auth.read(&now)?;
        let mut changes = Changes { made: differences(&before, &now), waiting: differences(&now, new) };
        changes.made.extend(self.auth.replace(tokens));
        if let Some(own) = own {
            let before = self.handle.replace_settings(own.clone());
            changes.made.extend(own.differences(&before));
        }
        changes.made.sort_unstable();
        changes.made.dedup();
        self.keys.replace(&now);
        self.requests.replace(now.api.requests_per_second);
        self.limits.replace(now.limits.clone());
        self.engine.set_limits(&now.limits);
        self.live.store(Arc::new(now));
        Ok(changes)
    }
}

/// The names of the settings that differ between two configurations.
fn differences(one: &Config, other: &Config) -> Vec<String> {
    let mut names = changed(settings(one), settings(other));
    // `settings` has no secrets, since they are never serialized.
    names.extend(changed(secrets(one), secrets(other)));
    names.sort_unstable();
    names.dedup();
    names
}

/// The names whose values differ, and the names that only one of the two maps has.
fn changed<V: PartialEq>(mut one: BTreeMap<String, V>, other: BTreeMap<String, V>) -> Vec<String> {
    let differs = |(name, value): &(String, V)| one.remove(name).as_ref() != Some(value);
    let mut names: Vec<String> = other.into_iter().filter(differs).map(|(name, _)| name).collect();
    names.extend(one.into_keys());
    names
}

/// All secrets, by the names of their settings.
fn secrets(config: &Config) -> BTreeMap<String, Secret> {
    let keys = config.auth.keys.iter().map(|(kid, key)| (format!("auth.keys.{kid}.secret"), key.secret.clone()));
    let others = [("auth.secret", &config.auth.secret), ("pusher.secret", &config.pusher.secret)];
    keys.chain(others.map(|(name, secret)| (name.to_owned(), secret.clone()))).collect()
}

/// All settings but the secrets, by their names.
fn settings(config: &Config) -> BTreeMap<String, Value> {
    let mut settings = BTreeMap::new();
    flatten("", serde_json::to_value(config).expect("settings are plain data"), &mut settings);
    settings
}

fn flatten(name: &str, value: Value, settings: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                let name = if name.is_empty() { field } else { format!("{name}.{field}") };
                flatten(&name, value, settings);
            }
        }
        value => {
            settings.insert(name.to_owned(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Key, Scope, TokenKey};

    #[test]
    fn settings_that_differ_are_named_and_so_are_secrets() {
        let one = Config::default();
        let mut other = one.clone();
        other.limits.events_per_second += 1;
        other.auth.secret = Secret::new("new");
        other.auth.keys.insert("new".to_owned(), TokenKey { secret: Secret::new("newer"), ..TokenKey::default() });
        let key = Key { hash: "00".repeat(32), scopes: vec![Scope::Everything], expires_at: None };
        other.key.insert("billing".to_owned(), key);
        let names = [
            "auth.keys.new.key-file",
            "auth.keys.new.secret",
            "auth.secret",
            "key.billing.hash",
            "key.billing.scopes",
            "limits.events-per-second",
        ];
        assert_eq!(differences(&one, &other), names);
        assert_eq!(differences(&other, &one), names);
        assert!(differences(&one, &one).is_empty());
    }
}

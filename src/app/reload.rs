//! What may change while the server runs.

use std::{collections::BTreeMap, sync::Arc};

use arc_swap::Guard;
use serde_json::Value;

use super::App;
use crate::config::{Config, ConfigErrors};

/// What a new configuration changes, by the names of the settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// What counts from now on.
    pub made: Vec<String>,
    /// What has to wait for the next start.
    pub waiting: Vec<String>,
}

impl App {
    /// The settings as of now: those it began with, and over them what [`App::reload`] has changed.
    pub fn live(&self) -> Guard<Arc<Config>> {
        self.live.load()
    }

    /// Takes over what may change while the server runs: `key.*`, `pusher.*`, `limits.*`, `cors.origins`,
    /// `api.requests-per-second` and `api.asked-sockets`. Sockets and requests that are there go on. Nothing changes
    /// where something is wrong.
    pub fn reload(&self, new: &Config) -> Result<Changes, ConfigErrors> {
        new.check()?;
        let before = self.live();
        let mut now = self.config.clone();
        now.key.clone_from(&new.key);
        now.pusher.clone_from(&new.pusher);
        now.limits.clone_from(&new.limits);
        now.cors.clone_from(&new.cors);
        now.api.requests_per_second = new.api.requests_per_second;
        now.api.asked_sockets = new.api.asked_sockets;
        let changes = Changes { made: differences(&before, &now), waiting: differences(&now, new) };
        self.keys.replace(&now);
        self.requests.replace(now.api.requests_per_second);
        self.limits.replace(now.limits.clone());
        self.engine.rebound(&now.limits);
        self.live.store(Arc::new(now));
        Ok(changes)
    }
}

/// The names of the settings in which two configurations differ.
fn differences(one: &Config, other: &Config) -> Vec<String> {
    let (mut settings, others) = (settings(one), settings(other));
    let mut names: Vec<String> = others
        .into_iter()
        .filter(|(name, value)| settings.remove(name).as_ref() != Some(value))
        .map(|(name, _)| name)
        .collect();
    names.extend(settings.into_keys());
    // Secrets are never written.
    names.extend((one.auth.secret != other.auth.secret).then(|| "auth.secret".to_owned()));
    names.extend((one.pusher.secret != other.pusher.secret).then(|| "pusher.secret".to_owned()));
    names.sort_unstable();
    names
}

/// Every setting by its name.
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
    use crate::config::{Key, Scope, Secret};

    #[test]
    fn what_differs_is_named_and_secrets_too() {
        let one = Config::default();
        let mut other = one.clone();
        other.limits.events_per_second += 1;
        other.auth.secret = Secret::new("new");
        let key = Key { hash: "00".repeat(32), scopes: vec![Scope::Everything], expires_at: None };
        other.key.insert("billing".to_owned(), key);
        let names = ["auth.secret", "key.billing.hash", "key.billing.scopes", "limits.events-per-second"];
        assert_eq!(differences(&one, &other), names);
        assert_eq!(differences(&other, &one), names);
        assert!(differences(&one, &one).is_empty());
    }
}

//! `sockeye api-key`: generates a key for a backend.

use std::time::Duration;

use crate::{auth, config::toml_key, model::Timestamp};

/// Prints a new key, and what to add to the configuration.
pub(super) fn api_key(name: &str, scopes: &[String], expires_in: Option<Duration>) {
    let (key, hash) = auth::new_key();
    println!("{key}");
    eprintln!(
        "\nThis is the only time the key is shown. To make it valid, add this to sockeye.toml and send SIGHUP:\n"
    );
    eprintln!("[key.{}]\nhash = {hash:?}\nscopes = {scopes:?}", toml_key(name));
    if let Some(lifetime) = expires_in {
        let now = Timestamp::now().as_millis();
        let end = Timestamp::from_millis(now.saturating_add(lifetime.as_millis() as u64));
        eprintln!("expires-at = \"{end}\"");
    }
}

//! Changes the settings of a running server.

use std::sync::Arc;

use crate::{
    app::{App, Changes},
    config::{Config, ConfigErrors, Loaded, OwnSettings},
    error::Result,
};

/// Changes the settings of a server while it runs.
#[derive(Clone)]
pub struct Reloader(Arc<App>);

impl Reloader {
    pub(super) fn new(app: Arc<App>) -> Self {
        Self(app)
    }

    /// Applies the settings that may change while the server runs: `key.*`, `pusher.*`, `limits.*`, `cors.origins`,
    /// `server.hosts`, `auth.*` except `auth.mode` and `auth.allow-open-public`, `retention.*`,
    /// `api.requests-per-second` and `api.asked-sockets`. Existing sockets and requests continue. The log and the result
    /// name the changed settings.
    ///
    /// If the settings are wrong, nothing is changed, and the error names every mistake.
    pub fn reload(&self, config: &Config) -> Result<Changes, ConfigErrors> {
        self.apply(config, None)
    }

    /// The same with the application's own settings, which apply at once.
    pub(crate) fn reload_loaded(&self, loaded: Loaded) -> Result<Changes, ConfigErrors> {
        self.apply(&loaded.config, Some(loaded.own))
    }

    fn apply(&self, config: &Config, own: Option<OwnSettings>) -> Result<Changes, ConfigErrors> {
        let changes = self.0.reload(config, own)?;
        for setting in &changes.waiting {
            tracing::warn!(setting, "needs a restart");
        }
        tracing::info!(changed = changes.made.join(", "), "the settings were read again");
        Ok(changes)
    }
}

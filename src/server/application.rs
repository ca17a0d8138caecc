//! What an application gives its server beside handlers: settings and routes of its own.

use std::mem;

use axum::Router;
use serde::{Serialize, de::DeserializeOwned};

use super::Server;
use crate::{
    config::{Base, Loaded, OwnSettings},
    protocol::ReplyForm,
};

impl Server {
    /// Adds a section of the application's own to the configuration, with its defaults. Its settings are the fields of
    /// `T` in kebab case, and are read like all others by [`cli`](fn@crate::cli): `[game]` in the file,
    /// `SOCKEYE_GAME_MAX_PLAYERS=8`, `--set game.max-players=8`. An unknown key, or a value that `T` does not take, is
    /// a mistake that names the key. SIGHUP reads them again.
    ///
    /// [`Ctx::settings`](crate::Ctx::settings) and [`Io::settings`](crate::Io::settings) return the values. A field that
    /// is not serialized is no setting; one that is an object has its fields as settings.
    ///
    /// ```
    /// use serde::{Deserialize, Serialize};
    /// use sockeye::{Config, Ctx, Server};
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct GameSettings {
    ///     max_players: u8,
    /// }
    ///
    /// Server::bare(Config::bare())
    ///     .section("game", GameSettings { max_players: 4 })
    ///     .on("limit", async |ctx: Ctx, ()| ctx.settings::<GameSettings>().max_players);
    /// ```
    ///
    /// # Panics
    ///
    /// If a section has this name already, the name is not of `a-z`, `0-9` and `-`, or `T` has no named fields.
    #[must_use]
    pub fn section<T>(mut self, name: &str, defaults: T) -> Self
    where
        T: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        self.sections.add(name, &defaults);
        self.handle.replace_settings(OwnSettings::defaults(&self.sections));
        self
    }

    /// Adds the application's own routes, for [`cli`](fn@crate::cli). Those that [`Self::serve`] is given are added to
    /// them.
    ///
    /// # Panics
    ///
    /// If two routes are the same.
    #[must_use]
    pub fn routes(mut self, routes: Router) -> Self {
        self.routes = mem::take(&mut self.routes).merge(routes);
        self
    }

    /// Declares a type of [`Ctx::data`](crate::Ctx::data) that survives a restart of the server: its value is written as
    /// JSON when the server closes, under this name, and read by the next process. A socket with a value of another type
    /// ends with the process, and its client gets a new one. A socket without values needs no declaration.
    ///
    /// When the client is back, the connection handlers run, and [`Ctx::recovered`](crate::Ctx::recovered) is true, as in
    /// Node. A server without the chat, or with PostgreSQL, needs `recovery.path` too.
    ///
    /// ```
    /// use serde::{Deserialize, Serialize};
    /// use sockeye::{Config, Ctx, Server};
    ///
    /// #[derive(Default, Serialize, Deserialize)]
    /// struct Cart(Vec<String>);
    ///
    /// Server::new(Config::default())
    ///     .keep_data::<Cart>("cart")
    ///     .on("add", async |ctx: Ctx, item: String| ctx.data().update(|cart: &mut Cart| cart.0.push(item)));
    /// ```
    ///
    /// # Panics
    ///
    /// If the type or the name is declared already.
    #[must_use]
    pub fn keep_data<T>(self, name: &str) -> Self
    where
        T: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        self.handle.data_types().add::<T>(name);
        self
    }

    /// What the file, the variables and the flags go over. Takes the sections.
    pub(crate) fn take_base(&mut self) -> Base {
        let is_bare = self.reply_form == ReplyForm::Plain;
        Base { config: self.config.clone(), sections: mem::take(&mut self.sections), is_bare }
    }

    /// Replaces the settings by those that were loaded.
    pub(crate) fn configure(&mut self, loaded: Loaded) {
        self.config = loaded.config;
        self.handle.replace_settings(loaded.own);
    }
}

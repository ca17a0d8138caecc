//! Namespaces that are added and removed while the server runs.

use std::sync::Arc;

use super::{events::Events, table::Table};
use crate::{
    app::{App, ROOT},
    error::{Error, Result},
    io::{Io, absolute},
};

impl Io {
    /// Adds a namespace while the server runs, as `io.of(path)` in Node. A path such as `/orders-{id}` is a pattern, which
    /// stands for many namespaces: see [`Server::namespace`](crate::Server::namespace). Sockets that are in a namespace
    /// of this path already, by a pattern or function, keep their handlers.
    ///
    /// ```
    /// # use sockeye::{Ctx, Events, Io, Result};
    /// fn begin_match(io: &Io, id: u32) -> Result<()> {
    ///     let events = Events::new().on("move", async |ctx: Ctx, to: String| ctx.broadcast().emit("moved", to));
    ///     io.add_namespace(&format!("/matches/{id}"), events)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// `conflict` if there is one of this path or pattern, `bad-payload` if the path cannot be read, `unavailable` if the
    /// server is not open.
    pub fn add_namespace(&self, path: &str, events: Events) -> Result<()> {
        let (app, table) = self.table().ok_or_else(|| Error::unavailable("the server is not open"))?;
        table.add(&app, &absolute(path), events)
    }

    /// Removes a namespace, or a pattern with all its namespaces: their sockets are disconnected, and clients that ask
    /// for them are refused with `Invalid namespace`. A namespace that a pattern or function has made may appear again.
    /// False if there is none of this path, if it is the root namespace, or if the server is not open.
    pub fn remove_namespace(&self, path: &str) -> bool {
        let path = absolute(path);
        path != ROOT && self.table().is_some_and(|(app, table)| table.remove(&app, &path))
    }

    fn table(&self) -> Option<(Arc<App>, Arc<Table>)> {
        let app = self.app()?;
        let table = Table::of(&app)?.clone();
        Some((app, table))
    }
}

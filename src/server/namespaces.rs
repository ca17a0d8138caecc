//! The namespaces of a server, before it is open.

use std::{future::Future, sync::Arc};

use serde_json::Value as Json;

use super::Server;
use crate::{
    io::{Namespace, absolute},
    namespace::Events,
};

impl Server {
    /// Adds a namespace of one's own, with the same users, limits and guarantees.
    ///
    /// A path such as `/orders-{id}` is a pattern: it stands for many namespaces, each of which exists from its first
    /// socket to its last. Handlers and middleware read what stands in place of `{id}`, which is anything but `/`;
    /// `{*id}` at the end is anything. A path without parameters comes before a pattern.
    ///
    /// ```
    /// # use sockeye::{Config, Ctx, Entrant, Events, Refusal, Server};
    /// let orders = Events::new()
    ///     .middleware(async |entrant: Entrant| match entrant.param("id") {
    ///         Some("0") => Err(Refusal::new("no such order", None)),
    ///         _ => Ok(()),
    ///     })
    ///     .on("id", async |ctx: Ctx, ()| ctx.param("id").map(str::to_owned));
    /// let server = Server::bare(Config::bare()).namespace("/orders-{id}", orders);
    /// let io = server.io();
    /// io.of("/orders-7").emit("shipped", ())?;
    /// io.of_pattern("/orders-{id}").emit("closing", ())?;
    /// # Ok::<_, sockeye::Error>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If there is one of this path already; the root namespace, `/`, always is there. [`Self::open`] panics if a pattern
    /// cannot be read, or two contradict each other.
    #[must_use]
    pub fn namespace(mut self, path: &str, events: Events) -> Self {
        let path = absolute(path);
        self.assert_new(&path);
        self.namespaces.push((path, events));
        self
    }

    /// Adds the namespaces that a function admits, as `io.of((name, auth, next) => ...)` in Node: it takes the path that a
    /// client asks for and the `auth` of its CONNECT, null if there is none. Paths and patterns come first, and then
    /// functions in the order in which they were added. Each such namespace exists from its first socket to its last.
    ///
    /// Unlike in Node, every client is checked, also where the namespace exists. A client that is not admitted is refused
    /// with `Invalid namespace`, as it is if the function panics or takes more than 30 seconds. `name` is what
    /// [`Io::of_pattern`](crate::Io::of_pattern) calls these namespaces.
    ///
    /// ```
    /// # use sockeye::{Config, Events, Server};
    /// let server = Server::bare(Config::bare()).namespace_if(
    ///     "tenants",
    ///     async |path, auth| path.starts_with("/tenant-") && auth["key"] == "s3cret",
    ///     Events::new(),
    /// );
    /// server.io().of_pattern("tenants").emit("news", "hot")?;
    /// # Ok::<_, sockeye::Error>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If there is a namespace, pattern or function of this name already.
    #[must_use]
    pub fn namespace_if<F, Fut>(mut self, name: &str, test: F, events: Events) -> Self
    where
        F: Fn(Arc<str>, Json) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = bool> + Send + 'static,
    {
        self.assert_new(name);
        let test = Box::new(move |path, auth| Box::pin(test(path, auth)) as _);
        self.namespace_functions.push((name.to_owned(), test, events));
        self
    }

    /// Runs a function when a namespace appears, as Node's event `new_namespace`: each but the root namespace when the
    /// server opens, each that is added later, and each of a pattern or function when its first socket is let in, before
    /// the socket's connection handlers run.
    #[must_use]
    pub fn new_namespace(mut self, hook: impl Fn(Namespace) + Send + Sync + 'static) -> Self {
        let io = self.io();
        self.hubs.appeared = Some(Box::new(move |path| hook(io.of(path))));
        self
    }

    /// Whether a namespace of a pattern or function goes with its last socket: true, unless this says false. That is
    /// Node's default; then every path that clients have joined takes memory until
    /// [`Io::remove_namespace`](crate::Io::remove_namespace) is called.
    #[must_use]
    pub fn cleanup_empty_child_namespaces(mut self, cleanup: bool) -> Self {
        self.hubs.keeps_empty_children = !cleanup;
        self
    }

    fn assert_new(&self, name: &str) {
        let paths = self.namespaces.iter().map(|(path, _)| path);
        let mut names = paths.chain(self.namespace_functions.iter().map(|(name, ..)| name));
        assert!(names.all(|known| known != name), "{name} is a namespace already");
    }
}

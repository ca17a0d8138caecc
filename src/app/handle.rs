//! `AppHandle`: a cheap handle to the server's `App`. It can be made before the server is open.

use std::{
    any::type_name,
    fmt,
    sync::{Arc, OnceLock, Weak},
};

use arc_swap::ArcSwap;

use super::App;
use crate::{
    config::OwnSettings,
    hub::Hub,
    model::{DataTypes, SocketData},
};

/// A handle to the server's [`App`]. It also holds the application's own settings and state. All clones share them.
#[derive(Clone, Default)]
pub(crate) struct AppHandle(Arc<Shared>);

#[derive(Default)]
struct Shared {
    app: OnceLock<Weak<App>>,
    /// The hub of the root namespace, in which most events are emitted.
    root: OnceLock<Weak<Hub>>,
    settings: ArcSwap<OwnSettings>,
    /// The application's own state, by type.
    state: SocketData,
    /// The types of `socket.data` that survive a restart.
    data_types: DataTypes,
}

impl fmt::Debug for AppHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppHandle").finish_non_exhaustive()
    }
}

impl AppHandle {
    /// The server; `None` before it is open and after it has closed.
    pub(crate) fn get(&self) -> Option<Arc<App>> {
        self.0.app.get()?.upgrade()
    }

    /// The hub of the root namespace; `None` before the server is open and after it has closed.
    pub(crate) fn root(&self) -> Option<Arc<Hub>> {
        self.0.root.get()?.upgrade()
    }

    pub(super) fn set(&self, app: &Arc<App>) {
        // Cannot fail: a server is opened once.
        drop(self.0.app.set(Arc::downgrade(app)));
        drop(self.0.root.set(Arc::downgrade(&app.hub)));
    }

    /// Replaces the values of the application's own settings, and returns the former ones.
    pub(crate) fn replace_settings(&self, settings: OwnSettings) -> Arc<OwnSettings> {
        self.0.settings.swap(Arc::new(settings))
    }

    /// The application's own settings of this type.
    pub(crate) fn settings<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.0.settings.load().get()
    }

    /// The types of `socket.data` that survive a restart.
    pub(crate) fn data_types(&self) -> &DataTypes {
        &self.0.data_types
    }

    /// Adds a value to the application's own state.
    pub(crate) fn add_state<S: Send + Sync + 'static>(&self, state: S) {
        self.0.state.insert(state);
    }

    /// The value of this type in the application's own state. Panics if there is none, which is a mistake in the program.
    pub(crate) fn state<S: Clone + 'static>(&self) -> S {
        let state = self.0.state.get();
        state.unwrap_or_else(|| panic!("no state of type {}: add it with `Server::state`", type_name::<S>()))
    }
}

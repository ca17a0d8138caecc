//! The listeners that an application adds to one socket at run time: Node's `socket.on`, `once`, `off`, `onAny` and
//! `use`.

use std::{
    collections::HashMap,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::{FutureExt, future::BoxFuture};
use parking_lot::Mutex;

use super::{app_socket::AppSocket, ctx::Ctx};
use crate::{
    error::Result,
    protocol::{Args, Arguments, FromArguments, IntoReply, RESERVED_BY_SOCKET_IO},
};

/// Reads an event's arguments and returns the future that handles the event. Fails if the arguments cannot be read. The
/// future's output is the reply.
pub(super) type Listener = Arc<dyn Fn(Ctx, &Args<'_>) -> Result<BoxFuture<'static, Result<Arguments>>> + Send + Sync>;
/// A catch-all listener: runs for every event.
pub(super) type AnyListener = Arc<dyn Fn(Ctx, Arc<str>, Arguments) -> BoxFuture<'static, ()> + Send + Sync>;
/// Runs before every event, and may refuse it.
pub(super) type EventMiddleware = Arc<dyn Fn(Ctx, Arc<str>, Arguments) -> BoxFuture<'static, Result<()>> + Send + Sync>;

/// Identifies a listener of a socket, for [`Ctx::remove_listener`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ListenerId(u64);

/// The listeners of one socket. `AppSocket` stores this as `dyn Any`, since the types would be circular: a listener
/// takes a [`Ctx`], and a `Ctx` holds an `AppSocket`.
#[derive(Default)]
pub(super) struct Listeners {
    next: AtomicU64,
    lists: Mutex<Lists>,
}

#[derive(Default)]
struct Lists {
    named: HashMap<Box<str>, Vec<Entry>>,
    any: Vec<(ListenerId, AnyListener)>,
    outgoing: Vec<(ListenerId, AnyListener)>,
    middleware: Vec<(ListenerId, EventMiddleware)>,
}

struct Entry {
    id: ListenerId,
    is_once: bool,
    listener: Listener,
}

impl Listeners {
    /// The listeners of a socket; `None` if it has never had any.
    pub(super) fn of(socket: &AppSocket) -> Option<&Self> {
        socket.listeners.get().map(|listeners| listeners.downcast_ref().expect("only this file sets it"))
    }

    fn of_or_new(socket: &AppSocket) -> &Self {
        socket.listeners.get_or_init(|| Box::new(Self::default()));
        Self::of(socket).expect("it was just set")
    }

    fn change(&self, change: impl FnOnce(ListenerId, &mut Lists)) -> ListenerId {
        let id = ListenerId(self.next.fetch_add(1, Ordering::Relaxed));
        change(id, &mut self.lists.lock());
        id
    }

    /// Removes all listeners.
    pub(super) fn clear(&self) {
        // Dropped after the lock is released, because the drop of a listener may run code of the application.
        let _former = std::mem::take(&mut *self.lists.lock());
    }

    /// Returns the listeners of an event. Those that were added with [`Ctx::once`] are removed from the socket.
    pub(super) fn take(&self, event: &str) -> Vec<Listener> {
        let mut lists = self.lists.lock();
        let Some(entries) = lists.named.get_mut(event) else { return Vec::new() };
        let listeners = entries.iter().map(|entry| entry.listener.clone()).collect();
        entries.retain(|entry| !entry.is_once);
        if entries.is_empty() {
            lists.named.remove(event);
        }
        listeners
    }

    /// The catch-alls.
    pub(super) fn any(&self) -> Vec<AnyListener> {
        self.lists.lock().any.iter().map(|(_, any)| any.clone()).collect()
    }

    /// The catch-alls for outgoing events.
    pub(super) fn outgoing(&self) -> Vec<AnyListener> {
        self.lists.lock().outgoing.iter().map(|(_, outgoing)| outgoing.clone()).collect()
    }

    /// The middleware of events.
    pub(super) fn middleware(&self) -> Vec<EventMiddleware> {
        self.lists.lock().middleware.iter().map(|(_, middleware)| middleware.clone()).collect()
    }
}

/// Listeners of this socket alone. Connection handlers add them. They are removed when the socket ends, and before the
/// connection handlers run again after a recovery.
impl Ctx {
    /// Adds a listener of an event. An event may have several; the first that returns acknowledges it.
    ///
    /// # Panics
    ///
    /// If the name is one of Socket.IO's own, such as `disconnect`: see [`Events::disconnect`](crate::Events::disconnect).
    pub fn on<T, F, Fut, R>(&self, event: &str, handler: F) -> ListenerId
    where
        T: FromArguments + Send + 'static,
        F: Fn(Ctx, T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = R> + Send + 'static,
        R: IntoReply + 'static,
    {
        self.add(event, false, listener(handler))
    }

    /// Adds a listener that runs only for the next event of this name.
    ///
    /// # Panics
    ///
    /// As with [`Self::on`].
    pub fn once<T, F, Fut, R>(&self, event: &str, handler: F) -> ListenerId
    where
        T: FromArguments + Send + 'static,
        F: Fn(Ctx, T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = R> + Send + 'static,
        R: IntoReply + 'static,
    {
        self.add(event, true, listener(handler))
    }

    /// Removes all listeners of an event.
    pub fn off(&self, event: &str) {
        if let Some(listeners) = Listeners::of(&self.socket) {
            let _former = listeners.lists.lock().named.remove(event);
        }
    }

    /// Removes the listener, the catch-all or the event middleware with this id.
    pub fn remove_listener(&self, id: ListenerId) {
        let Some(listeners) = Listeners::of(&self.socket) else { return };
        let mut lists = listeners.lists.lock();
        let named = lists.named.values_mut().flat_map(|entries| entries.extract_if(.., |entry| entry.id == id)).next();
        lists.named.retain(|_, entries| !entries.is_empty());
        let any = lists.any.extract_if(.., |(own, _)| *own == id).next();
        let outgoing = lists.outgoing.extract_if(.., |(own, _)| *own == id).next();
        let middleware = lists.middleware.extract_if(.., |(own, _)| *own == id).next();
        // The drop of a listener may run code of the application, so the lock is released first.
        drop(lists);
        drop((named, any, outgoing, middleware));
    }

    /// Removes all listeners of this socket.
    pub fn remove_all_listeners(&self) {
        if let Some(listeners) = Listeners::of(&self.socket) {
            listeners.clear();
        }
    }

    /// The names of the events that this socket has listeners for, sorted.
    pub fn event_names(&self) -> Vec<String> {
        let Some(listeners) = Listeners::of(&self.socket) else { return Vec::new() };
        let lists = listeners.lists.lock();
        let mut names: Vec<String> = lists.named.keys().map(|name| name.to_string()).collect();
        names.sort_unstable();
        names
    }

    /// Adds a catch-all: it runs for every event of this socket, before the event's listeners.
    pub fn on_any<F, Fut>(&self, listener: F) -> ListenerId
    where
        F: Fn(Ctx, Arc<str>, Arguments) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let listener = Arc::new(move |ctx, event, arguments| Box::pin(listener(ctx, event, arguments)) as _);
        self.add_any(false, listener)
    }

    /// Adds a catch-all that runs before the existing ones.
    pub fn prepend_any<F, Fut>(&self, listener: F) -> ListenerId
    where
        F: Fn(Ctx, Arc<str>, Arguments) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let listener = Arc::new(move |ctx, event, arguments| Box::pin(listener(ctx, event, arguments)) as _);
        self.add_any(true, listener)
    }

    /// Adds a catch-all for this socket's outgoing events, as `socket.onAnyOutgoing` in Node: see
    /// [`Events::on_any_outgoing`](crate::Events::on_any_outgoing).
    pub fn on_any_outgoing<F, Fut>(&self, listener: F) -> ListenerId
    where
        F: Fn(Ctx, Arc<str>, Arguments) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let listener = Arc::new(move |ctx, event, arguments| Box::pin(listener(ctx, event, arguments)) as _);
        self.add_outgoing(false, listener)
    }

    /// Adds a catch-all for outgoing events that runs before the existing ones.
    pub fn prepend_any_outgoing<F, Fut>(&self, listener: F) -> ListenerId
    where
        F: Fn(Ctx, Arc<str>, Arguments) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let listener = Arc::new(move |ctx, event, arguments| Box::pin(listener(ctx, event, arguments)) as _);
        self.add_outgoing(true, listener)
    }

    /// Adds a middleware for this socket's events, as `socket.use` does in Node. It runs before an event's listeners
    /// and may refuse the event.
    pub fn event_middleware<F, Fut>(&self, middleware: F) -> ListenerId
    where
        F: Fn(Ctx, Arc<str>, Arguments) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        let middleware = Arc::new(move |ctx, event, arguments| Box::pin(middleware(ctx, event, arguments)) as _);
        Listeners::of_or_new(&self.socket).change(|id, lists| lists.middleware.push((id, middleware)))
    }

    fn add(&self, event: &str, is_once: bool, listener: Listener) -> ListenerId {
        assert!(
            !RESERVED_BY_SOCKET_IO.contains(&event),
            "{event} is not an event of a client: `Events::disconnect` hears that one has gone"
        );
        Listeners::of_or_new(&self.socket).change(|id, lists| {
            lists.named.entry(event.into()).or_default().push(Entry { id, is_once, listener });
        })
    }

    fn add_any(&self, is_first: bool, listener: AnyListener) -> ListenerId {
        Listeners::of_or_new(&self.socket).change(|id, lists| {
            let at = if is_first { 0 } else { lists.any.len() };
            lists.any.insert(at, (id, listener));
        })
    }

    fn add_outgoing(&self, is_first: bool, listener: AnyListener) -> ListenerId {
        let id = Listeners::of_or_new(&self.socket).change(|id, lists| {
            let at = if is_first { 0 } else { lists.outgoing.len() };
            lists.outgoing.insert(at, (id, listener));
        });
        self.socket.hub.hear_sent_events();
        id
    }
}

/// Wraps an application's function as a listener.
pub(super) fn listener<T, F, Fut, R>(handler: F) -> Listener
where
    T: FromArguments + Send + 'static,
    F: Fn(Ctx, T) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = R> + Send + 'static,
    R: IntoReply + 'static,
{
    let handler = Arc::new(handler);
    Arc::new(move |ctx, args| {
        let (payload, handler) = (T::from_arguments(args)?, handler.clone());
        let form = ctx.form();
        Ok(async move { handler(ctx, payload).await.into_reply(form) }.boxed())
    })
}

//! Who writes: everything that is pushed in one turn of the scheduler leaves in one write per client.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{Engine, link::Link};
use crate::supervise::Background;

/// One list per thread of the runtime, each with a task that writes.
pub(super) struct Flushers {
    lists: Vec<List>,
}

#[derive(Default)]
struct List {
    links: Mutex<Vec<Arc<Link>>>,
    wake: Notify,
}

impl Flushers {
    pub(super) fn new() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self { lists: (0..threads).map(|_| List::default()).collect() }
    }

    /// Starts the tasks.
    pub(super) fn run(engine: &Arc<Engine>, background: &mut Background) {
        for index in 0..engine.flushers.lists.len() {
            let engine = engine.clone();
            background.spawn(&format!("flusher-{index}"), async move { engine.flushers.lists[index].flush().await });
        }
    }

    fn schedule(&self, links: &mut Vec<Arc<Link>>) {
        if let [list] = self.lists.as_slice() {
            list.add(links);
            return;
        }
        for (index, list) in self.lists.iter().enumerate() {
            let mut own: Vec<_> = links.extract_if(.., |link| link.shard() % self.lists.len() == index).collect();
            if !own.is_empty() {
                list.add(&mut own);
            }
        }
    }
}

impl List {
    fn add(&self, links: &mut Vec<Arc<Link>>) {
        self.links.lock().append(links);
        self.wake.notify_one();
    }

    async fn flush(&self) {
        let mut links = Vec::new();
        loop {
            self.wake.notified().await;
            loop {
                std::mem::swap(&mut links, &mut *self.links.lock());
                if links.is_empty() {
                    break;
                }
                for link in links.drain(..) {
                    link.flush();
                }
                tokio::task::yield_now().await;
            }
        }
    }
}

/// The links that something was pushed to, until it is dropped: then they are flushed, and those that could not
/// take it are dropped. Never while a lock is held that a disconnect needs.
pub(crate) struct Batch<'a> {
    engine: &'a Engine,
    dirty: Vec<Arc<Link>>,
    slow: Vec<Arc<Link>>,
}

impl<'a> Batch<'a> {
    pub(super) fn new(engine: &'a Engine) -> Self {
        Self { engine, dirty: Vec::new(), slow: Vec::new() }
    }

    pub(super) fn flush(&mut self, link: &Arc<Link>) {
        self.dirty.push(link.clone());
    }

    pub(super) fn drop_slow(&mut self, link: &Arc<Link>) {
        self.slow.push(link.clone());
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        if !self.dirty.is_empty() {
            self.engine.flushers.schedule(&mut self.dirty);
        }
        for link in self.slow.drain(..) {
            link.drop_slow();
        }
    }
}

//! The writer thread and the publisher under failures and long broadcasts.

use std::sync::atomic::AtomicUsize;

use tokio::sync::oneshot;

use super::*;
use crate::{
    config::StoreConfig,
    store::Store,
    turn::{self, Keeper},
};

/// Panics in `fail`, the one method called without `catch_unwind`.
struct PanicsInFail;

impl Task for PanicsInFail {
    fn run(&mut self, _: &mut Tables) -> rusqlite::Result<()> {
        Err(rusqlite::Error::InvalidQuery)
    }

    fn fail(&mut self) {
        panic!("as a bug would")
    }

    fn finish(self: Box<Self>) {}
}

/// Stands for a broadcast to very many members.
struct Broadcast {
    told: Arc<AtomicUsize>,
    keeper: Arc<Kept>,
}

impl Task for Broadcast {
    fn run(&mut self, _: &mut Tables) -> rusqlite::Result<()> {
        Ok(())
    }

    fn fail(&mut self) {}

    fn finish(self: Box<Self>) {
        let keeper: Arc<dyn Keeper> = self.keeper.clone();
        assert!(turn::keep(&Arc::downgrade(&keeper)));
        turn::delivered(100_000);
        self.told.fetch_add(1, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Kept(AtomicUsize);

impl Keeper for Kept {
    fn let_go(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn the_publisher_yields_within_a_long_group_and_keeps_it_one_turn() {
    let (told, keeper) = (Arc::new(AtomicUsize::new(0)), Arc::new(Kept::default()));
    let broadcast = || Box::new(Broadcast { told: told.clone(), keeper: keeper.clone() }) as Box<dyn Task>;
    let (committed, publish) = mpsc::channel(1);
    committed.send((0..10).map(|_| broadcast()).collect()).await.unwrap();
    let publishing = tokio::spawn(publish_in_order(publish));
    let mut seen = Vec::new();
    while seen.last().is_none_or(|(told, _)| *told < 10) {
        task::yield_now().await;
        seen.push((told.load(Ordering::Relaxed), keeper.0.load(Ordering::Relaxed)));
    }
    seen.pop();
    assert!(seen.len() >= 9, "{seen:?}");
    assert!(seen.iter().all(|(_, let_go)| *let_go == 0), "it is one turn: {seen:?}");
    drop(committed);
    publishing.await.unwrap().unwrap();
    assert_eq!(keeper.0.load(Ordering::Relaxed), 1);
}

struct Bug;

impl Command for Bug {
    type Output = ();

    fn apply(&self, _: &mut Tables) -> Result<(), Failure> {
        panic!("as a bug would")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_store_unlocks_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let config = StoreConfig { path: folder.path().to_owned(), ..StoreConfig::default() };
    let mut background = Background::default();
    drop(Store::open(&config, &Metrics::off(), &mut background).unwrap());
    let again = async {
        while Store::open(&config, &Metrics::off(), &mut background).is_err() {
            task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), again).await.expect("the writer thread ends");
}

#[tokio::test]
async fn a_panic_of_the_writer_thread_is_reported_and_writes_are_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    let config = StoreConfig { path: folder.path().to_owned(), ..StoreConfig::default() };
    let mut background = Background::default();
    let store = Store::open(&config, &Metrics::off(), &mut background).unwrap();
    assert!(store.writer.inbox.push(Box::new(PanicsInFail)).is_ok());
    background.supervisor().failed().await;
    assert_eq!(background.supervisor().failure(), Some("store-writer panicked: as a bug would"));
    let (refused, probe) = oneshot::channel();
    store.write(Probe, move |result| refused.send(result.is_err()).unwrap());
    assert!(probe.await.unwrap());
    assert!(!store.is_ready().await);
    store.close().await;
}

#[tokio::test]
async fn a_panicking_write_fails_and_the_next_one_is_committed() {
    let folder = tempfile::tempdir().unwrap();
    let config = StoreConfig { path: folder.path().to_owned(), ..StoreConfig::default() };
    let mut background = Background::default();
    let store = Store::open(&config, &Metrics::off(), &mut background).unwrap();
    let (failed, bug) = oneshot::channel();
    store.write(Bug, move |result| failed.send(result.is_err()).unwrap());
    assert!(bug.await.unwrap());
    let (done, probe) = oneshot::channel();
    store.write(Probe, move |result| done.send(result.is_ok()).unwrap());
    assert!(probe.await.unwrap());
    store.close().await;
}

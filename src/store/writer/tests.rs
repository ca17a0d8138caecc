//! What the writing thread and the publisher do when something goes wrong, or takes long.

use std::sync::atomic::AtomicUsize;

use tokio::sync::oneshot;

use super::*;
use crate::{
    config::StoreConfig,
    store::Store,
    turn::{self, Keeper},
};

/// Fails in the one place where nothing catches it.
struct Malice;

impl Task for Malice {
    fn run(&mut self, _: &mut Tables) -> rusqlite::Result<()> {
        Err(rusqlite::Error::InvalidQuery)
    }

    fn fail(&mut self) {
        panic!("as a bug would")
    }

    fn finish(self: Box<Self>) {}
}

/// Is heard by very many.
struct Telling {
    told: Arc<AtomicUsize>,
    keeper: Arc<Kept>,
}

impl Task for Telling {
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
async fn others_have_the_thread_between_the_tellings_of_one_commit_which_end_together() {
    let (told, keeper) = (Arc::new(AtomicUsize::new(0)), Arc::new(Kept::default()));
    let telling = || Box::new(Telling { told: told.clone(), keeper: keeper.clone() }) as Box<dyn Task>;
    let (committed, publish) = mpsc::channel(1);
    committed.send((0..10).map(|_| telling()).collect()).await.unwrap();
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
async fn a_store_that_is_dropped_lets_go_of_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let config = StoreConfig { path: folder.path().to_owned(), ..StoreConfig::default() };
    let mut background = Background::default();
    drop(Store::open(&config, &Metrics::off(), &mut background).unwrap());
    let again = async {
        while Store::open(&config, &Metrics::off(), &mut background).is_err() {
            task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), again).await.expect("its thread ends");
}

#[tokio::test]
async fn a_thread_that_panics_is_reported_and_writes_are_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    let config = StoreConfig { path: folder.path().to_owned(), ..StoreConfig::default() };
    let mut background = Background::default();
    let store = Store::open(&config, &Metrics::off(), &mut background).unwrap();
    assert!(store.writer.inbox.push(Box::new(Malice)).is_ok());
    background.supervisor().failed().await;
    assert_eq!(background.supervisor().failure(), Some("store-writer panicked: as a bug would"));
    let (refused, probe) = oneshot::channel();
    store.write(Probe, move |result| refused.send(result.is_err()).unwrap());
    assert!(probe.await.unwrap());
    assert!(!store.is_ready().await);
    store.close().await;
}

#[tokio::test]
async fn a_write_that_panics_has_failed_and_the_next_one_is_written() {
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

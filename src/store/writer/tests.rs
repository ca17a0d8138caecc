//! Tests of the writing thread and the publisher: failures, panics, long fan-outs.

use std::sync::atomic::AtomicUsize;

use tokio::sync::oneshot;

use super::*;
use crate::{
    config::{SearchConfig, StoreConfig},
    store::{Store, command::Probe, failure::Failure},
    tellings::Hold,
};

/// Panics in [`Task::fail`]. The writing thread catches panics of its other calls, but not of this one.
struct BadFailure;

impl Task for BadFailure {
    fn needs(&self, _: &mut Needs) {}

    fn run(&mut self, _: &mut dyn Tables) -> anyhow::Result<()> {
        anyhow::bail!("as a broken database would")
    }

    fn fail(&mut self, _: &'static str) {
        panic!("as a bug would")
    }

    fn finish(self: Box<Self>, _: &mut Tellings) {}
}

/// A task whose callback emits to very many sockets.
struct Telling {
    told: Arc<AtomicUsize>,
    hub: Arc<Holder>,
}

impl Task for Telling {
    fn needs(&self, _: &mut Needs) {}

    fn run(&mut self, _: &mut dyn Tables) -> anyhow::Result<()> {
        Ok(())
    }

    fn fail(&mut self, _: &'static str) {}

    fn finish(self: Box<Self>, tellings: &mut Tellings) {
        let hub: Arc<dyn Hold> = self.hub.clone();
        tellings.hold(&Arc::downgrade(&hub));
        tellings.delivered(100_000);
        self.told.fetch_add(1, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Holder {
    releases: AtomicUsize,
}

impl Hold for Holder {
    fn release(&self) -> usize {
        self.releases.fetch_add(1, Ordering::Relaxed);
        0
    }
}

#[tokio::test]
async fn a_long_commit_yields_between_its_callbacks_and_delivers_its_events_at_its_end() {
    let (told, hub) = (Arc::new(AtomicUsize::new(0)), Arc::new(Holder::default()));
    let telling = || Box::new(Telling { told: told.clone(), hub: hub.clone() }) as Box<dyn Task>;
    let (committed, publish) = mpsc::channel(1);
    committed.send((0..10).map(|_| telling()).collect()).await.unwrap();
    let publishing = tokio::spawn(publish_in_order(publish));
    let mut seen = Vec::new();
    while seen.last().is_none_or(|(told, _)| *told < 10) {
        task::yield_now().await;
        seen.push((told.load(Ordering::Relaxed), hub.releases.load(Ordering::Relaxed)));
    }
    seen.pop();
    assert!(seen.len() >= 9, "{seen:?}");
    assert!(seen.iter().all(|(_, releases)| *releases == 0), "nothing is delivered before the end: {seen:?}");
    drop(committed);
    publishing.await.unwrap().unwrap();
    assert_eq!(hub.releases.load(Ordering::Relaxed), 1);
}

/// A task whose callback panics.
struct BadCallback;

impl Task for BadCallback {
    fn needs(&self, _: &mut Needs) {}

    fn run(&mut self, _: &mut dyn Tables) -> anyhow::Result<()> {
        Ok(())
    }

    fn fail(&mut self, _: &'static str) {}

    fn finish(self: Box<Self>, _: &mut Tellings) {
        panic!("as a bug would")
    }
}

#[tokio::test]
async fn after_a_panicking_callback_the_other_callbacks_of_the_commit_still_run() {
    let (told, hub) = (Arc::new(AtomicUsize::new(0)), Arc::new(Holder::default()));
    let telling = || Box::new(Telling { told: told.clone(), hub: hub.clone() }) as Box<dyn Task>;
    let (committed, publish) = mpsc::channel(1);
    committed.send(vec![telling(), Box::new(BadCallback), telling()]).await.unwrap();
    drop(committed);
    publish_in_order(publish).await.unwrap();
    assert_eq!(told.load(Ordering::Relaxed), 2);
    assert_eq!(hub.releases.load(Ordering::Relaxed), 1);
}

/// Panics when it is written.
struct BadCommand;

impl Command for BadCommand {
    type Output = ();

    fn needs(&self, _: &mut Needs) {}

    fn apply(&self, _: &mut dyn Tables) -> Result<(), Failure> {
        panic!("as a bug would")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_dropped_unlocks_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let config = StoreConfig { path: folder.path().to_owned(), ..StoreConfig::default() };
    let mut background = Background::default();
    drop(Store::open(&config, &SearchConfig::default(), &Metrics::off(), &mut background).unwrap());
    let again = async {
        while Store::open(&config, &SearchConfig::default(), &Metrics::off(), &mut background).is_err() {
            task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), again).await.expect("the writing thread ends");
}

#[tokio::test]
async fn a_thread_that_panics_is_reported_and_writes_are_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    let config = StoreConfig { path: folder.path().to_owned(), ..StoreConfig::default() };
    let mut background = Background::default();
    let store = Store::open(&config, &SearchConfig::default(), &Metrics::off(), &mut background).unwrap();
    assert!(store.writer().inbox.push(Box::new(BadFailure)).is_ok());
    background.supervisor().failed().await;
    assert_eq!(background.supervisor().failure(), Some("store-writer panicked: as a bug would"));
    let (refused, probe) = oneshot::channel();
    store.write(Probe, move |result, _| refused.send(result.is_err()).unwrap());
    assert!(probe.await.unwrap());
    assert!(!store.is_ready().await);
    store.close().await;
}

#[tokio::test]
async fn a_panicking_write_fails_and_the_next_write_is_committed() {
    let folder = tempfile::tempdir().unwrap();
    let config = StoreConfig { path: folder.path().to_owned(), ..StoreConfig::default() };
    let mut background = Background::default();
    let store = Store::open(&config, &SearchConfig::default(), &Metrics::off(), &mut background).unwrap();
    let (failed, bug) = oneshot::channel();
    store.write(BadCommand, move |result, _| failed.send(result.is_err()).unwrap());
    assert!(bug.await.unwrap());
    let (done, probe) = oneshot::channel();
    store.write(Probe, move |result, _| done.send(result.is_ok()).unwrap());
    assert!(probe.await.unwrap());
    store.close().await;
}

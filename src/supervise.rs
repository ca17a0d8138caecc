//! Supervises background tasks and threads. If one of them panics or ends unasked, the server becomes "not ready" and
//! shuts down, so that the service manager restarts it.

use std::{
    any::Any,
    future::Future,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, OnceLock},
    thread,
};

use futures_util::FutureExt;
use tokio::{
    sync::{Notify, oneshot},
    task::JoinSet,
};

/// Waits for the end of a supervised task or thread, whether it returns, panics or is aborted.
pub(crate) struct Completion(oneshot::Receiver<()>);

impl Completion {
    /// Waits for the end.
    pub(crate) async fn wait(self) {
        // Always an error: the sender is never used, only dropped.
        drop(self.0.await);
    }
}

/// The output of a supervised task: whether it is a failure.
pub(crate) trait Outcome {
    /// Why the task failed; `None` if it ended on request.
    fn failure(self) -> Option<String>;
}

/// For a task that never ends: returning is a failure.
impl Outcome for () {
    fn failure(self) -> Option<String> {
        Some("returned".to_owned())
    }
}

/// For a task that ends on request.
impl Outcome for Result<(), String> {
    fn failure(self) -> Option<String> {
        self.err()
    }
}

/// The state of all background tasks.
#[derive(Clone, Default)]
pub(crate) struct Supervisor(Arc<Shared>);

#[derive(Default)]
struct Shared {
    failure: OnceLock<String>,
    failed: Notify,
    #[cfg(test)]
    sabotage: sabotage::Sabotage,
}

impl Supervisor {
    /// Why the server must shut down; only the first reason is kept.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.0.failure.get().map(String::as_str)
    }

    /// Makes the server shut down for this reason.
    pub(crate) fn fail(&self, reason: String) {
        tracing::error!(reason, "the server cannot continue and shuts down");
        // Fails if a reason is already set; the first one counts.
        drop(self.0.failure.set(reason));
        self.0.failed.notify_waiters();
    }

    /// Waits until a failure is set.
    pub(crate) async fn failed(&self) {
        let failed = self.0.failed.notified();
        if self.failure().is_none() {
            failed.await;
        }
    }

    fn ended<T: Outcome>(&self, name: &str, outcome: thread::Result<T>) {
        let failure = match outcome {
            Ok(outcome) => outcome.failure(),
            Err(panic) => Some(format!("panicked: {}", message(&*panic))),
        };
        if let Some(failure) = failure {
            self.fail(format!("{name} {failure}"));
        }
    }
}

/// Starts and supervises background tasks and threads. Dropping it aborts the tasks; threads are not aborted, each
/// needs a signal of its own to end.
#[derive(Default)]
pub(crate) struct Background {
    tasks: JoinSet<()>,
    supervisor: Supervisor,
}

impl Background {
    /// A handle to the state of all tasks.
    pub(crate) fn supervisor(&self) -> &Supervisor {
        &self.supervisor
    }

    /// Spawns a task. The server shuts down if the task panics or its output is a failure.
    pub(crate) fn spawn<T: Outcome>(
        &mut self,
        name: &str,
        task: impl Future<Output = T> + Send + 'static,
    ) -> Completion {
        let (end, ended) = oneshot::channel();
        let (supervisor, name) = (self.supervisor.clone(), name.to_owned());
        self.tasks.spawn(async move {
            let _end = end;
            #[cfg(test)]
            let task = supervisor.0.sabotage.wrap(&name, task);
            let outcome = AssertUnwindSafe(task).catch_unwind().await;
            supervisor.ended(&name, outcome);
        });
        Completion(ended)
    }

    /// Starts a thread, which needs a signal of its own to end; otherwise like [`Self::spawn`].
    pub(crate) fn thread(
        &self,
        name: &str,
        work: impl FnOnce() -> Result<(), String> + Send + 'static,
    ) -> io::Result<Completion> {
        let (end, ended) = oneshot::channel();
        let (supervisor, thread_name) = (self.supervisor.clone(), name.to_owned());
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            let _end = end;
            let outcome = catch_unwind(AssertUnwindSafe(work));
            supervisor.ended(&thread_name, outcome);
        })?;
        Ok(Completion(ended))
    }

    /// Aborts all tasks.
    pub(crate) async fn shutdown(&mut self) {
        self.tasks.shutdown().await;
    }
}

/// The message of a panic.
fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}

/// Lets tests make a task panic, by its name.
#[cfg(test)]
pub(crate) mod sabotage {
    use std::future::Future;

    use parking_lot::Mutex;
    use tokio::sync::watch;

    use super::Supervisor;

    #[derive(Default)]
    pub(super) struct Sabotage {
        names: Mutex<Vec<String>>,
        victim: watch::Sender<String>,
    }

    impl Sabotage {
        /// The task, which panics when [`Supervisor::sabotage`] is called with its name.
        pub(super) fn wrap<F: Future>(&self, name: &str, task: F) -> impl Future<Output = F::Output> + use<F> {
            self.names.lock().push(name.to_owned());
            let (mut victim, name) = (self.victim.subscribe(), name.to_owned());
            async move {
                tokio::select! {
                    output = task => output,
                    _ = victim.wait_for(|victim| *victim == name) => panic!("as a bug would"),
                }
            }
        }
    }

    impl Supervisor {
        /// The names of all tasks.
        pub(crate) fn tasks(&self) -> Vec<String> {
            self.0.sabotage.names.lock().clone()
        }

        /// Makes the task of this name panic.
        pub(crate) fn sabotage(&self, name: &str) {
            self.0.sabotage.victim.send_replace(name.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Start = fn(&mut Background) -> Completion;

    #[tokio::test]
    async fn a_task_that_returns_panics_or_reports_an_error_fails_the_server_and_the_first_reason_counts() {
        let cases: [(_, Start); 5] = [
            (Some("it returned"), |background| background.spawn("it", async {})),
            (
                Some("it panicked: assertion `left == right` failed: no number\n  left: \"7\"\n right: \"\""),
                |background| background.spawn("it", async { assert_eq!(format!("{}", 7), "", "no number") }),
            ),
            (Some("it lost the disk"), |background| {
                background.spawn("it", async { Err::<(), _>("lost the disk".to_owned()) })
            }),
            (Some("it panicked: as a bug would"), |background| {
                background.thread("it", || panic!("as a bug would")).unwrap()
            }),
            (None, |background| background.thread("it", || Ok(())).unwrap()),
        ];
        for (reason, start) in cases {
            let mut background = Background::default();
            start(&mut background).wait().await;
            assert_eq!(background.supervisor().failure(), reason);
            background.supervisor().fail("something else".to_owned());
            assert_eq!(background.supervisor().failure(), Some(reason.unwrap_or("something else")));
            background.supervisor().failed().await;
        }
    }

    #[tokio::test]
    async fn a_task_aborted_by_shutdown_is_no_failure() {
        let mut background = Background::default();
        let ended = background.spawn("it", std::future::pending::<()>());
        background.shutdown().await;
        ended.wait().await;
        assert_eq!(background.supervisor().failure(), None);
    }
}

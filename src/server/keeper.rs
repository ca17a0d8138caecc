//! Keeps the sockets over a restart: hands them over to the next process, and takes up those of the process before.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::{sync::oneshot, time::timeout};

use super::{snapshot::Snapshot, wait::until};
use crate::{
    app::App,
    config::Config,
    engine::{Application, DisconnectReason, Frame},
    error::{Error, Result},
    http::Replies,
    model::Timestamp,
    namespace::{self, Outcome},
    restart::{self, Found, Handover},
    store::{FolderLock, Left, lock_folder},
};

/// How long the file may take to be written.
const WRITE: Duration = Duration::from_secs(5);
/// How long the last handlers may take if the file cannot be written.
const LAST_HANDLERS: Duration = Duration::from_secs(1);

/// Hands over the sockets of this process, and the replies to calls.
pub(super) struct Keeper {
    /// `None`: the sockets end with the process.
    place: Option<Place>,
    /// How clients are authenticated.
    authentication: String,
    pub(super) replies: Replies,
}

/// The folder of the file.
struct Place {
    folder: PathBuf,
    /// `None` if the store has locked the folder.
    _lock: Option<FolderLock>,
}

impl Keeper {
    /// Takes up what the process before has left. Must be called before the server listens, when all namespaces are
    /// declared. `unavailable` if another server uses the folder.
    pub(super) fn open(app: &Arc<App>, has_authenticator: bool) -> Result<Self> {
        let authentication = if has_authenticator { "application" } else { app.auth.way() };
        let place = Place::of(&app.config, app.folder_lock().is_some())
            .map_err(|error| Error::internal("recovery.path cannot be used", error))?;
        let keeper = Self { place, authentication: authentication.to_owned(), replies: Replies::default() };
        if let Some(place) = &keeper.place {
            match restart::take(&place.folder, app.found_database()) {
                Found::Nothing => {}
                Found::Handover(handover) => keeper.take_up(app, *handover),
                Found::Ignored(reason) => ignored(&reason),
            }
        }
        Ok(keeper)
    }

    fn take_up(&self, app: &Arc<App>, handover: Handover) {
        let Handover { authentication, tag, next_number, events, sockets, replies, database: _ } = handover;
        if authentication != self.authentication {
            return ignored("its clients were authenticated in another way");
        }
        self.replies.restore(replies);
        if !app.engine.is_recovery_on() {
            return;
        }
        let Some(events) = events.into_iter().map(Frame::restored).collect::<Option<Vec<_>>>() else {
            return ignored("an event cannot be read");
        };
        app.engine.resume_offsets(tag, next_number);
        let now = Timestamp::now();
        let outcomes: Vec<_> = sockets.iter().map(|socket| namespace::restore(app, socket, &events, now)).collect();
        let count = |wanted| outcomes.iter().filter(|outcome| **outcome == wanted).count();
        let (taken_up, expired, unusable) =
            (count(Outcome::TakenUp), count(Outcome::Expired), count(Outcome::Unusable));
        tracing::info!(sockets = taken_up, expired, unusable, "sockets of the process before were taken up");
    }

    /// Whether the sockets are handed over when the server closes. After a failure they are not: they may be wrong.
    pub(super) fn keeps_sockets(&self, app: &App) -> bool {
        self.place.is_some() && app.supervisor.failure().is_none()
    }

    /// Hands the sockets over. Must be called after the last event was told and the store was closed, with the lock on
    /// the folder held. It takes little longer than [`WRITE`], whatever the disk does.
    pub(super) async fn hand_over(&self, app: &App) {
        let Some(place) = self.place.as_ref().filter(|_| self.keeps_sockets(app)) else {
            // A background task may have failed since the sockets were spared.
            return app.engine.end_away_sockets(|_| false);
        };
        if !app.is_bare() {
            app.presence.announce();
        }
        let began = Instant::now();
        let Snapshot { mut handover, kept, left_out } = Snapshot::take(app);
        handover.replies = self.replies.saved();
        handover.authentication.clone_from(&self.authentication);
        let (sockets, events, replies) = (kept.len(), handover.events.len(), handover.replies.len());
        let mut ending = left_out;
        let left_out = ending.len();
        if sockets + replies > 0 {
            match write(place.folder.clone(), handover, app.database_left()).await {
                Ok(bytes) => {
                    let ms = began.elapsed().as_millis() as u64;
                    tracing::info!(sockets, left_out, events, replies, bytes, ms, "the sockets were saved");
                }
                Err(error) => {
                    tracing::warn!(%error, sockets, "the sockets cannot be saved: their clients get new ones");
                    ending.extend(kept);
                }
            }
        }
        end(ending).await;
    }
}

/// Ends sockets that were taken from this process, and are not handed over.
async fn end(sockets: Vec<Arc<dyn Application>>) {
    for socket in &sockets {
        socket.clone().ended(DisconnectReason::ServerShuttingDown);
    }
    // Handlers that take longer are cut off, as at the end of every process.
    until(LAST_HANDLERS, || sockets.iter().all(|socket| socket.is_idle())).await;
}

fn ignored(reason: &str) {
    tracing::warn!(reason, "the saved sockets of the process before are ignored");
}

/// Writes the file, on a thread of its own: a thread of the runtime would keep the process from ending while the disk
/// hangs.
async fn write(folder: PathBuf, mut handover: Handover, database: Option<Left>) -> io::Result<usize> {
    let (done, written) = oneshot::channel();
    // Set by the thread before the file gets its name, or by this task, which then ignores the thread.
    let is_decided = Arc::new(AtomicBool::new(false));
    let decide = {
        let is_decided = is_decided.clone();
        move || !is_decided.swap(true, Ordering::SeqCst)
    };
    thread::Builder::new().name("handover".to_owned()).spawn(move || {
        let result = (|| {
            handover.database = database.map(|left| left()).transpose()?;
            restart::write(&folder, &handover, decide)
        })();
        // Fails if nobody waits any more.
        drop(done.send(result));
    })?;
    let mut written = written;
    let mut result = timeout(WRITE, &mut written).await;
    if result.is_err() && is_decided.swap(true, Ordering::SeqCst) {
        // The file is just getting its name.
        result = timeout(WRITE, &mut written).await;
    }
    match result {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(io::Error::other("the writing thread ended")),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

impl Place {
    /// `None` if the settings name no folder. `has_folder`: the store has one, and has locked it.
    fn of(config: &Config, has_folder: bool) -> io::Result<Option<Self>> {
        let own = &config.recovery.path;
        let is_named = !own.as_os_str().is_empty();
        if !is_named {
            return Ok(has_folder.then(|| Self { folder: config.store.path.clone(), _lock: None }));
        }
        let is_of_store = || own.canonicalize().is_ok_and(|own| config.store.path.canonicalize().ok() == Some(own));
        if has_folder && is_of_store() {
            return Ok(Some(Self { folder: own.clone(), _lock: None }));
        }
        let lock = lock_folder(own).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => io::Error::new(error.kind(), "another server uses the folder"),
            _ => error,
        })?;
        Ok(Some(Self { folder: own.clone(), _lock: Some(lock) }))
    }
}

//! Writes a group in one transaction, again where it must and can be, and finds out what became of it.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_postgres::{Error, error::SqlState};
use uuid::Uuid;

use super::{
    connection::WritingConnection,
    flush::{Written, flush},
    load::load,
    settings::Settings,
};
use crate::{
    metrics::Metrics,
    model::MessageId,
    store::writer::{self, FailedCommit, Group, WriteFailure},
};

/// How long a group may take, with all its attempts.
const ANSWER: Duration = Duration::from_secs(5);
/// Time between two attempts to connect, and between two questions about a transaction.
const PAUSE: Duration = Duration::from_millis(50);

/// The writer's side of PostgreSQL: the connection, which is made anew when it is lost.
pub(super) struct GroupWriter<'a> {
    settings: &'a Settings,
    metrics: &'a Metrics,
    /// The name of this server in the rows of rooms.
    node: String,
    connection: Option<WritingConnection>,
    /// Since when there is no connection.
    lost: Option<Instant>,
}

/// How an attempt has failed.
enum Attempt {
    /// Nothing was committed; another attempt may succeed.
    Again(anyhow::Error),
    /// The commit was requested, and its answer was lost.
    Unknown(Written, anyhow::Error),
    /// The database refused what the commands wrote.
    Refused(anyhow::Error),
}

impl<'a> GroupWriter<'a> {
    pub(super) fn new(settings: &'a Settings, connection: WritingConnection, metrics: &'a Metrics) -> Self {
        let node = format!("{:016x}", rand::random::<u64>());
        Self { settings, metrics, node, connection: Some(connection), lost: None }
    }

    /// Called while nothing is to be written: connects anew if the connection was lost.
    pub(super) async fn keep_connected(&mut self) {
        // The runtime works only while this thread waits in it: lets it notice that the connection has ended.
        sleep(Duration::from_millis(1)).await;
        if let Err(error) = self.connect(Instant::now() + PAUSE).await {
            tracing::debug!(error = format_args!("{error:#}"), "no connection to PostgreSQL");
        }
    }

    /// Writes a group, and repeats what can be repeated, for [`ANSWER`].
    pub(super) async fn write(&mut self, group: &mut Group) -> Result<(), WriteFailure> {
        let deadline = Instant::now() + ANSWER;
        // After a long loss, one attempt is enough: the commands that wait must not wait for each other.
        let deadline = match self.lost {
            Some(lost) if lost.elapsed() > ANSWER => Instant::now() + PAUSE,
            _ => deadline,
        };
        loop {
            match self.attempt(group, deadline).await {
                Ok(()) => return Ok(()),
                Err(Attempt::Refused(error)) => return Err(WriteFailure::Refused(error)),
                Err(Attempt::Unknown(written, error)) => {
                    self.connection = None;
                    match self.outcome(&written, deadline).await {
                        Ok(true) => return Ok(()),
                        Ok(false) => tracing::debug!(error = format_args!("{error:#}"), "a group is written again"),
                        Err(_) => return Err(WriteFailure::Failed(FailedCommit::unknown(error))),
                    }
                }
                Err(Attempt::Again(error)) => {
                    if Instant::now() + PAUSE >= deadline {
                        return Err(WriteFailure::Failed(error.into()));
                    }
                    tracing::debug!(error = format_args!("{error:#}"), "a group is written again");
                    sleep(PAUSE / 10).await;
                }
            }
        }
    }

    /// Connects, unless there is a connection.
    async fn connect(&mut self, deadline: Instant) -> Result<&WritingConnection> {
        if self.connection.as_ref().is_some_and(|connection| connection.client.is_closed()) {
            self.connection = None;
        }
        if self.connection.is_none() {
            let since = *self.lost.get_or_insert_with(Instant::now);
            self.connection = loop {
                match timeout_at(deadline, WritingConnection::open(self.settings)).await {
                    Ok(Ok(connection)) => break Some(connection),
                    Ok(Err(error)) if Instant::now() + PAUSE >= deadline => return Err(error),
                    Ok(Err(_)) => sleep(PAUSE).await,
                    Err(_) => anyhow::bail!("PostgreSQL does not answer"),
                }
            };
            self.lost = None;
            tracing::info!(after = ?since.elapsed(), "connected to PostgreSQL again");
        }
        self.connection.as_ref().context("just connected")
    }

    async fn attempt(&mut self, group: &mut Group, deadline: Instant) -> Result<(), Attempt> {
        let (metrics, node, fields) = (self.metrics, self.node.clone(), self.settings.fields.as_ref());
        let connection = self.connect(deadline).await.map_err(Attempt::Again)?;
        let write = async {
            let mut tables = load(connection, &writer::needs(group), metrics, fields).await?;
            writer::run(group, &mut tables)?;
            flush(connection, &tables, &node).await
        };
        let written = match timeout_at(deadline, write).await {
            Ok(Ok(written)) => written,
            Ok(Err(error)) => {
                let failed = classified(error);
                self.roll_back(deadline).await;
                return Err(failed);
            }
            // The server may still work on it: it is told by the end of the connection.
            Err(_) => {
                self.connection = None;
                return Err(Attempt::Again(anyhow::anyhow!("PostgreSQL does not answer")));
            }
        };
        if !written.is_complete {
            self.roll_back(deadline).await;
            return Err(Attempt::Again(anyhow::anyhow!("another server has used an idempotency key")));
        }
        match timeout_at(deadline, connection.client.batch_execute("COMMIT")).await {
            Ok(Ok(())) => Ok(()),
            // The server refused to commit, and said so.
            Ok(Err(error)) if error.as_db_error().is_some() && !is_shutdown(&error) => Err(classified(error.into())),
            Ok(Err(error)) => Err(Attempt::Unknown(written, error.into())),
            Err(_) => Err(Attempt::Unknown(written, anyhow::anyhow!("PostgreSQL does not answer"))),
        }
    }

    /// Ends the transaction, or the connection if that fails.
    async fn roll_back(&mut self, deadline: Instant) {
        let Some(connection) = &self.connection else { return };
        let rolled_back = timeout_at(deadline, connection.client.batch_execute("ROLLBACK")).await;
        if !matches!(rolled_back, Ok(Ok(()))) {
            self.connection = None;
        }
    }

    /// Whether a transaction was committed whose answer was lost. Waits while it is still under way.
    async fn outcome(&mut self, written: &Written, deadline: Instant) -> Result<bool> {
        // A transaction that has written nothing may run again.
        let Some(transaction) = &written.transaction else { return Ok(false) };
        let transaction: u64 = transaction.parse()?;
        // A server that has crashed may give the number of a transaction to another one, if nothing of it had reached
        // the disk. A message of the transaction is proof; a transaction without messages may run again.
        loop {
            anyhow::ensure!(Instant::now() < deadline, "PostgreSQL does not answer");
            let Ok(connection) = self.connect(deadline).await else { continue };
            let status = format!("SELECT pg_xact_status('{transaction}')");
            match timeout_at(deadline, connection.client.query_one(&status, &[])).await? {
                Ok(row) => match row.get::<_, Option<&str>>(0) {
                    Some("in progress") => sleep(PAUSE).await,
                    Some("aborted") => return Ok(false),
                    // "committed", or so long ago that the status is gone.
                    _ => match written.message {
                        None => return Ok(true),
                        Some(message) => return is_stored(connection, message).await,
                    },
                },
                // A number of the future: the server has crashed and knows nothing of it.
                Err(error) if error.code() == Some(&SqlState::INVALID_PARAMETER_VALUE) => return Ok(false),
                Err(_) => self.connection = None,
            }
        }
    }
}

async fn is_stored(connection: &WritingConnection, message: MessageId) -> Result<bool> {
    let id = Uuid::from_bytes(*message.as_bytes());
    let row = connection.client.query_opt("SELECT 1 FROM messages WHERE id = $1", &[&id]).await?;
    Ok(row.is_some())
}

/// What an error before the commit means: nothing was committed.
fn classified(error: anyhow::Error) -> Attempt {
    let Some(cause) = error.downcast_ref::<Error>() else { return Attempt::Refused(error) };
    let Some(code) = cause.code() else { return Attempt::Again(error) };
    let passes = [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::LOCK_NOT_AVAILABLE,
        // Another server has made the same room, or used the same key.
        SqlState::UNIQUE_VIOLATION,
        SqlState::TOO_MANY_CONNECTIONS,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    ];
    if passes.contains(code) || is_shutdown(cause) { Attempt::Again(error) } else { Attempt::Refused(error) }
}

/// Whether the server says that it is stopping or starting.
fn is_shutdown(error: &Error) -> bool {
    error.code().is_some_and(|code| {
        [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW].contains(code)
    })
}

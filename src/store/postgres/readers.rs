//! The connections that read.

use std::{
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime, Timeouts,
};
use futures_util::future::BoxFuture;
use tokio::time::timeout;

use super::settings::Settings;
use crate::{
    error::{Error, Result},
    metrics::Metrics,
    store::reads::QueuedRead,
};

/// How long a read may take, with the wait for a connection.
const ANSWER: Duration = Duration::from_secs(5);

/// A pool of connections.
pub(super) struct Readers {
    pool: Pool,
    unfinished: AtomicUsize,
    metrics: Metrics,
}

impl Readers {
    pub(super) fn new(settings: &Settings, metrics: &Metrics) -> Result<Self> {
        let manager = Manager::from_config(
            settings.connection.clone(),
            settings.tls.clone(),
            ManagerConfig { recycling_method: RecyclingMethod::Fast },
        );
        let session: Arc<str> = format!("{}; SET default_transaction_read_only = on", settings.session()).into();
        let set_up = Hook::async_fn(move |client: &mut deadpool_postgres::ClientWrapper, _| {
            let session = session.clone();
            Box::pin(async move { client.batch_execute(&session).await.map_err(HookError::Backend) })
        });
        let timeouts = Timeouts { wait: Some(ANSWER), create: Some(ANSWER), recycle: Some(ANSWER) };
        let pool = Pool::builder(manager)
            .max_size(settings.readers)
            .timeouts(timeouts)
            .runtime(Runtime::Tokio1)
            .post_create(set_up)
            .build()
            .map_err(|error| Error::internal("the store cannot be opened", error))?;
        Ok(Self { pool, unfinished: AtomicUsize::new(0), metrics: metrics.clone() })
    }

    /// Runs `query` with a connection. If the connection turns out to be lost, it runs again with another one. A query is
    /// one statement: it sees one moment, and no transaction stays open if the request is cancelled.
    pub(super) async fn read<A: Sync, T>(
        &self,
        arguments: &A,
        query: for<'a> fn(&'a Object, &'a A) -> BoxFuture<'a, anyhow::Result<T>>,
    ) -> Result<T> {
        let _queued = QueuedRead::new(&self.unfinished).ok_or_else(|| Error::unavailable("the store is busy"))?;
        let attempts = async {
            loop {
                let client = self.pool.get().await?;
                match query(&client, arguments).await {
                    Err(_) if client.is_closed() => {}
                    result => return result,
                }
            }
        };
        let result = timeout(ANSWER, attempts).await.unwrap_or_else(|_| Err(anyhow::anyhow!("no answer in time")));
        result.map_err(|error: anyhow::Error| {
            self.metrics.failed_reads.increment(1);
            match error.downcast_ref::<PoolError>() {
                Some(PoolError::Closed) => Error::unavailable("the store is closing"),
                _ => Error::internal("the store failed", error),
            }
        })
    }

    /// Closes the connections that are not in use. Further reads fail.
    pub(super) fn close(&self) {
        self.pool.close();
    }
}

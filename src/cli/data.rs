//! `sockeye erase` and `sockeye export`: what the HTTP API does, on the database itself.

use std::{io::Write, sync::Arc};

use bytes::Bytes;
use tokio::{runtime::Builder, sync::mpsc};

use super::commands::Kind;
use crate::{
    config::{Config, ConfigError},
    erasure::{self, Lines},
    error::Result,
    metrics::Metrics,
    model::{Room, RoomName, UserId},
    protocol::Reply,
    store::{self, Store},
    supervise::Background,
    telemetry,
};

/// The work of a command.
pub(super) enum Work {
    CountUser(UserId),
    EraseUser(UserId),
    ExportUser(UserId),
    CountRoom(RoomName),
    EraseRoom(RoomName),
    ExportRoom(RoomName),
}

impl Work {
    pub(super) fn erase(what: Kind, name: &str, dry_run: bool, config: &Config) -> anyhow::Result<Self> {
        match (what, dry_run) {
            (Kind::User, _) => {
                let user = UserId::parse(name).map_err(ConfigError)?;
                anyhow::ensure!(!user.is_system(), "the system cannot be erased");
                Ok(if dry_run { Self::CountUser(user) } else { Self::EraseUser(user) })
            }
            (Kind::Room, _) => {
                let room = RoomName::parse(name).map_err(ConfigError)?;
                anyhow::ensure!(room != config.rooms.lobby, "the lobby cannot be deleted");
                Ok(if dry_run { Self::CountRoom(room) } else { Self::EraseRoom(room) })
            }
        }
    }

    pub(super) fn export(what: Kind, name: &str) -> Result<Self, ConfigError> {
        Ok(match what {
            Kind::User => Self::ExportUser(UserId::parse(name).map_err(ConfigError)?),
            Kind::Room => Self::ExportRoom(RoomName::parse(name).map_err(ConfigError)?),
        })
    }

    async fn run(self, store: &Store, mut lines: Lines) -> Result<()> {
        // No client is connected to this process.
        let tell: erasure::Tell = Arc::new(|_, _| {});
        match self {
            Self::CountUser(user) => {
                let data = erasure::count_user(store, &user, &mut lines).await?;
                lines.write(&Reply::Done { success: true, data }).await
            }
            Self::EraseUser(user) => {
                let data = erasure::erase_user(store, &user, &tell, &mut lines).await?;
                tracing::info!(%user, by = "command line", messages = data.messages, "a user was erased");
                lines.write(&Reply::Done { success: true, data }).await
            }
            Self::CountRoom(room) => {
                let data = erasure::count_room(store, &Room::Named(room)).await?;
                lines.write(&Reply::Done { success: true, data }).await
            }
            Self::EraseRoom(room) => {
                let data = erasure::erase_room(store, &Room::Named(room.clone()), &tell, &mut lines).await?;
                tracing::info!(%room, by = "command line", messages = data.messages, "a room was erased");
                lines.write(&Reply::Done { success: true, data }).await
            }
            Self::ExportUser(user) => erasure::export_user(store, &user, &lines).await.map(drop),
            Self::ExportRoom(room) => erasure::export_room(store, &room, &lines).await.map(drop),
        }
    }
}

/// Opens the store, does the work, and prints its output. The store's lock must be free: the server must not run.
pub(super) fn run(config: &Config, work: Work) -> anyhow::Result<()> {
    telemetry::start(&config.log);
    store::check(&config.store)?;
    Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let mut background = Background::default();
        // The server's index must stay, also if this command does not know its settings.
        let search = store::indexed_fields(&config.store).await?;
        let store = Store::open(&config.store, &search, &Metrics::off(), &mut background)?;
        let (lines, output) = Lines::new();
        let (done, printed) = tokio::join!(work.run(&store, lines), print(output));
        store.close().await;
        background.shutdown().await;
        printed?;
        Ok(done?)
    })
}

async fn print(mut output: mpsc::Receiver<Bytes>) -> std::io::Result<()> {
    while let Some(line) = output.recv().await {
        std::io::stdout().write_all(&line)?;
    }
    std::io::stdout().flush()
}

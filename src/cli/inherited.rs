//! A listener that the supervisor has opened, as systemd does with a `.socket` unit: `LISTEN_FDS`, see sd_listen_fds(3).
//! It outlives the process, so connections wait while one process ends and the next begins.

use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, Instant},
};

use listenfd::ListenFd;
use tokio::net::{TcpListener, lookup_host};

use crate::{
    config::{Config, ConfigError},
    store,
};

/// How long to wait until the process before has left the folder.
const HANDOVER: Duration = Duration::from_secs(30);
/// How often to look.
const TICK: Duration = Duration::from_millis(20);

/// The listener of the supervisor; `None` if there is none. It must have the address of `server.listen`, because other
/// settings are checked against that.
pub(super) async fn listener(listen: &str) -> Result<Option<TcpListener>, ConfigError> {
    let mut inherited = ListenFd::from_env();
    match inherited.len() {
        0 => return Ok(None),
        1 => {}
        sockets => return Err(ConfigError(format!("LISTEN_FDS: one socket is needed, and there are {sockets}"))),
    }
    let unusable = |error: io::Error| ConfigError(format!("LISTEN_FDS: the socket cannot be used: {error}"));
    let listener = inherited.take_tcp_listener(0).map_err(unusable)?.expect("there is one");
    listener.set_nonblocking(true).map_err(unusable)?;
    let listener = TcpListener::from_std(listener).map_err(unusable)?;
    let address = listener.local_addr().map_err(unusable)?;
    let named: Vec<SocketAddr> = lookup_host(listen).await.map(Iterator::collect).unwrap_or_default();
    if !named.contains(&address) {
        return Err(ConfigError(format!(
            "server.listen: it is {listen}, but the socket that the server was given listens on {address}"
        )));
    }
    Ok(Some(listener))
}

/// Waits until the process before has ended: until then it writes into the folder. Returns after [`HANDOVER`] at the
/// latest; the check of the folder then reports the other process.
pub(super) async fn wait_for_folder(config: &Config, is_bare: bool) {
    let of_store = (!is_bare && config.store.url.is_empty()).then_some(&config.store.path);
    let own = Some(&config.recovery.path).filter(|own| !own.as_os_str().is_empty());
    let folders: Vec<&PathBuf> = of_store.into_iter().chain(own).collect();
    let until = Instant::now() + HANDOVER;
    let mut is_first = true;
    while let Some(folder) = folders.iter().find(|folder| store::is_locked(folder))
        && Instant::now() < until
    {
        if std::mem::take(&mut is_first) {
            tracing::info!(folder = %folder.display(), "waiting for the process before");
        }
        tokio::time::sleep(TICK).await;
    }
}

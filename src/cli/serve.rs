//! `sockeye serve`: binds and serves; reloads the settings on SIGHUP and drains on SIGTERM.

use std::io::Write;

use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
};

use super::check_keys;
use crate::{
    config::{ConfigError, Loaded, Sources},
    open_files,
    server::{Reloader, Server},
    store, telemetry,
};

#[tokio::main]
pub(super) async fn serve(sources: Sources) -> anyhow::Result<()> {
    let Loaded { config, warnings } = sources.clone().load_with_keys(check_keys)?;
    telemetry::start(&config.log);
    open_files::raise();
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    store::check_folder(&config.store)?;
    let listener = bind("server.listen", &config.server.listen).await?;
    let address = listener.local_addr()?;
    let metrics_listen = config.metrics.listen.clone();
    let mut server = Server::new(config);
    if !metrics_listen.is_empty() {
        let listener = bind("metrics.listen", &metrics_listen).await?;
        tracing::info!(address = %listener.local_addr()?, "metrics");
        server = server.metrics_on(listener);
    }
    let shutdown = asked_to_stop()?;
    let hangups = signal(SignalKind::hangup())?;
    let mut server = server.open()?;
    server.watch("reload", reload(hangups, sources, server.reloader()));
    let mut output = std::io::stdout();
    writeln!(output, "listening on http://{address}")?;
    output.flush()?;
    server.serve(listener, shutdown).await?;
    Ok(())
}

/// Reloads the settings at each SIGHUP.
async fn reload(mut hangups: Signal, sources: Sources, reloader: Reloader) {
    while hangups.recv().await.is_some() {
        let (sources, reloader) = (sources.clone(), reloader.clone());
        // Reads files, so it must not run on an async thread.
        let reloaded = tokio::task::spawn_blocking(move || {
            let Loaded { config, warnings } = sources.load()?;
            for warning in warnings {
                tracing::warn!("{warning}");
            }
            reloader.reload(&config)
        });
        let reloaded = reloaded.await.unwrap_or_else(|panic| Err(ConfigError(panic.to_string()).into()));
        for mistake in reloaded.err().map(|errors| errors.mistakes).unwrap_or_default() {
            tracing::error!(error = %mistake, "the settings cannot be read again: nothing changes");
        }
    }
}

async fn bind(key: &str, address: &str) -> Result<TcpListener, ConfigError> {
    TcpListener::bind(address).await.map_err(|error| ConfigError(format!("{key}: cannot listen on {address}: {error}")))
}

/// Completes at the first SIGTERM or SIGINT; the second one ends the process at once.
fn asked_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            std::process::exit(1);
        });
    })
}

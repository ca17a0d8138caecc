//! `sockeye serve`: binds and serves; reloads the settings on SIGHUP and drains on SIGTERM.

use std::{io::Write, sync::Arc};

use axum::Router;
use tokio::{
    net::TcpListener,
    runtime::{Builder, Handle},
    signal::unix::{Signal, SignalKind, signal},
    task,
};

use super::{check_keys, inherited};
use crate::{
    config::{Base, ConfigError, Sources},
    open_files,
    server::{Reloader, Server},
    store, telemetry,
};

/// Serves until a signal, in the runtime of the caller if there is one.
pub(super) fn serve(server: Server, base: Base, sources: Sources) -> anyhow::Result<()> {
    let serving = serve_here(server, base, sources);
    match Handle::try_current() {
        Ok(runtime) => task::block_in_place(|| runtime.block_on(serving)),
        Err(_) => Builder::new_multi_thread().enable_all().build()?.block_on(serving),
    }
}

async fn serve_here(mut server: Server, base: Base, sources: Sources) -> anyhow::Result<()> {
    let loaded = sources.clone().load_onto(&base, check_keys)?;
    let config = &loaded.config;
    telemetry::start(&config.log);
    open_files::raise();
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let inherited = inherited::listener(&config.server.listen).await?;
    let is_inherited = inherited.is_some();
    if is_inherited {
        inherited::wait_for_folder(config, base.is_bare).await;
    }
    if !base.is_bare {
        store::check(&config.store)?;
    }
    let listener = match inherited {
        Some(listener) => listener,
        None => bind("server.listen", &config.server.listen).await?,
    };
    let address = listener.local_addr()?;
    let metrics_listen = config.metrics.listen.clone();
    server.configure(loaded);
    if !metrics_listen.is_empty() {
        let listener = bind("metrics.listen", &metrics_listen).await?;
        tracing::info!(address = %listener.local_addr()?, "metrics");
        server = server.metrics_on(listener);
    }
    let shutdown = asked_to_stop()?;
    let hangups = signal(SignalKind::hangup())?;
    let mut server = server.open()?;
    if is_inherited {
        server.inherit_listener();
    }
    server.watch("reload", reload(hangups, Arc::new(base), sources, server.reloader()));
    let mut output = std::io::stdout();
    writeln!(output, "listening on http://{address}")?;
    output.flush()?;
    server.serve(listener, Router::new(), shutdown).await?;
    Ok(())
}

/// Reloads the settings at each SIGHUP.
async fn reload(mut hangups: Signal, base: Arc<Base>, sources: Sources, reloader: Reloader) {
    while hangups.recv().await.is_some() {
        let (base, sources, reloader) = (base.clone(), sources.clone(), reloader.clone());
        // Reads files, so it must not run on an async thread.
        let reloaded = task::spawn_blocking(move || {
            let loaded = sources.load_onto(&base, |_| Ok(()))?;
            for warning in &loaded.warnings {
                tracing::warn!("{warning}");
            }
            reloader.reload_loaded(loaded)
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

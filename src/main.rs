//! The command line; binds, serves, nothing else.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, Ipv6Addr, TcpStream, ToSocketAddrs},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use sockeye::{
    Config, Reloader, Server, allocator,
    auth::{self, Issue},
    config::{self, ConfigError, ConfigErrors, Loaded, Scope, Sources},
    model::{Timestamp, UserId},
    open_files, store, telemetry,
};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
};

/// How long a health check waits.
const PATIENCE: Duration = Duration::from_secs(3);

/// A self-hosted event server that unchanged Socket.IO clients connect to.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    settings: Settings,
}

/// Where settings come from.
#[derive(Args, Default)]
struct Settings {
    /// The configuration file [default: sockeye.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address and port, as server.listen
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// The folder with the database, as store.path
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// Any setting, as in --set limits.events-per-second=0
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_and_value)]
    settings: Vec<(String, String)>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server (the default)
    Serve(Settings),
    /// Check the settings and tell every mistake in them; no port and no database is opened
    CheckConfig(Settings),
    /// Print a commented configuration file with every setting at its default
    DefaultConfig,
    /// Print a signed JSON Web Token, to try a server with auth.mode = "jwt"
    Token {
        /// The user's id (sub)
        #[arg(long)]
        user: String,
        /// The user's name
        #[arg(long)]
        name: Option<String>,
        /// Patterns of the rooms the user may enter, separated by commas, such as team-*
        #[arg(long, value_delimiter = ',')]
        rooms: Vec<String>,
        /// How long it is valid, such as 30m
        #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = config::parse_duration)]
        expires_in: Duration,
        /// The private key in PEM, for RS256, ES256 and EdDSA
        #[arg(long, value_name = "FILE")]
        private_key: Option<PathBuf>,
        /// Which key of auth.keys signs it
        #[arg(long)]
        kid: Option<String>,
        #[command(flatten)]
        settings: Settings,
    },
    /// Make a key with which a backend may use the HTTP API
    ApiKey {
        /// What the key is called in the configuration
        name: String,
        /// What it may do, separated by commas, such as events:write,users:read; * is everything
        #[arg(long, value_delimiter = ',', default_value = "*", value_parser = scope)]
        scopes: Vec<String>,
        /// How long it is valid, such as 90d; without it, for ever
        #[arg(long, value_name = "DURATION", value_parser = config::parse_duration)]
        expires_in: Option<Duration>,
    },
    /// Ask the server at server.listen whether it is ready, and exit with 0 or 1
    Health(Settings),
    /// Copy the database into a new file, while the server runs
    Backup {
        /// The new file
        file: PathBuf,
        #[command(flatten)]
        settings: Settings,
    },
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn scope(text: &str) -> Result<String, String> {
    serde_json::from_value::<Scope>(text.into()).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

fn main() -> ExitCode {
    allocator::tune();
    let cli = Cli::parse();
    match run(cli.command.unwrap_or(Command::Serve(cli.settings))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let Some(ConfigErrors { mistakes, warnings }) = error.downcast_ref() else {
                eprintln!("sockeye: {error:#}");
                // What the operator set is wrong: 2, as for a wrong flag.
                return if error.is::<ConfigError>() { ExitCode::from(2) } else { ExitCode::FAILURE };
            };
            for warning in warnings {
                eprintln!("warning: {warning}");
            }
            for mistake in mistakes {
                eprintln!("sockeye: {mistake}");
            }
            ExitCode::from(2)
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve(settings) => serve(settings),
        Command::CheckConfig(settings) => {
            let Loaded { warnings, .. } = sources(settings).load_with_keys(check_keys)?;
            for warning in warnings {
                eprintln!("warning: {warning}");
            }
            println!("the configuration is fine");
            Ok(())
        }
        Command::DefaultConfig => {
            print!("{}", config::default_toml());
            Ok(())
        }
        Command::Token { user, name, rooms, expires_in, private_key, kid, settings } => {
            let Loaded { config, .. } = load(settings)?;
            let private_key = private_key.map(std::fs::read).transpose().context("--private-key cannot be read")?;
            let user = UserId::parse(&user).map_err(|error| ConfigError(format!("--user: {error}")))?;
            let issue = Issue { user, name, rooms, lifetime: expires_in, kid };
            println!("{}", auth::issue(&config.auth, private_key.as_deref(), issue)?);
            Ok(())
        }
        Command::ApiKey { name, scopes, expires_in } => {
            let (key, hash) = auth::new_key();
            println!("{key}");
            eprintln!(
                "\nThis is the only time the key is shown. To make it valid, add to sockeye.toml and send SIGHUP:\n"
            );
            eprintln!("[key.{}]\nhash = {hash:?}\nscopes = {scopes:?}", toml_key(&name));
            if let Some(lifetime) = expires_in {
                let now = Timestamp::now().as_millis();
                let end = Timestamp::from_millis(now.saturating_add(lifetime.as_millis() as u64));
                eprintln!("expires-at = \"{end}\"");
            }
            Ok(())
        }
        Command::Health(settings) => health(&load(settings)?.config.server.listen),
        Command::Backup { file, settings } => store::backup(&load(settings)?.config.store.path, &file),
    }
}

/// A name as TOML writes it: bare where it can be (<https://toml.io/en/v1.0.0#keys>).
fn toml_key(name: &str) -> String {
    let is_bare = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if is_bare { name.to_owned() } else { toml::Value::from(name).to_string() }
}

/// Asks for `/ready` at the address the server listens on; one that means every interface is asked on loopback.
fn health(listen: &str) -> anyhow::Result<()> {
    let mut address = listen.to_socket_addrs()?.next().context("server.listen names no address")?;
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET /ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP answer")?;
    anyhow::ensure!(head.starts_with("HTTP/1.1 200 "), "{address} is not ready: {}", body.trim());
    print!("{body}");
    Ok(())
}

fn sources(settings: Settings) -> Sources {
    let flag = |key: &str, value: Option<String>| value.map(|value| (key.to_owned(), value));
    let mut flags = settings.settings;
    flags.extend(flag("server.listen", settings.listen));
    flags.extend(flag("store.path", settings.data));
    Sources { file: settings.config, flags }
}

fn load(settings: Settings) -> Result<Loaded, ConfigErrors> {
    sources(settings).load()
}

fn check_keys(config: &Config) -> Result<(), ConfigError> {
    auth::Auth::new(config).map(drop)
}

#[tokio::main]
async fn serve(settings: Settings) -> anyhow::Result<()> {
    let sources = sources(settings);
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

/// Reads the settings again at each SIGHUP.
async fn reload(mut hangups: Signal, sources: Sources, reloader: Reloader) {
    while hangups.recv().await.is_some() {
        let (sources, reloader) = (sources.clone(), reloader.clone());
        // The settings and the keys are in files.
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

/// Done at the first SIGTERM or SIGINT; the second ends the process at once.
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

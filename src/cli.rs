//! The command line of a server: the configuration, the commands, logs, signals and exit codes.

mod api_key;
mod commands;
mod copy_store;
mod data;
mod health;
mod inherited;
mod serve;

use std::{env, ffi::OsString, path::Path, process::ExitCode};

use anyhow::Context;

use self::commands::{ChatCommand, Command, Settings};
use crate::{
    allocator,
    auth::{self, NewToken},
    config::{self, Base, Config, ConfigError, ConfigErrors, Loaded},
    model::UserId,
    server::Server,
    store,
};

/// Gives a server a command line: the whole program, but for its handlers. The binary of sockeye is
/// `sockeye::cli(Server::new(Config::default()))`.
///
/// ```no_run
/// use std::process::ExitCode;
/// use axum::{Router, routing::get};
/// use serde::{Deserialize, Serialize};
/// use sockeye::{Config, Ctx, Server};
///
/// #[derive(Serialize, Deserialize)]
/// struct GameSettings {
///     max_players: u8,
/// }
///
/// fn main() -> ExitCode {
///     let server = Server::bare(Config::bare())
///         .section("game", GameSettings { max_players: 4 })
///         .on("limit", async |ctx: Ctx, ()| ctx.settings::<GameSettings>().max_players)
///         .routes(Router::new().route("/rules", get("Be kind.")));
///     sockeye::cli(server)
/// }
/// ```
///
/// - The server's own configuration is the default. `sockeye.toml` or the file of `--config`, variables
///   (`SOCKEYE_LIMITS__CONNECTIONS=100`) and flags (`--set limits.connections=100`) go over it. Sections of one's own:
///   [`Server::section`].
/// - Commands: `serve` (the default), `check-config`, `default-config`, `token`, `health`; with the chat `api-key`,
///   `backup`, `copy-store`, `erase` and `export` too.
/// - `serve` writes logs to standard error and the address to standard output, serves metrics at `metrics.listen`,
///   reads the settings again at SIGHUP, and drains at SIGTERM and SIGINT.
/// - The exit code is 0 after a drain, 2 where the settings or the flags are wrong, and otherwise 1.
///
/// It blocks until the server has closed. Called from a Tokio runtime, it serves on that one; otherwise it starts a
/// runtime.
///
/// # Panics
///
/// If it is called from a runtime that has one thread only.
pub fn cli(server: Server) -> ExitCode {
    allocator::tune();
    let arguments: Vec<OsString> = env::args_os().collect();
    let program = arguments.first().and_then(|path| Path::new(path).file_stem()?.to_str());
    let program = program.unwrap_or(env!("CARGO_PKG_NAME")).to_owned();
    let mut server = server;
    let base = server.take_base();
    let command = commands::parse(base.is_bare, &program, arguments);
    let Err(error) = run(command, server, base) else { return ExitCode::SUCCESS };
    let Some(ConfigErrors { mistakes, warnings }) = error.downcast_ref() else {
        eprintln!("{program}: {error:#}");
        // Exit code 2 for a wrong setting, as for a wrong flag.
        return if error.is::<ConfigError>() { ExitCode::from(2) } else { ExitCode::FAILURE };
    };
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
    for mistake in mistakes {
        eprintln!("{program}: {mistake}");
    }
    ExitCode::from(2)
}

fn run(command: ChatCommand, server: Server, base: Base) -> anyhow::Result<()> {
    let load = |settings: Settings| settings.sources().load_onto(&base, |_| Ok(()));
    match command {
        ChatCommand::Common(Command::Serve(settings)) => serve::serve(server, base, settings.sources()),
        ChatCommand::Common(Command::CheckConfig(settings)) => {
            let Loaded { warnings, .. } = settings.sources().load_onto(&base, check_keys)?;
            for warning in warnings {
                eprintln!("warning: {warning}");
            }
            println!("the configuration is fine");
            Ok(())
        }
        ChatCommand::Common(Command::DefaultConfig) => {
            print!("{}", config::toml_of(&base));
            Ok(())
        }
        ChatCommand::Common(Command::Token { user, name, rooms, expires_in, private_key, kid, settings }) => {
            let Loaded { config, .. } = load(settings)?;
            let private_key = private_key.map(std::fs::read).transpose().context("--private-key cannot be read")?;
            let user = UserId::parse(&user).map_err(|error| ConfigError(format!("--user: {error}")))?;
            let token = NewToken { user, name, rooms, lifetime: expires_in, kid };
            println!("{}", auth::issue(&config.auth, private_key.as_deref(), token)?);
            Ok(())
        }
        ChatCommand::Common(Command::Health(settings)) => health::health(&load(settings)?.config.server.listen),
        ChatCommand::ApiKey { name, scopes, expires_in } => {
            api_key::api_key(&name, &scopes, expires_in);
            Ok(())
        }
        ChatCommand::Erase { what, name, dry_run, settings } => {
            let Loaded { config, .. } = load(settings)?;
            data::run(&config, data::Work::erase(what, &name, dry_run, &config)?)
        }
        ChatCommand::Export { what, name, settings } => {
            let Loaded { config, .. } = load(settings)?;
            data::run(&config, data::Work::export(what, &name)?)
        }
        ChatCommand::CopyStore { ends, settings } => copy_store::copy_store(&load(settings)?.config, ends),
        ChatCommand::Backup { file, settings } => store::backup(&load(settings)?.config.store.path, &file),
    }
}

fn check_keys(config: &Config) -> Result<(), ConfigError> {
    auth::Auth::new(config).map(drop)
}

//! The command line: parses the arguments and runs a command.

mod health;
mod serve;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context;
use clap::{Args, Parser, Subcommand};

use crate::{
    allocator,
    auth::{self, Issue},
    config::{self, Config, ConfigError, ConfigErrors, Loaded, Scope, Sources},
    model::{Timestamp, UserId},
    store,
};

/// A self-hosted event server that unchanged Socket.IO clients connect to.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    settings: Settings,
}

/// The sources of settings.
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
    /// Check the settings and report every mistake; opens no port and no database
    CheckConfig(Settings),
    /// Print a commented configuration file with every setting at its default
    DefaultConfig,
    /// Print a signed JSON Web Token, to test a server with auth.mode = "jwt"
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
        /// The kid of the key in auth.keys that signs it
        #[arg(long)]
        kid: Option<String>,
        #[command(flatten)]
        settings: Settings,
    },
    /// Generate a key for a backend that uses the HTTP API
    ApiKey {
        /// The key's name in the configuration
        name: String,
        /// Its permissions, separated by commas, such as events:write,users:read; * is all
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

/// Parses the command line and runs the command: the whole program.
pub fn main() -> ExitCode {
    allocator::tune();
    let cli = Cli::parse();
    match run(cli.command.unwrap_or(Command::Serve(cli.settings))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let Some(ConfigErrors { mistakes, warnings }) = error.downcast_ref() else {
                eprintln!("sockeye: {error:#}");
                // Exit code 2 for a wrong setting, as for a wrong flag.
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
        Command::Serve(settings) => serve::serve(sources(settings)),
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
        Command::Health(settings) => health::health(&load(settings)?.config.server.listen),
        Command::Backup { file, settings } => store::backup(&load(settings)?.config.store.path, &file),
    }
}

/// A name as a TOML key, quoted only where necessary (<https://toml.io/en/v1.0.0#keys>).
fn toml_key(name: &str) -> String {
    let is_bare = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if is_bare { name.to_owned() } else { toml::Value::from(name).to_string() }
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

//! The commands and flags, as clap parses them.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::config::{self, Scope, Sources};

/// A command line with these commands.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct CommandLine<C: Subcommand> {
    #[command(subcommand)]
    command: Option<C>,
    #[command(flatten)]
    settings: Settings,
}

/// The sources of settings.
#[derive(Args, Default)]
pub(super) struct Settings {
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

/// The commands of every server.
#[derive(Subcommand)]
pub(super) enum Command {
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
    /// Ask the server at server.listen whether it is ready, and exit with 0 or 1
    Health(Settings),
}

/// What is erased or exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// What is stored of a user
    User,
    /// A room
    Room,
}

/// The two ends of a copy.
#[derive(Args)]
pub(super) struct Ends {
    /// postgres://user@host/database, or a folder; it must be empty, or hold a part of the same copy
    #[arg(long, value_name = "URL")]
    pub(super) to: String,
    /// Copy from this folder, backup file or URL [default: the store of the settings]
    #[arg(long, value_name = "URL")]
    pub(super) from: Option<String>,
    /// The schema in PostgreSQL that is copied to [default: store.schema]
    #[arg(long, value_name = "NAME")]
    pub(super) to_schema: Option<String>,
    /// A file with the password of --to [default: store.password or store.password-file]
    #[arg(long, value_name = "FILE")]
    pub(super) to_password_file: Option<PathBuf>,
}

/// The commands of a server with the chat.
#[derive(Subcommand)]
pub(super) enum ChatCommand {
    #[command(flatten)]
    Common(Command),
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
    /// Erase a user's data, or a room; the server must be stopped, unless store.shared = true
    Erase {
        /// user or room
        what: Kind,
        /// The user's id, or the room's name
        name: String,
        /// Only count what would be erased
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        settings: Settings,
    },
    /// Print a user's data, or a room, as lines of JSON; the server must be stopped, unless store.shared = true
    Export {
        /// user or room
        what: Kind,
        /// The user's id, or the room's name
        name: String,
        #[command(flatten)]
        settings: Settings,
    },
    /// Copy everything that is kept into another database, such as a folder into PostgreSQL; both servers must be stopped
    CopyStore {
        #[command(flatten)]
        ends: Ends,
        #[command(flatten)]
        settings: Settings,
    },
    /// Copy the database into a new file, while the server runs
    Backup {
        /// The new file
        file: PathBuf,
        #[command(flatten)]
        settings: Settings,
    },
}

/// Parses the command line of a server. `name` is the program's name in the help. Ends the process for `--help`
/// and for a wrong flag.
pub(super) fn parse(is_bare: bool, name: &str, arguments: Vec<OsString>) -> ChatCommand {
    match is_bare {
        true => ChatCommand::Common(parse_as::<Command>(is_bare, name, arguments).unwrap_or_else(Command::Serve)),
        false => parse_as::<ChatCommand>(is_bare, name, arguments)
            .unwrap_or_else(|settings| ChatCommand::Common(Command::Serve(settings))),
    }
}

/// Returns the command. If there is none, returns the flags as `Err`, for [`Command::Serve`].
fn parse_as<C: Subcommand>(is_bare: bool, name: &str, arguments: Vec<OsString>) -> Result<C, Settings> {
    let about = if is_bare { "A Socket.IO server." } else { env!("CARGO_PKG_DESCRIPTION") };
    let command = CommandLine::<C>::command().name(name.to_owned()).bin_name(name).about(about);
    let command = if is_bare { hide_data(command).mut_subcommands(hide_data) } else { command };
    let mut matches = command.get_matches_from(arguments);
    let line = CommandLine::<C>::from_arg_matches_mut(&mut matches).unwrap_or_else(|error| error.exit());
    line.command.ok_or(line.settings)
}

/// A bare server has no database.
fn hide_data(command: clap::Command) -> clap::Command {
    let has_it = command.get_arguments().any(|argument| argument.get_id() == "data");
    if has_it { command.mut_arg("data", |argument| argument.hide(true)) } else { command }
}

impl Settings {
    /// The sources from which the configuration is loaded.
    pub(super) fn sources(self) -> Sources {
        let flag = |key: &str, value: Option<String>| value.map(|value| (key.to_owned(), value));
        let mut flags = self.settings;
        flags.extend(flag("server.listen", self.listen));
        flags.extend(flag("store.path", self.data));
        Sources { file: self.config, flags }
    }
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn scope(text: &str) -> Result<String, String> {
    serde_json::from_value::<Scope>(text.into()).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

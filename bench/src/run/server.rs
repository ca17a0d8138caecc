//! Starting and stopping the servers.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use clap::ValueEnum;

use super::cells::Cell;
use crate::{cli::Plan, client::http::KEY_HASH, dialect::Dialect, scenario::Scenario};

/// Settings for the limits that the generator would reach: it uses one address and very busy sockets. The limits are
/// raised, not disabled, so that events and connections are still counted at their usual cost; all other limits are
/// the defaults.
const RAISED: [&str; 3] =
    ["limits.events-per-second=1000000", "limits.sockets-per-address=100000", "api.requests-per-second=1000000"];

/// Placeholder in the arguments, replaced by a new folder.
const FOLDER: &str = "{folder}";

/// How long a server may take to print its address.
const START: Duration = Duration::from_secs(20);

/// How to start a server.
pub struct Recipe {
    /// The name in the table.
    pub name: String,
    dialect: Dialect,
    saves: bool,
    program: PathBuf,
    arguments: Vec<String>,
}

impl Recipe {
    /// Whether the cell runs on this server: a peer that saves messages only for sends; plain WebSocket and the floor
    /// in sockeye's dialect only for fan-out, the latter also at a fixed rate; and the HTTP API only on sockeye.
    pub fn does(&self, cell: &Cell) -> bool {
        match self.dialect {
            Dialect::Peer => match cell.scenario {
                Scenario::Send(_) => true,
                Scenario::ApiEvents(_) => false,
                _ => !self.saves,
            },
            Dialect::Sockeye => self.saves || matches!(cell.scenario, Scenario::FanOut(_) | Scenario::Rate(_)),
            Dialect::Plain => cell.name.starts_with("fan-out"),
        }
    }

    /// Starts the server in a new folder, and waits until it listens.
    pub fn start(&self) -> Result<Server> {
        let folder = Folder::new()?;
        let here = folder.0.display().to_string();
        let log = fs::File::create(folder.0.join("log"))?;
        let mut child = Command::new(&self.program)
            .args(self.arguments.iter().map(|argument| argument.replace(FOLDER, &here)))
            .args(["--listen", "127.0.0.1:0"])
            .current_dir(&folder.0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        let output = child.stdout.take().context("no standard output")?;
        let unnamed = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = Server { address: unnamed, dialect: self.dialect, child, folder };
        server.address = first_line(output).map_err(|error| anyhow!("{error:#}{}", server.last_words()))?;
        Ok(server)
    }
}

/// The address in `listening on http://ADDRESS:PORT`. Further output is read and discarded, so that the pipe never
/// fills.
fn first_line(output: impl std::io::Read + Send + 'static) -> Result<SocketAddr> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = String::new();
        // The receiver is gone if the server was too slow; then the line is not needed.
        let _ = output.read_line(&mut line).map(|_| send.send(line));
        std::io::copy(&mut output, &mut std::io::sink())
    });
    let line = receive.recv_timeout(START).context("the server says nothing")?;
    let address = line.trim().strip_prefix("listening on http://").context("no address in the first line")?;
    address.parse().with_context(|| format!("no address in {line:?}"))
}

/// A running server; dropping it ends it.
pub struct Server {
    /// The address.
    pub address: SocketAddr,
    /// The dialect.
    pub dialect: Dialect,
    child: Child,
    folder: Folder,
}

impl Server {
    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The end of its log, for an error message; empty if it logged nothing.
    pub fn last_words(&self) -> String {
        let log = fs::read_to_string(self.folder.0.join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().filter(|line| !line.trim().is_empty()).take(3).collect();
        if lines.is_empty() {
            return String::new();
        }
        format!("; its last words: {}", lines.into_iter().rev().collect::<Vec<_>>().join(" / "))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The process may have ended already, which the cell has reported.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Folder> {
        let path = std::env::temp_dir().join(format!("sockeye-bench-{}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A leftover temporary folder is no reason to fail.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The servers that the plan selects; Node first, because the others are compared with it.
pub fn recipes(plan: &Plan) -> Result<Vec<Recipe>> {
    let peer = absolute(&plan.peers.join("server.mjs"))?.display().to_string();
    let node = |name: &str, saves, more: &[&str]| Recipe {
        name: name.into(),
        dialect: Dialect::Peer,
        saves,
        program: "node".into(),
        arguments: [peer.as_str()].iter().chain(more).map(|&word| word.into()).collect(),
    };
    let mut recipes = vec![node("node", false, &[]), node("node-sqlite", true, &["--save", FOLDER])];
    if plan.peers.join("node_modules/uwebsockets").exists() {
        recipes.push(Recipe {
            name: "uws".into(),
            dialect: Dialect::Peer,
            saves: false,
            program: "node".into(),
            arguments: vec![absolute(&plan.peers.join("uws.mjs"))?.display().to_string()],
        });
    }
    if let Some(library) = &plan.library {
        recipes.push(Recipe {
            name: "library".into(),
            dialect: Dialect::Peer,
            saves: false,
            program: absolute(library)?,
            arguments: Vec::new(),
        });
    }
    if let Some(sockeye) = &plan.sockeye {
        recipes.extend(binary(sockeye, &plan.sockeye_arg)?);
    }
    for (name, dialect, words) in [("floor", Dialect::Peer, "peer"), ("floor-sockeye", Dialect::Sockeye, "sockeye")] {
        recipes.push(Recipe {
            name: name.into(),
            dialect,
            saves: false,
            program: std::env::current_exe()?,
            arguments: ["floor", "--dialect", words].map(String::from).into(),
        });
    }
    for extra in &plan.extra {
        recipes.push(parse_extra(extra)?);
    }
    recipes.retain(|recipe| plan.servers.is_empty() || plan.servers.contains(&recipe.name));
    Ok(recipes)
}

/// Once for Socket.IO clients, once for plain WebSocket clients.
fn binary(path: &Path, more: &[String]) -> Result<[Recipe; 2]> {
    let mut arguments: Vec<String> = ["serve", "--data", FOLDER].map(String::from).into();
    let key = [format!("key.bench.hash={KEY_HASH}"), "key.bench.scopes=events:write".into()];
    let settings = RAISED.iter().map(ToString::to_string).chain(key);
    arguments.extend(settings.flat_map(|setting| ["--set".into(), setting]));
    arguments.extend_from_slice(more);
    let program = absolute(path)?;
    Ok([("sockeye", Dialect::Sockeye), ("sockeye-ws", Dialect::Plain)].map(|(name, dialect)| Recipe {
        name: name.into(),
        dialect,
        saves: true,
        program: program.clone(),
        arguments: arguments.clone(),
    }))
}

fn parse_extra(text: &str) -> Result<Recipe> {
    let parts = text.split_once('=').and_then(|(name, rest)| Some((name, rest.split_once(':')?)));
    let Some((name, (dialect, command))) = parts else { bail!("--extra takes NAME=DIALECT:COMMAND, not {text:?}") };
    let dialect = Dialect::from_str(dialect, true).map_err(anyhow::Error::msg)?;
    let mut words = command.split_ascii_whitespace();
    let program = Path::new(words.next().context("--extra names no program")?);
    // A bare name is looked up in PATH.
    let program = if program.components().count() > 1 { absolute(program)? } else { program.into() };
    Ok(Recipe {
        name: name.into(),
        dialect,
        saves: dialect != Dialect::Peer,
        program,
        arguments: words.map(String::from).collect(),
    })
}

/// Servers run in a different folder, so paths must be absolute.
fn absolute(path: &Path) -> Result<PathBuf> {
    fs::canonicalize(path).with_context(|| format!("cannot find {}", path.display()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::{
        cli::{Cli, Command},
        run::cells::cells,
    };

    #[test]
    fn each_server_does_what_it_can() {
        let Command::Run(plan) = Cli::parse_from(["sockeye-bench", "run"]).command else { panic!("no plan") };
        let does = |extra| {
            let recipe = parse_extra(extra).unwrap();
            cells(&plan).iter().filter(|cell| recipe.does(cell)).map(|cell| cell.name).collect::<Vec<_>>()
        };
        let all: Vec<_> = cells(&plan).iter().map(|cell| cell.name).collect();
        let without_api: Vec<_> = all.iter().copied().filter(|name| *name != "api-events-1000").collect();
        assert_eq!(does("mine=sockeye:true"), all);
        assert_eq!(does("mine=peer:true"), without_api);
        assert_eq!(does("mine=plain:true"), ["fan-out-100", "fan-out-1000", "fan-out-5000"]);
    }
}

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
    role: Role,
    program: PathBuf,
    arguments: Vec<String>,
}

/// What a server can do, and what is measured of it.
#[derive(Debug, Clone, Copy)]
enum Role {
    /// All events of the peers.
    Peer,
    /// The events of the peers, but only the plain echo: it has no handlers of several kinds.
    Minimal,
    /// The library in an application's axum server, which differs in how connections are made and written to.
    Mounted,
    /// A peer that saves messages.
    SavingPeer,
    /// The binary's events, over Socket.IO and HTTP.
    Sockeye,
    /// The floor with messages as long as the binary's.
    SockeyeFloor,
    /// The binary's events, over plain WebSocket.
    Plain,
}

/// The cells of [`Role::Mounted`].
const MOUNTED: [&str; 5] = ["fan-out-100", "fan-out-1000", "echo", "connect", "idle"];

impl Recipe {
    /// Whether the cell runs on this server.
    pub fn does(&self, cell: &Cell) -> bool {
        let scenario = &cell.scenario;
        match self.role {
            Role::Peer => !scenario.is_of_the_binary(),
            Role::Minimal => !scenario.is_of_the_binary() && !scenario.is_variant_of_echo(),
            Role::Mounted => MOUNTED.contains(&cell.name),
            Role::SavingPeer => matches!(scenario, Scenario::Send(_)),
            Role::Sockeye => !scenario.is_variant_of_echo(),
            Role::SockeyeFloor => matches!(scenario, Scenario::FanOut(_) | Scenario::Rate(_)),
            Role::Plain => cell.name.starts_with("fan-out"),
        }
    }

    /// Starts the server in a new folder, and waits until it listens.
    pub fn start(&self, cell: &Cell) -> Result<Server> {
        let folder = Folder::new()?;
        let here = folder.0.display().to_string();
        let log = fs::File::create(folder.0.join("log"))?;
        let mut child = Command::new(&self.program)
            .args(self.arguments.iter().map(|argument| argument.replace(FOLDER, &here)))
            .args(["--listen", "127.0.0.1:0"])
            .args(cell.scenario.server_arguments())
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
    let node = |name: &str, role, more: &[&str]| Recipe {
        name: name.into(),
        dialect: Dialect::Peer,
        role,
        program: "node".into(),
        arguments: [peer.as_str()].iter().chain(more).map(|&word| word.into()).collect(),
    };
    let mut recipes = vec![node("node", Role::Peer, &[]), node("node-sqlite", Role::SavingPeer, &["--save", FOLDER])];
    if plan.peers.join("node_modules/uwebsockets").exists() {
        recipes.push(Recipe {
            name: "uws".into(),
            dialect: Dialect::Peer,
            role: Role::Minimal,
            program: "node".into(),
            arguments: vec![absolute(&plan.peers.join("uws.mjs"))?.display().to_string()],
        });
    }
    if let Some(library) = &plan.library {
        let program = absolute(library)?;
        let library = |name: &str, role, arguments: &[&str]| Recipe {
            name: name.into(),
            dialect: Dialect::Peer,
            role,
            program: program.clone(),
            arguments: arguments.iter().map(|&word| word.into()).collect(),
        };
        recipes.extend([library("library", Role::Peer, &[]), library("mounted", Role::Mounted, &["--mounted"])]);
    }
    if let Some(sockeye) = &plan.sockeye {
        recipes.extend(binary(sockeye, &plan.sockeye_arg)?);
    }
    for (name, dialect, role, words) in [
        ("floor", Dialect::Peer, Role::Minimal, "peer"),
        ("floor-sockeye", Dialect::Sockeye, Role::SockeyeFloor, "sockeye"),
    ] {
        recipes.push(Recipe {
            name: name.into(),
            dialect,
            role,
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
    let servers = [("sockeye", Dialect::Sockeye, Role::Sockeye), ("sockeye-ws", Dialect::Plain, Role::Plain)];
    Ok(servers.map(|(name, dialect, role)| Recipe {
        name: name.into(),
        dialect,
        role,
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
        role: match dialect {
            Dialect::Peer => Role::Peer,
            Dialect::Sockeye => Role::Sockeye,
            Dialect::Plain => Role::Plain,
        },
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

    fn plan() -> Plan {
        // Any file will do for the library: it is not started.
        let library = std::env::current_exe().unwrap();
        let words = ["sockeye-bench", "run", "--peers", concat!(env!("CARGO_MANIFEST_DIR"), "/peers"), "--library"];
        let words = words.iter().map(std::ffi::OsStr::new).chain([library.as_os_str()]);
        let Command::Run(plan) = Cli::parse_from(words).command else { panic!("no plan") };
        plan
    }

    fn names(plan: &Plan, is_wanted: impl Fn(&Cell) -> bool) -> Vec<&'static str> {
        cells(plan).iter().filter(|cell| is_wanted(cell)).map(|cell| cell.name).collect()
    }

    #[test]
    fn an_extra_server_does_what_its_dialect_can() {
        let plan = plan();
        let does = |extra| {
            let recipe = parse_extra(extra).unwrap();
            names(&plan, |cell| recipe.does(cell))
        };
        assert_eq!(does("mine=sockeye:true"), names(&plan, |cell| !cell.scenario.is_variant_of_echo()));
        assert_eq!(does("mine=peer:true"), names(&plan, |cell| !cell.scenario.is_of_the_binary()));
        assert_eq!(does("mine=plain:true"), ["fan-out-100", "fan-out-1000", "fan-out-5000"]);
    }

    #[test]
    fn handlers_of_several_kinds_are_measured_on_node_and_the_library() {
        let plan = plan();
        let recipes = recipes(&plan).unwrap();
        for cell in cells(&plan).iter().filter(|cell| cell.scenario.is_variant_of_echo()) {
            let able: Vec<_> = recipes.iter().filter(|recipe| recipe.does(cell)).map(|recipe| &recipe.name).collect();
            assert_eq!(able, ["node", "library"], "{}", cell.name);
        }
    }

    #[test]
    fn the_mounted_library_does_what_depends_on_its_connections() {
        let plan = plan();
        let recipes = recipes(&plan).unwrap();
        let mounted = recipes.iter().find(|recipe| recipe.name == "mounted").unwrap();
        assert_eq!(names(&plan, |cell| mounted.does(cell)), MOUNTED, "every name is that of a cell");
    }

    #[test]
    fn only_a_cell_with_a_catch_all_asks_the_server_for_one() {
        let asking = names(&plan(), |cell| cell.scenario.server_arguments() == ["--catch-all"]);
        assert_eq!(asking, ["echo-any"]);
    }
}

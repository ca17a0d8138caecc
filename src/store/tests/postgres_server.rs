//! A PostgreSQL server of the tests' own: in a temporary folder, on a free port, as an unprivileged user if the tests run
//! as root. It ends with the process that has started it, whatever ends that.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long the server may take to start.
const START: Duration = Duration::from_secs(60);

/// A running server, with the role and the database `sockeye`.
pub struct PostgresServer {
    folder: PathBuf,
    port: u16,
    user: Option<(u32, u32)>,
    settings: Vec<String>,
    /// The shell that ends the server when its standard input is closed.
    guard: Option<Child>,
}

impl PostgresServer {
    /// Makes a cluster, and starts the server.
    pub fn start() -> Self {
        Self::start_with(&[], |_| Vec::new())
    }

    /// The same with options of `initdb`, and settings that `configure` returns: it gets the folder, where it may write
    /// files.
    pub fn start_with(options: &[&str], configure: impl FnOnce(&Path) -> Vec<String>) -> Self {
        let folder = tempfile::Builder::new().prefix("sockeye-postgres-").tempdir().unwrap().keep();
        let user = unprivileged();
        if let Some((uid, gid)) = user {
            chown(&folder, Some(uid), Some(gid)).unwrap();
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = Self { folder, port, user, settings: Vec::new(), guard: None };
        let mut make = server.command(&program("initdb"));
        make.args(["--username=sockeye", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]);
        let made = make.args(options).arg("-D").arg(server.folder.join("data")).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        server.settings = configure(&server.folder);
        for file in fs::read_dir(&server.folder).unwrap() {
            if let Some((uid, gid)) = user {
                chown(file.unwrap().path(), Some(uid), Some(gid)).unwrap();
            }
        }
        server.run();
        let mut create = server.command(&program("createdb"));
        create.arg("-h").arg(&server.folder).args(["-U", "sockeye", "-p", &port.to_string(), "sockeye"]);
        let created = create.output().unwrap();
        assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
        server
    }

    /// The URL of the database.
    pub fn url(&self) -> String {
        self.url_at(self.port)
    }

    /// The URL of the database through a proxy on another port.
    pub fn url_at(&self, port: u16) -> String {
        format!("postgres://sockeye@127.0.0.1:{port}/sockeye")
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends the server without a checkpoint, as a crash would.
    pub fn kill(&mut self) {
        // The shell would end the server in an orderly way, and remove the folder.
        self.guard.as_mut().unwrap().kill().unwrap();
        // The postmaster's number is the first line. Without it, its children end by themselves.
        let pid = fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap();
        assert!(Command::new("kill").args(["-KILL", pid]).status().unwrap().success());
        self.wait();
    }

    /// Starts the server again after [`Self::kill`].
    pub fn run(&mut self) {
        let data = self.folder.join("data");
        // A child of the killed server may still hold its shared memory.
        let until = Instant::now() + START;
        loop {
            let options = format!("-p {} -k {}", self.port, self.folder.display());
            let script = "\"$@\" >> log 2>&1 & pid=$!; (while kill -0 $pid 2> /dev/null; do sleep 0.1; done; kill $$ 2> /dev/null) & \
                          cat > /dev/null; kill -INT $pid; wait $pid; rm -rf \"$PWD\"";
            let mut guard = self.command(Path::new("sh"));
            guard.args(["-c", script, "sh"]).arg(program("postgres")).arg("-D").arg(&data);
            guard.args(options.split(' ')).args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]);
            guard.args(self.settings.iter().flat_map(|setting| ["-c", setting]));
            self.guard = Some(guard.stdin(Stdio::piped()).spawn().unwrap());
            if self.is_up(until) {
                return;
            }
            assert!(Instant::now() < until, "{}", fs::read_to_string(self.folder.join("log")).unwrap_or_default());
        }
    }

    /// Waits until the server accepts connections. False if it has ended.
    fn is_up(&mut self, until: Instant) -> bool {
        let ready = program("pg_isready");
        while Instant::now() < until {
            let answer = Command::new(&ready).args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()]).status();
            if answer.unwrap().success() {
                return true;
            }
            if self.guard.as_mut().unwrap().try_wait().unwrap().is_some() {
                return false;
            }
            thread::sleep(Duration::from_millis(20));
        }
        false
    }

    fn wait(&mut self) {
        if let Some(mut guard) = self.guard.take() {
            guard.wait().unwrap();
        }
        while TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.folder).env("LC_ALL", "C");
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        if let Some(mut guard) = self.guard.take() {
            drop(guard.stdin.take());
            drop(guard.wait());
        }
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// A program of the newest PostgreSQL that is installed. On Debian they are not in the path.
fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found = versions.map(|version| version.path().join("bin").join(name)).filter(|path| path.exists());
    let number = |path: &PathBuf| -> Option<u32> { path.iter().nth(4)?.to_str()?.parse().ok() };
    found.max_by_key(number).unwrap_or_else(|| name.into())
}

/// The user and group to run as, if this is root: PostgreSQL refuses to run as root.
fn unprivileged() -> Option<(u32, u32)> {
    let id = |arguments: &[&str]| -> u32 {
        let output = Command::new("id").args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
    };
    (id(&["-u"]) == 0).then(|| (id(&["-u", "nobody"]), id(&["-g", "nobody"])))
}

//! Servers on free ports with folders of their own, and the binary as a process.

use std::{net::SocketAddr, path::PathBuf, process::Stdio, time::Duration};

use sockeye::{Config, Server};
use tempfile::{NamedTempFile, TempDir};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    sync::oneshot,
    task::JoinHandle,
};

/// The timeout of everything that must happen.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A server within the test process, built as `main` builds it.
pub struct TestServer {
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<sockeye::Result<()>>>,
    pub data: TempDir,
}

impl TestServer {
    pub async fn start() -> Self {
        Self::with(|_| (), |server| server).await
    }

    pub async fn configured(configure: impl FnOnce(&mut Config)) -> Self {
        Self::with(configure, |server| server).await
    }

    pub async fn with(configure: impl FnOnce(&mut Config), build: impl FnOnce(Server) -> Server) -> Self {
        let data = tempfile::tempdir().unwrap();
        Self::on(data, configure, build).await
    }

    /// Starts on a folder that may already contain a database.
    pub async fn on(data: TempDir, configure: impl FnOnce(&mut Config), build: impl FnOnce(Server) -> Server) -> Self {
        let mut config = Config::default();
        config.store.path = data.path().to_owned();
        config.presence.grace = Duration::from_millis(200);
        config.server.drain = Duration::from_millis(500);
        configure(&mut config);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = build(Server::new(config));
        let serving = tokio::spawn(server.serve(listener, axum::Router::new(), async { drop(stopped.await) }));
        Self { address, stop: Some(stop), serving: Some(serving), data }
    }

    /// Without the chat.
    pub async fn bare(build: impl FnOnce(Server) -> Server) -> Self {
        let mut config = Config::bare();
        config.server.drain = Duration::from_millis(500);
        Self::with(|_| (), |_| build(Server::bare(config))).await
    }

    /// Drains and closes the server, and returns its folder.
    pub async fn stop(mut self) -> TempDir {
        drop(self.stop.take());
        self.serving.take().unwrap().await.unwrap().unwrap();
        self.data
    }

    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        get(self.address, path, headers).await
    }
}

/// The real binary as a process.
pub struct Binary {
    pub child: Child,
    pub address: SocketAddr,
    errors: NamedTempFile,
}

impl Binary {
    pub fn command() -> Command {
        Self::of(env!("CARGO_BIN_EXE_sockeye"))
    }

    /// A program without variables of sockeye's.
    pub fn of(program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SOCKEYE_")) {
            command.env_remove(name);
        }
        command.kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub async fn serve(data: &std::path::Path, settings: &[&str]) -> Self {
        Self::serve_in("true", data, settings).await
    }

    /// Started by a shell, after this shell command.
    pub async fn serve_in(script: &str, data: &std::path::Path, settings: &[&str]) -> Self {
        let mut command = Self::of("sh");
        command.args(["-c", &format!("{script} && exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_sockeye")]);
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data);
        for setting in settings {
            command.args(["--set", setting]);
        }
        Self::start(command).await
    }

    /// Starts a command that serves, and waits until it does.
    pub async fn start(mut command: Command) -> Self {
        let errors = NamedTempFile::new().unwrap();
        let mut child = command.stderr(errors.reopen().unwrap()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = soon(lines.next_line()).await.unwrap().expect("the server said where it listens");
        let address = first.strip_prefix("listening on http://").expect(&first).parse().unwrap();
        Self { child, address, errors }
    }

    /// Waits until the process has ended. Returns its exit code and its log.
    pub async fn ended(mut self) -> (i32, String) {
        let code = soon(self.child.wait()).await.unwrap().code().expect("it ended by itself");
        (code, self.log())
    }

    /// The log so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.errors.path()).unwrap()
    }

    /// Ends the process with SIGKILL: no handler, no flush.
    pub async fn kill_9(mut self) {
        self.child.kill().await.unwrap();
    }
}

/// What the binary printed in a run.
pub struct Said {
    pub code: i32,
    pub output: String,
    pub errors: String,
}

pub async fn run(arguments: &[&str], variables: &[(&str, &str)], folder: &PathBuf) -> Said {
    said(Binary::command(), arguments, variables, folder).await
}

/// Runs a program to its end.
pub async fn said(mut command: Command, arguments: &[&str], variables: &[(&str, &str)], folder: &PathBuf) -> Said {
    let output = soon(command.args(arguments).envs(variables.iter().copied()).current_dir(folder).output()).await;
    let output = output.unwrap();
    Said {
        code: output.status.code().expect("it ended by itself"),
        output: String::from_utf8(output.stdout).unwrap(),
        errors: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Waits for something that must happen.
pub async fn soon<F: IntoFuture>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("it did not happen in time")
}

/// An HTTP response.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

pub async fn get(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Answer {
    request(address, "GET", path, headers).await
}

/// Sends a request without a body.
pub async fn request(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut stream = soon(TcpStream::connect(address)).await.unwrap();
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    stream.write_all(format!("{request}\r\n").as_bytes()).await.unwrap();
    let mut text = Vec::new();
    soon(stream.read_to_end(&mut text)).await.unwrap();
    let text = String::from_utf8_lossy(&text).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").expect("an HTTP answer");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

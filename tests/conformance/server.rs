//! The server under test in the conformance suite, on namespaces of every kind; the same events as `peer.mjs`.

mod api;
mod calls;
mod connecting;
mod hooks;
mod observers;
mod runtime;

use std::{collections::VecDeque, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    serve::{Listener, ListenerExt},
};
use clap::Parser;
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use sockeye::{Arguments, Config, Ctx, DisconnectReason, Entrant, Events, Refusal, Result, Server};
use tokio::{
    io::BufWriter,
    net::{TcpListener, TcpStream},
};

/// Number of disconnects that are remembered.
const REASONS: usize = 50;
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Parser)]
struct Options {
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: String,
    #[arg(long, default_value_t = 25_000)]
    ping_interval_ms: u64,
    #[arg(long, default_value_t = 20_000)]
    ping_timeout_ms: u64,
    #[arg(long, default_value_t = 20_000)]
    connect_timeout_ms: u64,
    #[arg(long, default_value_t = 10_000)]
    upgrade_timeout_ms: u64,
    #[arg(long, default_value_t = 1_000_000)]
    max_payload: usize,
    #[arg(long)]
    no_recovery: bool,
    #[arg(long)]
    no_eio3: bool,
    /// Keeps the namespaces of patterns and functions that have no sockets.
    #[arg(long)]
    keep_children: bool,
    #[command(flatten)]
    hooks: hooks::HookOptions,
    /// Serves under `axum::serve`, over streams that the server does not know as TCP.
    #[arg(long)]
    mounted: bool,
}

/// `say` with one argument: broadcasts `event` with `data` to rooms; a socket id is a room too.
#[derive(Deserialize)]
struct Say {
    rooms: Vec<String>,
    #[serde(default)]
    except: Vec<String>,
    #[serde(default)]
    volatile: bool,
    event: String,
    data: Box<RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AskEveryone {
    data: Box<RawValue>,
    timeout_ms: u64,
}

type Gone = Arc<Mutex<VecDeque<(String, &'static str)>>>;

fn events(events: Events, gone: &Gone) -> Events {
    let (record, recorded) = (gone.clone(), gone.clone());
    events
        .connection(welcome)
        .on("echo", async |_, all: Arguments| all)
        .on("emit-back", async |ctx: Ctx, all: Arguments| ctx.emit("back", all))
        .on("ask", ask)
        .on("join", async |ctx: Ctx, room: String| ctx.join(&room))
        .on("leave", async |ctx: Ctx, room: String| ctx.leave(&room))
        .on("rooms", async |ctx: Ctx, ()| ctx.rooms())
        .on("say", say)
        .on("ask-everyone", ask_everyone)
        .on("burst", async |ctx: Ctx, count: usize| (0..count).try_for_each(|number| ctx.emit("tick", number)))
        .on("disconnect-me", async |ctx: Ctx, close: Option<bool>| ctx.disconnect(close.unwrap_or(false)))
        .on("id", async |ctx: Ctx, ()| ctx.client_id())
        .on("namespaces", async |ctx: Ctx, ()| ctx.io().namespaces())
        .on("reasons", move |_, ()| std::future::ready(Vec::from(recorded.lock().clone())))
        .disconnect(move |ctx, reason: DisconnectReason| {
            note(&record, &ctx, reason.as_str());
            async {}
        })
}

fn note(gone: &Gone, ctx: &Ctx, what: &'static str) {
    let mut gone = gone.lock();
    gone.push_back((ctx.client_id(), what));
    if gone.len() > REASONS {
        gone.pop_front();
    }
}

async fn welcome(ctx: Ctx) -> Result<()> {
    if ctx.recovered() {
        return Ok(());
    }
    ctx.emit("welcome", ctx.read_auth::<Box<RawValue>>()?)
}

/// Answers with the first argument of the client's answer.
async fn ask(ctx: Ctx, all: Arguments) -> Result<Arguments> {
    let answer: Arguments = ctx.timeout(ANSWER_TIMEOUT).emit_with_ack("question", all).await?;
    let first: Box<RawValue> = answer.read()?;
    Ok(Arguments::new(format!("[{first}]"), answer.attachments().to_vec()))
}

async fn say(ctx: Ctx, all: Arguments) -> Result<()> {
    let say: Say = all.read()?;
    let everyone = if say.volatile { ctx.nsp().volatile() } else { ctx.nsp().everyone() };
    let to = say.rooms.iter().fold(everyone, |to, room| to.to(room));
    let to = say.except.iter().fold(to, |to, room| to.except(room));
    to.emit(&say.event, Arguments::new(format!("[{}]", say.data), all.attachments().to_vec()))
}

async fn ask_everyone(ctx: Ctx, ask: AskEveryone) -> Result<Vec<Value>> {
    let timeout = Duration::from_millis(ask.timeout_ms);
    let answers = ctx.nsp().timeout(timeout).emit_with_ack::<Value>("question", &ask.data).await?;
    let mut answers: Vec<Value> = answers.into_iter().filter_map(|(_, answer)| answer.ok()).collect();
    answers.sort_by_key(Value::to_string);
    Ok(answers)
}

async fn not_refused(entrant: Entrant) -> Result<(), Refusal> {
    let is_token =
        |token: &str| entrant.auth["token"] == token || entrant.handshake.query("token").as_deref() == Some(token);
    if is_token("refuse") {
        return Err(Refusal::new("refused", json!({ "code": "no" })));
    }
    if is_token("refuse-without-data") {
        return Err(Refusal::new("refused", None));
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::parse();
    let listener = TcpListener::bind(&options.listen).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let mut config = Config::bare();
    config.recovery.window = Config::default().recovery.window;
    config.server.ping_interval = Duration::from_millis(options.ping_interval_ms);
    config.server.ping_timeout = Duration::from_millis(options.ping_timeout_ms);
    config.server.connect_timeout = Duration::from_millis(options.connect_timeout_ms);
    config.server.upgrade_timeout = Duration::from_millis(options.upgrade_timeout_ms);
    config.limits.payload_bytes = options.max_payload;
    config.server.allow_eio3 = !options.no_eio3;
    if options.no_recovery {
        config.recovery.window = Duration::ZERO;
    }
    config.limits.attachments = Config::default().limits.attachments;
    options.hooks.set(&mut config);
    let gone = Gone::default();
    let server = observers::watched(options.hooks.hooked(Server::bare(config)));
    let server = runtime::with_namespaces(connecting::with_namespaces(server))
        .cleanup_empty_child_namespaces(!options.keep_children)
        .namespace("/api", api::events())
        .namespace("/calls", calls::events())
        .root(|root| events(root, &gone).middleware(not_refused))
        .namespace("/custom", events(Events::new(), &gone))
        .namespace(
            "/admin",
            Events::new().middleware(async |_| Err(Refusal::new("forbidden", json!({ "reason": "staff only" })))),
        )
        .namespace("/dynamic-{number}", events(Events::new(), &gone).middleware(not_refused));
    if !options.mounted {
        return Ok(server.serve(listener, Router::new(), std::future::pending()).await?);
    }
    // Dropping the handle would end the server.
    let (routes, _handle) = server.open()?.into_router();
    let app = routes.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(Opaque(listener).tap_io(|_| {}), app).await?;
    Ok(())
}

/// A listener whose streams are none that the server knows.
struct Opaque(TcpListener);

impl Listener for Opaque {
    type Io = BufWriter<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        stream.set_nodelay(true).expect("a new stream");
        (BufWriter::new(stream), address)
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

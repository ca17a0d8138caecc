//! The server under test in the conformance suite, on namespaces of every kind; the same events as `peer.mjs`.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use clap::Parser;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};
use sockeye::{
    Args, Arguments, ClientEvent, Config, Ctx, DisconnectReason, Encoded, Entrant, Events, Outgoing, Raw, Refusal,
    Result, Room, RoomName, Server, ServerEvent, To,
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
}

/// Implements an event trait with a name.
macro_rules! event {
    ($name:literal, $payload:ident) => {
        impl ClientEvent for $payload {
            const NAME: &'static str = $name;
        }
    };
}

/// An event with any arguments, stored unchanged.
macro_rules! event_of_anything {
    ($name:literal, $payload:ident) => {
        #[derive(Deserialize)]
        struct $payload {
            #[serde(skip)]
            json: String,
            #[serde(skip)]
            attachments: Vec<Bytes>,
        }

        impl ClientEvent for $payload {
            const NAME: &'static str = $name;

            fn from_args(args: &Args<'_>) -> Result<Self> {
                Ok(Self { json: args.array_text(), attachments: args.attachments().to_vec() })
            }
        }
    };
}

event_of_anything!("echo", Echo);
event_of_anything!("emit-back", EmitBack);

event_of_anything!("ask", Ask);

#[derive(Deserialize)]
struct Join(String);
event!("join", Join);

#[derive(Deserialize)]
struct Leave(String);
event!("leave", Leave);

#[derive(Deserialize)]
struct Rooms {}
event!("rooms", Rooms);

/// `say` with one argument: broadcasts `event` with `data` to rooms; a socket id is a room too.
struct Say {
    fields: SayFields,
    attachments: Vec<Bytes>,
}

#[derive(Deserialize)]
struct SayFields {
    rooms: Vec<String>,
    #[serde(default)]
    except: Vec<String>,
    #[serde(default)]
    volatile: bool,
    event: String,
    data: Box<RawValue>,
}

impl<'de> Deserialize<'de> for Say {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { fields: SayFields::deserialize(deserializer)?, attachments: Vec::new() })
    }
}

impl ClientEvent for Say {
    const NAME: &'static str = "say";

    fn from_args(args: &Args<'_>) -> Result<Self> {
        let (fields,) = args.tuple()?;
        Ok(Self { fields, attachments: args.attachments().to_vec() })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AskEveryone {
    data: Box<RawValue>,
    timeout_ms: u64,
}
event!("ask-everyone", AskEveryone);

#[derive(Deserialize)]
struct Burst(usize);
event!("burst", Burst);

#[derive(Deserialize)]
struct DisconnectMe(#[serde(default)] bool);
event!("disconnect-me", DisconnectMe);

#[derive(Deserialize)]
struct Id {}
event!("id", Id);

#[derive(Deserialize)]
struct Reasons {}
event!("reasons", Reasons);

#[derive(Deserialize)]
struct Namespaces {}
event!("namespaces", Namespaces);

#[derive(Serialize)]
struct Welcome(Box<RawValue>);

impl ServerEvent for Welcome {
    const NAME: &'static str = "welcome";
}

#[derive(Serialize)]
struct Tick(usize);

impl ServerEvent for Tick {
    const NAME: &'static str = "tick";
}

type Gone = Arc<Mutex<VecDeque<(String, &'static str)>>>;

fn events(events: Events, gone: &Gone) -> Events {
    let (record, away, recorded) = (gone.clone(), gone.clone(), gone.clone());
    events
        .connection(welcome)
        .on(echo)
        .on(emit_back)
        .on(ask)
        .on(join)
        .on(leave)
        .on(rooms)
        .on(say)
        .on(ask_everyone)
        .on(burst)
        .on(disconnect_me)
        .on(id)
        .on(namespaces)
        .on(move |_, Reasons {}| {
            let reasons = recorded.lock().clone();
            async move { Ok(Raw(reasons)) }
        })
        .disconnect(move |ctx, reason: DisconnectReason| {
            note(&record, &ctx, reason.as_str());
            async {}
        })
        .away(move |ctx| {
            note(&away, &ctx, "away");
            async { Ok(()) }
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
    let auth = RawValue::from_string(ctx.auth().to_owned()).expect("it came as JSON");
    ctx.emit(&Welcome(auth))
}

async fn echo(_: Ctx, Echo { json, attachments }: Echo) -> Result<Arguments> {
    Ok(Arguments::new(json, attachments))
}

async fn emit_back(ctx: Ctx, EmitBack { json, attachments }: EmitBack) -> Result<()> {
    let event = Encoded::new(named("back", &json), attachments)?;
    ctx.hub().send(&Outgoing::new(To::Socket(ctx.socket_id()), event)).map(drop)
}

async fn ask(ctx: Ctx, Ask { json, attachments }: Ask) -> Result<Arguments> {
    let event = Encoded::new(named("question", &json), attachments)?;
    let outgoing = Outgoing::new(To::Socket(ctx.socket_id()), event);
    let (_, answered) = ctx.hub().ask_all(&outgoing, ANSWER_TIMEOUT).await?.remove(0);
    let answered = answered?;
    let first = answered.arguments().first().map_or("null", |argument| argument.get());
    Ok(Arguments::new(format!("[{first}]"), answered.attachments().to_vec()))
}

/// The name of an event in front of its arguments.
fn named(name: &str, arguments: &str) -> String {
    let comma = if arguments == "[]" { "" } else { "," };
    format!("[\"{name}\"{comma}{}", &arguments[1..])
}

async fn join(ctx: Ctx, Join(room): Join) -> Result<Raw<()>> {
    ctx.join(&room)?;
    Ok(Raw(()))
}

async fn leave(ctx: Ctx, Leave(room): Leave) -> Result<Raw<()>> {
    ctx.leave(&room)?;
    Ok(Raw(()))
}

async fn rooms(ctx: Ctx, _: Rooms) -> Result<Raw<Vec<String>>> {
    let (rooms, user) = (ctx.hub().rooms_of(ctx.socket_id()), ctx.user().id);
    Ok(Raw(rooms.iter().map(|room| room.for_reader(&user).to_string()).collect()))
}

async fn say(ctx: Ctx, Say { fields, attachments }: Say) -> Result<Raw<()>> {
    let room = |name: &String| RoomName::parse(name).ok().map(Room::Named);
    let rooms: Vec<Option<Room>> = fields.rooms.iter().chain(&fields.except).map(room).collect();
    let target = |(name, room): (&String, _)| match ctx.hub().socket(name) {
        Some(socket) => Some(To::Socket(socket)),
        None => Option::as_ref(room).map(To::Room),
    };
    let mut targets = fields.rooms.iter().chain(&fields.except).zip(&rooms).map(target);
    let mut to: Vec<To<'_>> = targets.by_ref().take(fields.rooms.len()).flatten().collect();
    let except: Vec<To<'_>> = targets.flatten().collect();
    if fields.rooms.is_empty() {
        to.push(To::Everyone);
    }
    let json = format!("[{},{}]", json!(fields.event), fields.data);
    let outgoing = Outgoing::new(To::Any(&to), Encoded::new(json, attachments)?).except_any(&except);
    ctx.hub().send(&if fields.volatile { outgoing.volatile() } else { outgoing })?;
    Ok(Raw(()))
}

async fn ask_everyone(ctx: Ctx, ask: AskEveryone) -> Result<Raw<Vec<Value>>> {
    let json = format!("[\"question\",{}]", ask.data.get());
    let outgoing = Outgoing::new(To::Everyone, Encoded::new(json, Vec::new())?);
    let answers = ctx.hub().ask_all(&outgoing, Duration::from_millis(ask.timeout_ms)).await?;
    let mut answers: Vec<Value> =
        answers.into_iter().filter_map(|(_, answered)| answered.and_then(|answered| answered.first()).ok()).collect();
    answers.sort_by_key(Value::to_string);
    Ok(Raw(answers))
}

async fn burst(ctx: Ctx, Burst(count): Burst) -> Result<()> {
    (0..count).try_for_each(|number| ctx.emit(&Tick(number)))
}

async fn disconnect_me(ctx: Ctx, DisconnectMe(close): DisconnectMe) -> Result<()> {
    ctx.disconnect(close);
    Ok(())
}

async fn id(ctx: Ctx, _: Id) -> Result<Raw<String>> {
    Ok(Raw(ctx.client_id()))
}

async fn namespaces(ctx: Ctx, _: Namespaces) -> Result<Raw<Vec<String>>> {
    Ok(Raw(ctx.app().namespaces()))
}

async fn not_refused(entrant: Entrant) -> Result<(), Refusal> {
    let is_token = |token: &str| {
        entrant.auth["token"] == token
            || entrant.query.split('&').any(|field| field.strip_prefix("token=") == Some(token))
    };
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
    let listener = tokio::net::TcpListener::bind(&options.listen).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let folder = std::env::temp_dir().join(format!("sockeye-conformance-{}", std::process::id()));
    let mut config = Config::default();
    config.store.path = folder;
    config.server.ping_interval = Duration::from_millis(options.ping_interval_ms);
    config.server.ping_timeout = Duration::from_millis(options.ping_timeout_ms);
    config.server.connect_timeout = Duration::from_millis(options.connect_timeout_ms);
    config.server.upgrade_timeout = Duration::from_millis(options.upgrade_timeout_ms);
    config.limits.payload_bytes = options.max_payload;
    config.server.allow_eio3 = !options.no_eio3;
    if options.no_recovery {
        config.recovery.window = Duration::ZERO;
    }
    (config.limits.events_per_second, config.limits.sockets_per_user) = (0, 0);
    let gone = Gone::default();
    Server::bare(config)
        .root(|root| events(root, &gone).middleware(not_refused))
        .namespace("/custom", events(Events::new(), &gone))
        .namespace(
            "/admin",
            Events::new().middleware(async |_| Err(Refusal::new("forbidden", json!({ "reason": "staff only" })))),
        )
        .namespace("/dynamic-{number}", events(Events::new(), &gone).middleware(not_refused))
        .serve(listener, std::future::pending())
        .await?;
    Ok(())
}

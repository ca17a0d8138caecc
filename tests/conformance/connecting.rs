//! The namespaces of the server under test that show what connects: `/handshake` and `/handshake-too` with the request
//! and `auth`, `/gate` with middleware; the same as `peer-connecting.mjs`.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use sockeye::{Ctx, DisconnectReason, Entrant, Events, Handshake, Refusal, Server, TransportName};

/// The middleware that has run for a socket, in its order.
#[derive(Clone, Default)]
struct Passed(Vec<&'static str>);

/// How often middleware has run for a client that names itself.
type Runs = Arc<Mutex<HashMap<String, u32>>>;

pub fn with_namespaces(server: Server) -> Server {
    server
        .namespace("/handshake", handshake())
        .namespace("/handshake-too", handshake())
        .namespace("/gate", gate(&Runs::default()))
}

fn handshake() -> Events {
    Events::new()
        .middleware(async |entrant: Entrant| {
            entrant.data.insert(described(&entrant.handshake));
            Ok(())
        })
        .connection(async |ctx: Ctx| ctx.emit("welcome", json!({})))
        .on("handshake", async |ctx: Ctx, ()| described(&ctx.handshake()))
        .on("handshake-in-middleware", async |ctx: Ctx, ()| ctx.data().get::<Value>())
        .on("header", async |ctx: Ctx, name: String| ctx.handshake().header(&name).map(str::to_owned))
        .on("parameter", async |ctx: Ctx, name: String| ctx.handshake().query(&name))
        .on("transport", async |ctx: Ctx, ()| {
            ctx.transport().map(|transport| match transport {
                TransportName::Polling => "polling",
                TransportName::WebSocket => "websocket",
            })
        })
}

fn described(handshake: &Handshake) -> Value {
    // The last of several, as in Node's object.
    let query: Map<_, _> = handshake.query_pairs().into_iter().map(|(name, value)| (name, value.into())).collect();
    json!({
        "address": handshake.address(),
        "auth": handshake.read_auth::<Value>().expect("the server has read it"),
        "issued": handshake.time().as_millis(),
        "query": query,
        "secure": handshake.is_secure(),
        "url": handshake.url(),
        "xdomain": handshake.header("origin").is_some(),
    })
}

fn gate(runs: &Runs) -> Events {
    let (counted, count) = (runs.clone(), runs.clone());
    Events::new()
        .middleware(move |entrant: Entrant| {
            let name = entrant.auth["name"].as_str().unwrap_or_default().to_owned();
            *counted.lock().entry(name).or_default() += 1;
            pass(&entrant, "first");
            async { Ok(()) }
        })
        .middleware(async |entrant: Entrant| {
            tokio::task::yield_now().await;
            pass(&entrant, "second");
            match entrant.auth.get("refuse") {
                Some(Value::Null) => Err(Refusal::new("refused", None)),
                Some(data) => Err(Refusal::new("refused", data.clone())),
                None => Ok(()),
            }
        })
        .middleware(async |entrant: Entrant| {
            pass(&entrant, "third");
            entrant.join("passed").map_err(Refusal::from)
        })
        .connection(async |ctx: Ctx| {
            if ctx.recovered() {
                return Ok(());
            }
            ctx.emit("welcome", (ctx.data().get::<Passed>().unwrap_or_default().0, ctx.rooms()))
        })
        .disconnect(async |ctx: Ctx, _: DisconnectReason| {
            ctx.nsp().to("watchers").emit("gone", ctx.id()).expect("an id");
        })
        .on("watch", async |ctx: Ctx, ()| ctx.join("watchers"))
        .on("passed", async |ctx: Ctx, ()| ctx.data().get::<Passed>().unwrap_or_default().0)
        .on("rooms", async |ctx: Ctx, ()| ctx.rooms())
        .on("say-to-passed", async |ctx: Ctx, text: String| ctx.nsp().to("passed").emit("said", text))
        .on("runs", move |_, name: String| std::future::ready(count.lock().get(&name).copied().unwrap_or_default()))
}

fn pass(entrant: &Entrant, what: &'static str) {
    entrant.data.update(|Passed(passed)| passed.push(what));
}

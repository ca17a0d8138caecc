//! The namespace `/api` of the server under test: one event for each call of Node's server API; the same as
//! `peer-api.mjs`.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sockeye::{Ack, Arguments, ClientEvent, Ctx, Entrant, Error, Events, Result, ServerEvent};

/// What middleware stores with each socket.
#[derive(Clone)]
struct Name(String);

/// An acknowledgement that is kept until `release`.
type Kept = Arc<Mutex<Option<Ack>>>;

#[derive(Deserialize, Serialize)]
struct File {
    name: String,
    parts: Vec<Bytes>,
}

/// A typed event in both directions.
#[derive(Deserialize, Serialize)]
struct Picture {
    image: Bytes,
}

impl ClientEvent for Picture {
    const NAME: &'static str = "picture";
}

impl ServerEvent for Picture {
    const NAME: &'static str = "picture";
}

#[derive(Default, Clone)]
struct Seen(Vec<String>);

pub fn events() -> Events {
    let kept = Kept::default();
    let later = kept.clone();
    Events::new()
        .middleware(async |entrant: Entrant| {
            let name = entrant.auth["name"].as_str().unwrap_or("nobody").to_owned();
            entrant.data.insert(Name(name.clone()));
            entrant.join(&format!("name-{name}")).map_err(Into::into)
        })
        .event_middleware(async |_, event, _| match &*event {
            "forbidden" => Err(Error::Forbidden("no".to_owned())),
            _ => Ok(()),
        })
        .on_any(async |ctx: Ctx, event, _| {
            ctx.data().update(|Seen(seen)| seen.push(event.to_string()));
            if &*event == "taken" {
                ctx.ack().send("by the catch-all");
            }
        })
        .on("taken", async |ctx: Ctx, ()| ctx.emit("handled", "by the handler"))
        .connection(connection)
        .disconnect(async |ctx: Ctx, reason| {
            let told = ctx.nsp().to("watchers").emit("gone", (ctx.id(), reason.as_str()));
            told.expect("two texts");
        })
        .on("sum", async |_, (a, b): (i64, i64)| a + b)
        .on("optional", async |_, (a, b): (u8, Option<u8>)| Ok((a, b)))
        .on("both", async |ctx: Ctx, ()| {
            ctx.emit("second", ())?;
            Ok("handled")
        })
        .on("pair", async |_, ()| Ok(("a", json!({ "b": 2 }))))
        .on("nothing", async |_, ()| ())
        .on("later", move |ctx: Ctx, ()| {
            *later.lock() = Some(ctx.ack());
            async {}
        })
        .on("release", move |_, ()| {
            let ack = kept.lock().take();
            ack.into_iter().for_each(|ack| ack.send("released"));
            async {}
        })
        .on("never", async |ctx: Ctx, ()| drop(ctx.ack()))
        .on("file", async |ctx: Ctx, file: File| {
            ctx.emit("file", &file)?;
            Ok(file)
        })
        .event(async |ctx: Ctx, picture: Picture| ctx.emit_event(&picture))
        .on("shout", async |ctx: Ctx, all: Arguments| ctx.broadcast().emit("shouted", all))
        .on("join", async |ctx: Ctx, room: String| ctx.join(&room))
        .on("tell", async |ctx: Ctx, (room, except, text): (String, String, String)| {
            ctx.to(room).except(except).emit("told", text)
        })
        .on("tell-all", async |ctx: Ctx, (room, text): (String, String)| {
            ctx.io().of("/api").to(room).emit("told", text)
        })
        .on("name", async |ctx: Ctx, ()| ctx.data().get::<Name>().map(|Name(name)| name))
        .on("seen", async |ctx: Ctx, ()| ctx.data().get::<Seen>().unwrap_or_default().0)
        .on("forbidden", async |ctx: Ctx, ()| ctx.emit("entered", ()))
        .on("rooms", async |ctx: Ctx, ()| ctx.rooms())
        .on("ask", async |ctx: Ctx, ()| {
            let answers: (Value, Value) = ctx.emit_with_ack("question", ()).await?;
            ctx.emit("answered", answers)
        })
        .on("ask-in-vain", async |ctx: Ctx, ()| {
            ctx.timeout(Duration::from_millis(100)).emit_with_ack::<Value>("question", ()).await.is_err()
        })
        .on("ask-all", async |ctx: Ctx, room: String| {
            let answers =
                ctx.nsp().to(room).timeout(Duration::from_secs(10)).emit_with_ack::<i64>("question", ()).await?;
            let mut answers: Vec<i64> = answers.into_iter().filter_map(|(_, answer)| answer.ok()).collect();
            answers.sort_unstable();
            Ok(answers)
        })
        .on("buy", async |_, seats: u32| match seats {
            0..=3 => Ok(seats),
            _ => Err(Error::custom("sold-out", "too few seats").with_data(json!({ "free": 3 })).into()),
        })
        .on("fetch", async |ctx: Ctx, room: String| {
            let sockets = ctx.nsp().in_room(room).fetch_sockets().await;
            let mut names: Vec<_> =
                sockets.iter().filter_map(|socket| socket.data().get::<Name>()).map(|Name(name)| name).collect();
            names.sort_unstable();
            names
        })
        .on("move", async |ctx: Ctx, (from, to): (String, String)| {
            ctx.nsp().to(&from).sockets_join(&to)?;
            ctx.nsp().to(&from).sockets_leave(&from)
        })
        .on("kick", async |ctx: Ctx, room: String| ctx.nsp().to(room).disconnect_sockets(false))
        .on("all-rooms", async |ctx: Ctx, ()| {
            let mut rooms = ctx.nsp().all_rooms();
            rooms.retain(|room| room.starts_with("here-"));
            rooms
        })
}

/// Adds the listeners of one socket.
async fn connection(ctx: Ctx) -> Result<()> {
    ctx.on("listen", async |ctx: Ctx, event: String| {
        ctx.on(&event, async |_, ()| "heard");
    });
    ctx.on("listen-once", async |ctx: Ctx, event: String| {
        ctx.once(&event, async |_, ()| "heard once");
    });
    ctx.on("stop-listening", async |ctx: Ctx, event: String| ctx.off(&event));
    ctx.on("both", async |ctx: Ctx, ()| ctx.emit("first", ()));
    // Node's server has no `welcome` of its own: the suite's clients wait for one.
    ctx.emit("welcome", json!({ "recovered": ctx.recovered() }))
}

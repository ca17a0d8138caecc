//! The namespace `/calls` of the server under test: the calls of Node's server API that `/api` has not; the same as
//! `peer-calls.mjs`.

use std::sync::Arc;

use serde_json::json;
use sockeye::{Arguments, Ctx, DisconnectReason, Error, Events, ListenerId};
use tokio::sync::Notify;

/// What catch-alls of one socket have seen: their labels and the events.
#[derive(Clone, Default)]
struct Seen(Vec<String>);

/// What may be removed again, by its label.
#[derive(Clone, Default)]
struct Added(Vec<(String, ListenerId)>);

type Barrier = Arc<Notify>;

pub fn events() -> Events {
    let waits = Barrier::default();
    let releases = waits.clone();
    listeners(rooms(Events::new().concurrently(8)))
        .connection(async |ctx: Ctx| ctx.emit("welcome", json!({})))
        .disconnect(async |ctx: Ctx, reason: DisconnectReason| {
            let rooms = ctx.rooms();
            let found = match rooms.first() {
                Some(room) => ctx.nsp().to(room).fetch_sockets().await.iter().map(|socket| socket.id()).collect(),
                None => Vec::new(),
            };
            ctx.nsp().to("watchers").emit("gone", (ctx.id(), reason.as_str(), ctx.connected(), rooms, found))
        })
        .on("wants-ack", async |ctx: Ctx, ()| {
            let wants_ack = ctx.wants_ack();
            ctx.emit("wanted", wants_ack)
        })
        .on("connected", async |ctx: Ctx, ()| ctx.connected())
        .on("wait", move |_, ()| {
            let waits = waits.clone();
            async move { waits.notified().await }
        })
        .on("release", move |_, ()| {
            releases.notify_one();
            async {}
        })
}

fn rooms(events: Events) -> Events {
    events
        .on("join", async |ctx: Ctx, room: String| ctx.join(&room))
        .on("leave-all", async |ctx: Ctx, ()| ctx.leave_all())
        .on("rooms", async |ctx: Ctx, ()| ctx.rooms())
        .on("emit-to-root", async |ctx: Ctx, text: String| ctx.io().emit("said", text))
        .on("emit-volatile", async |ctx: Ctx, text: String| ctx.volatile().emit("said", text))
        .on("emit-local", async |ctx: Ctx, (room, text): (String, String)| {
            ctx.nsp().local().to(room).emit("said", text)
        })
        .on("emit-except", async |ctx: Ctx, (rooms, text): (Vec<String>, String)| {
            rooms.into_iter().fold(ctx.broadcast(), |to, room| to.except(room)).emit("said", text)
        })
        .on("emit-to-many", async |ctx: Ctx, (rooms, text): (Vec<String>, String)| {
            rooms.into_iter().fold(ctx.nsp().everyone(), |to, room| to.to(room)).emit("said", text)
        })
        .on("socket-to-many", async |ctx: Ctx, (first, second, text): (String, String, String)| {
            ctx.to(first).to(second).emit("said", text)
        })
        .on("remote-emit", async |ctx: Ctx, (room, text): (String, String)| {
            ctx.nsp().to(room).fetch_sockets().await.iter().try_for_each(|socket| socket.emit("said", &text))
        })
        .on("remote-move", async |ctx: Ctx, (from, to): (String, String)| {
            ctx.nsp().to(&from).fetch_sockets().await.iter().try_for_each(|socket| {
                socket.join(&to)?;
                socket.leave(&from)
            })
        })
        .on("remote-rooms", async |ctx: Ctx, room: String| {
            let sockets = ctx.nsp().to(room).fetch_sockets().await;
            let mut rooms: Vec<_> = sockets.iter().map(|socket| (socket.id().to_string(), socket.rooms())).collect();
            rooms.sort_unstable();
            rooms
        })
        .on("remote-disconnect", async |ctx: Ctx, (room, close): (String, bool)| {
            ctx.nsp().to(room).fetch_sockets().await.iter().for_each(|socket| socket.disconnect(close));
        })
        .on("disconnect-room", async |ctx: Ctx, (room, close): (String, bool)| {
            ctx.nsp().to(room).disconnect_sockets(close);
        })
        .on("all-join", async |ctx: Ctx, (room, other): (String, String)| ctx.nsp().in_room(room).sockets_join(&other))
        .on("all-leave", async |ctx: Ctx, (room, other): (String, String)| {
            ctx.nsp().in_room(room).sockets_leave(&other)
        })
}

fn listeners(events: Events) -> Events {
    events
        .on("add-listener", async |ctx: Ctx, (event, label): (String, String)| {
            let answer = label.clone();
            let id = ctx.on(&event, move |ctx: Ctx, ()| {
                let heard = ctx.emit("heard", &answer);
                async { heard }
            });
            keep(&ctx, label, id);
        })
        .on("add-any", async |ctx: Ctx, label: String| {
            let id = ctx.on_any(see(&label));
            keep(&ctx, label, id);
        })
        .on("prepend-any", async |ctx: Ctx, label: String| {
            let id = ctx.prepend_any(see(&label));
            keep(&ctx, label, id);
        })
        .on("add-any-outgoing", async |ctx: Ctx, label: String| {
            let id = ctx.on_any_outgoing(see(&label));
            keep(&ctx, label, id);
        })
        .on("prepend-any-outgoing", async |ctx: Ctx, label: String| {
            let id = ctx.prepend_any_outgoing(see(&label));
            keep(&ctx, label, id);
        })
        .on("refuse", async |ctx: Ctx, refused: String| {
            ctx.event_middleware(move |_, event, _| {
                let is_refused = *event == *refused;
                async move { if is_refused { Err(Error::Forbidden("no".to_owned())) } else { Ok(()) } }
            });
        })
        .on("remove", async |ctx: Ctx, label: String| {
            let added = ctx.data().update(|Added(added)| added.extract_if(.., |(own, _)| *own == label).next());
            added.into_iter().for_each(|(_, id)| ctx.remove_listener(id));
        })
        .on("remove-all", async |ctx: Ctx, ()| ctx.remove_all_listeners())
        .on("event-names", async |ctx: Ctx, ()| ctx.event_names())
        .on("seen", async |ctx: Ctx, ()| ctx.data().get::<Seen>().unwrap_or_default().0)
}

fn keep(ctx: &Ctx, label: String, id: ListenerId) {
    ctx.data().update(|Added(added)| added.push((label, id)));
}

/// A catch-all that notes its label and the event.
fn see(label: &str) -> impl Fn(Ctx, Arc<str>, Arguments) -> std::future::Ready<()> + Send + Sync + use<> {
    let label = label.to_owned();
    move |ctx, event, _| {
        ctx.data().update(|Seen(seen)| seen.push(format!("{label} {event}")));
        std::future::ready(())
    }
}

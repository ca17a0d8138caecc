//! The namespaces of the server under test that are made while it runs, and `/control`, which makes them and emits to
//! them; the same as `peer-runtime.mjs`.

use std::sync::Arc;

use serde_json::{Value, json};
use sockeye::{Ctx, Entrant, Events, Namespace, Refusal, Result, Server};

const ORDERS: &str = "/orders-{id}";
const TENANTS: &str = "tenants";

pub fn with_namespaces(server: Server) -> Server {
    let control = greeted(Events::new())
        .on("add", async |ctx: Ctx, path: String| ctx.io().add_namespace(&path, members()))
        .on("namespaces", async |ctx: Ctx, ()| ctx.io().namespaces())
        .on("emit", async |ctx: Ctx, (path, text): (String, String)| ctx.io().of(&path).emit("news", text))
        .on("emit-to-parent", async |ctx: Ctx, (name, text): (String, String)| parent(&ctx, &name).emit("news", text))
        .on("emit-to-room-of-parent", async |ctx: Ctx, (name, room, text): (String, String, String)| {
            parent(&ctx, &name).to(room).emit("news", text)
        });
    let orders = members().middleware(async |entrant: Entrant| match entrant.param("id") {
        Some("0") => Err(Refusal::new("no such order", None)),
        _ => Ok(()),
    });
    server
        .namespace("/control", control)
        .namespace("/orders-fixed", greeted(Events::new()).on("kind", async |_, ()| "fixed"))
        .namespace(ORDERS, orders.on("kind", async |ctx: Ctx, ()| ctx.param("id").map(str::to_owned)))
        .namespace_if(TENANTS, is_tenant, members())
        .namespace_if("failing", async |_, _| false, members())
}

/// Says by name and auth which namespaces are those of tenants.
async fn is_tenant(path: Arc<str>, auth: Value) -> bool {
    tokio::task::yield_now().await;
    path.starts_with("/tenant-") && auth["key"] == "secret"
}

fn parent(ctx: &Ctx, name: &str) -> Namespace {
    ctx.io().of_pattern(if name == "orders" { ORDERS } else { TENANTS })
}

fn greeted(events: Events) -> Events {
    events.connection(async |ctx: Ctx| ctx.emit("welcome", json!({})))
}

/// The events of namespaces that are made at run time.
fn members() -> Events {
    greeted(Events::new())
        .on("join", async |ctx: Ctx, room: String| ctx.join(&room))
        .on("path", async |ctx: Ctx, ()| ctx.namespace().to_owned())
        .on("tell-others", async |ctx: Ctx, text: String| -> Result<()> { ctx.broadcast().emit("news", text) })
}

//! A to-do list by acknowledgements, and a REST API on the same state: sockets hear of what is changed over HTTP.
//!
//! Run it with `cargo run --example todo`, then from a browser or Node:
//!
//! ```js
//! const socket = io("http://localhost:8000");
//! socket.on("todo:created", (todo) => {});
//! await socket.emitWithAck("todo:create", { title: "write", completed: false }); // { data: id }
//! await socket.emitWithAck("todo:create", { title: "" }); // { error, errorDetails: [{ message, path, type }] }
//! await fetch("http://localhost:8000/todos"); // { data: [{ id, title, completed }] }
//! ```

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::get,
};
use indexmap::IndexMap;
use parking_lot::Mutex;
use serde_json::{Value, json};
use sockeye::{Broadcast, Config, Ctx, Io, Server};
use uuid::Uuid;

const NOT_FOUND: &str = "entity not found";

/// The list, which routes and sockets share. A real application would keep it in a database.
#[derive(Clone, Default)]
struct Todos(Arc<Mutex<IndexMap<String, Value>>>);

/// Each answer is `{ data }`, or `{ error }` with details if there are some. `others` hear of a change.
impl Todos {
    fn create(&self, draft: Value, others: Broadcast) -> Value {
        save(&mut self.0.lock(), &Uuid::new_v4().to_string(), &draft, others, "todo:created")
    }

    fn read(&self, id: &str) -> Value {
        self.0.lock().get(id).map_or(json!({ "error": NOT_FOUND }), |todo| json!({ "data": todo }))
    }

    fn update(&self, draft: Value, others: Broadcast) -> Value {
        let mut list = self.0.lock();
        match draft["id"].as_str() {
            Some(id) if list.contains_key(id) => save(&mut list, id, &draft, others, "todo:updated"),
            _ => json!({ "error": NOT_FOUND }),
        }
    }

    fn remove(&self, id: &str, others: Broadcast) -> Value {
        let mut list = self.0.lock();
        let Some(_) = list.shift_remove(id) else { return json!({ "error": NOT_FOUND }) };
        others.emit("todo:deleted", id).expect("it has no attachments");
        json!({ "data": id })
    }

    fn list(&self) -> Value {
        json!({ "data": self.0.lock().values().collect::<Vec<_>>() })
    }
}

/// The list is locked meanwhile, so that all hear of changes in their order.
fn save(list: &mut IndexMap<String, Value>, id: &str, draft: &Value, others: Broadcast, event: &str) -> Value {
    if let Some(refusal) = refusal(draft) {
        return refusal;
    }
    let todo = json!({ "id": id, "title": draft["title"], "completed": draft["completed"] });
    others.emit(event, &todo).expect("it has no attachments");
    list.insert(id.to_owned(), todo);
    json!({ "data": id })
}

fn sockets(todos: &Todos) -> Server {
    Server::bare(Config::bare())
        .state(todos.clone())
        .on("todo:create", async |ctx: Ctx, draft: Value| ctx.state::<Todos>().create(draft, ctx.broadcast()))
        .on("todo:read", async |ctx: Ctx, id: String| ctx.state::<Todos>().read(&id))
        .on("todo:update", async |ctx: Ctx, draft: Value| ctx.state::<Todos>().update(draft, ctx.broadcast()))
        .on("todo:delete", async |ctx: Ctx, id: String| ctx.state::<Todos>().remove(&id, ctx.broadcast()))
        .on("todo:list", async |ctx: Ctx, ()| ctx.state::<Todos>().list())
}

type Shared = State<(Todos, Io)>;

fn routes(todos: Todos, io: Io) -> Router {
    let list = async |State((todos, _)): Shared| respond(todos.list());
    let create = async |State((todos, io)): Shared, Json(draft)| respond(todos.create(draft, io.everyone()));
    let read = async |State((todos, _)): Shared, Path(id): Path<String>| respond(todos.read(&id));
    let remove = async |State((todos, io)): Shared, Path(id): Path<String>| respond(todos.remove(&id, io.everyone()));
    Router::new()
        .route("/todos", get(list).post(create))
        .route("/todos/{id}", get(read).delete(remove))
        .with_state((todos, io))
}

fn respond(answer: Value) -> (StatusCode, Json<Value>) {
    let status = match answer["error"].as_str() {
        None => StatusCode::OK,
        Some(NOT_FOUND) => StatusCode::NOT_FOUND,
        Some(_) => StatusCode::BAD_REQUEST,
    };
    (status, Json(answer))
}

/// What is wrong with a draft, if it cannot be kept.
fn refusal(draft: &Value) -> Option<Value> {
    let is_title = draft["title"].as_str().is_some_and(|title| (1..=256).contains(&title.chars().count()));
    let rules = [
        ("title", is_title, "string.base", "must be a text of 1 to 256 characters"),
        ("completed", draft["completed"].is_boolean(), "boolean.base", "must be a boolean"),
    ];
    let broken = rules.iter().filter(|(_, is_kept, ..)| !is_kept);
    let details: Vec<_> = broken.map(|(path, _, kind, message)| json!({ "message": format!("\"{path}\" {message}"), "path": [path], "type": kind })).collect();
    (!details.is_empty()).then(|| json!({ "error": "invalid payload", "errorDetails": details }))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8000".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let todos = Todos::default();
    let server = sockets(&todos);
    let routes = routes(todos, server.io());
    server.serve(listener, routes, std::future::pending()).await?;
    Ok(())
}

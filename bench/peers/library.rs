//! The server `library` of the benchmark: the events of `server.mjs` with this crate. It knows a room, an unsaved message to
//! it and an echo. See `bench/README.md`.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sockeye::{ClientEvent, Config, Ctx, Raw, Result, Server, ServerEvent};

/// `join` with the room's name.
#[derive(Deserialize)]
struct Join(String);

impl ClientEvent for Join {
    const NAME: &'static str = "join";
}

/// `send-message` with a room and anything else.
struct SendMessage {
    room: String,
    payload: Box<RawValue>,
}

impl<'de> Deserialize<'de> for SendMessage {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Room {
            room: String,
        }
        let payload = Box::<RawValue>::deserialize(deserializer)?;
        let Room { room } = serde_json::from_str(payload.get()).map_err(serde::de::Error::custom)?;
        Ok(Self { room, payload })
    }
}

impl ClientEvent for SendMessage {
    const NAME: &'static str = "send-message";
}

/// The same payload, to the room.
#[derive(Serialize)]
struct MessageSaved(Box<RawValue>);

impl ServerEvent for MessageSaved {
    const NAME: &'static str = "message-saved";
}

/// `echo` with anything.
#[derive(Deserialize)]
struct Echo(Box<RawValue>);

impl ClientEvent for Echo {
    const NAME: &'static str = "echo";
}

#[derive(Serialize)]
struct Done {
    success: bool,
}

async fn join(ctx: Ctx, Join(room): Join) -> Result<Raw<Done>> {
    ctx.join(&room)?;
    Ok(Raw(Done { success: true }))
}

async fn send_message(ctx: Ctx, send: SendMessage) -> Result<Raw<Done>> {
    ctx.emit_to_room(&send.room, &MessageSaved(send.payload))?;
    Ok(Raw(Done { success: true }))
}

async fn echo(_: Ctx, Echo(payload): Echo) -> Result<Raw<Box<RawValue>>> {
    Ok(Raw(payload))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().skip_while(|argument| argument != "--listen").nth(1);
    let listener = tokio::net::TcpListener::bind(address.unwrap_or_else(|| "127.0.0.1:8000".to_owned())).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let mut config = Config::default();
    config.store.path = std::env::temp_dir().join(format!("sockeye-bench-{}", std::process::id()));
    let limits = &mut config.limits;
    (limits.events_per_second, limits.sockets_per_address, limits.sockets_per_user, limits.events_in_flight) =
        (0, 0, 0, 0);
    Server::bare(config).on(join).on(send_message).on(echo).serve(listener, std::future::pending()).await?;
    Ok(())
}

//! Events that are passed on without being known, as the configuration says.

use bytes::Bytes;
use serde_json::Value as Json;

use super::connect::Conn;
use crate::{
    chat,
    config::{Relay, RelayTo},
    error::{Error, Result},
    hub::{Outgoing, To},
    model::{RoomRef, UserId},
    protocol::Args,
};

/// Passes an event on: the very text and attachments that came in.
pub(super) fn emit(conn: &Conn, name: &str, text: String, attachments: Vec<Bytes>) -> Result<()> {
    let relay = &conn.app.config.relay[name];
    match relay.to {
        RelayTo::Everyone => send(conn, relay, To::Everyone, None, (text, attachments)),
        RelayTo::Others => send(conn, relay, To::Everyone, Some(conn.id), (text, attachments)),
        RelayTo::User => {
            let user = UserId::parse(&named(relay, &text, "user")?).map_err(Error::BadPayload)?;
            send(conn, relay, To::User(&user), None, (text, attachments));
        }
        RelayTo::Room => {
            let room = RoomRef::parse(&named(relay, &text, "room")?).map_err(Error::BadPayload)?;
            let room = chat::enter(&conn.identity(), room)?;
            if !conn.hub.hears(conn.id, &room) {
                return Err(Error::Forbidden("join the room first".to_owned()));
            }
            send(conn, relay, To::Room(&room), None, (text, attachments));
        }
    }
    Ok(())
}

fn send(conn: &Conn, relay: &Relay, to: To<'_>, except: Option<crate::hub::SocketId>, event: (String, Vec<Bytes>)) {
    let mut outgoing = Outgoing::new(to, event);
    if let Some(except) = except.or_else(|| relay.except_sender.then_some(conn.id)) {
        outgoing = outgoing.except(except);
    }
    conn.hub.send(&if relay.volatile { outgoing.volatile() } else { outgoing });
}

/// The text that names the room or the user.
fn named(relay: &Relay, text: &str, what: &str) -> Result<String> {
    let (_, args) = Args::parse(text, &[])?;
    let place = args.get(relay.argument.unwrap_or(0)).and_then(|text| serde_json::from_str::<Json>(text.get()).ok());
    let text = match (place, relay.field.as_deref()) {
        (Some(Json::Object(mut object)), Some(field)) => object.remove(field),
        (Some(value), None) => Some(value),
        _ => None,
    };
    match text {
        Some(Json::String(text)) => Ok(text),
        _ => Err(Error::BadPayload(format!("the payload names no {what}"))),
    }
}

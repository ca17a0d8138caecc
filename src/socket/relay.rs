//! Events that are passed on without being known, as the configuration says.

use serde_json::Value as Json;

use super::connect::Conn;
use crate::{
    chat,
    config::RelayTo,
    error::{Error, Result},
    hub::{Outgoing, To},
    model::{RoomRef, UserId},
    protocol::Args,
};

/// The event as it goes out: the very text and attachments that came in.
pub(super) fn outgoing(conn: &Conn, name: &str, text: &str, args: &Args<'_>) -> Result<Outgoing> {
    let relay = &conn.app.config.relay[name];
    check_placeholders(text, args.attachments().len())?;
    let attachments = (!args.attachments().is_empty()).then(|| args.attachments().iter().cloned().collect());
    let data = (text.to_owned(), attachments);
    let place = |what| named(relay.field.as_deref(), relay.argument, args, what);
    let mut outgoing = match relay.to {
        RelayTo::Everyone => conn.hub.outgoing(To::Everyone, data),
        RelayTo::Others => conn.hub.outgoing(To::Everyone, data).except(conn.id),
        RelayTo::User => {
            let user = UserId::parse(&place("user")?).map_err(Error::BadPayload)?;
            conn.hub.outgoing(To::User(&user), data)
        }
        RelayTo::Room => {
            let room = RoomRef::parse(&place("room")?).map_err(Error::BadPayload)?;
            let room = chat::enter(&conn.identity(), room)?;
            if !conn.hub.hears(conn.id, &room) {
                return Err(Error::Forbidden("join the room first".to_owned()));
            }
            conn.hub.outgoing(To::Room(&room), data)
        }
    };
    if relay.except_sender {
        outgoing = outgoing.except(conn.id);
    }
    Ok(if relay.volatile { outgoing.volatile() } else { outgoing })
}

/// The text that names the room or the user.
fn named(field: Option<&str>, argument: Option<usize>, args: &Args<'_>, what: &str) -> Result<String> {
    let place = args.get(argument.unwrap_or(0)).and_then(|text| serde_json::from_str::<Json>(text.get()).ok());
    let text = match (place, field) {
        (Some(Json::Object(mut object)), Some(field)) => object.remove(field),
        (Some(value), None) => Some(value),
        _ => None,
    };
    match text {
        Some(Json::String(text)) => Ok(text),
        _ => Err(Error::BadPayload(format!("the payload names no {what}"))),
    }
}

/// Every placeholder must have its attachment: a receiver's parser takes a wrong one for a broken connection.
fn check_placeholders(text: &str, attachments: usize) -> Result<()> {
    if attachments == 0 {
        return Ok(());
    }
    let value: Json = serde_json::from_str(text).map_err(|error| Error::BadPayload(error.to_string()))?;
    if !all_placed(&value, attachments) {
        return Err(Error::BadPayload("a placeholder without its attachment".to_owned()));
    }
    Ok(())
}

fn all_placed(value: &Json, attachments: usize) -> bool {
    match value {
        Json::Array(items) => items.iter().all(|item| all_placed(item, attachments)),
        Json::Object(members) if members.get("_placeholder") == Some(&Json::Bool(true)) => {
            members.get("num").and_then(Json::as_u64).is_some_and(|num| num < attachments as u64)
        }
        Json::Object(members) => members.values().all(|member| all_placed(member, attachments)),
        _ => true,
    }
}

//! Relays events to other clients without a handler, as configured in `[relay]`.

use bytes::Bytes;

use super::app_socket::AppSocket;
use crate::{
    chat,
    config::{Relay, RelayTo},
    error::{Error, Result},
    hub::{Encoded, Outgoing, To},
    input::{self, Object, described},
    model::{RoomRef, SocketId, UserId},
    protocol::Args,
};

/// Relays an event, with its text and attachments unchanged.
pub(super) fn emit(socket: &AppSocket, name: &str, text: String, attachments: Vec<Bytes>) -> Result<()> {
    let relay = &socket.app.config.relay[name];
    let event = |text| Encoded::received(text, attachments);
    match relay.to {
        RelayTo::Everyone => send(socket, relay, To::Everyone, None, event(text)),
        RelayTo::Others => send(socket, relay, To::Everyone, Some(socket.id), event(text)),
        RelayTo::User => {
            let user = named(relay, &text, UserId::parse)?;
            let argument = format!("argument {}", relay.argument.unwrap_or(0));
            socket.app.auth.check_receiver(relay.field.as_deref().unwrap_or(&argument), &user)?;
            send(socket, relay, To::User(&user), None, event(text))
        }
        RelayTo::Room => {
            let room = chat::enter(&socket.identity(), named(relay, &text, RoomRef::parse)?)?;
            if !socket.hub.is_subscribed(socket.id, &room) {
                return Err(Error::Forbidden("join the room first".to_owned()));
            }
            send(socket, relay, To::Room(&room), None, event(text))
        }
    }
}

fn send(socket: &AppSocket, relay: &Relay, to: To<'_>, except: Option<SocketId>, event: Encoded) -> Result<()> {
    let mut outgoing = Outgoing::new(to, event);
    if let Some(except) = except.or_else(|| relay.except_sender.then_some(socket.id)) {
        outgoing = outgoing.except(except);
    }
    socket.hub.send(&if relay.volatile { outgoing.volatile() } else { outgoing }).map(drop)
}

/// Parses the room or the user of an event. The relay's configuration says in which argument and field it is. Fails
/// with `bad-payload` if it is missing or invalid.
fn named<T>(relay: &Relay, text: &str, parse: fn(&str) -> Result<T, String>) -> Result<T> {
    let (_, args) = Args::parse(text, &[])?;
    let index = relay.argument.unwrap_or(0);
    let missing = |what: &str| Error::BadPayload(format!("{what} is missing"));
    let argument = args.get(index).ok_or_else(|| missing(&format!("argument {index}")))?;
    let Some(field) = relay.field.as_deref() else {
        return input::key(&format!("argument {index}"), argument, parse).map_err(Error::BadPayload);
    };
    let no_object = || Error::BadPayload(format!("argument 0 must be an object, not {}", described(argument.get())));
    let members = Object::of(argument.get()).ok_or_else(no_object)?;
    input::key(field, members.get(field).ok_or_else(|| missing(field))?, parse).map_err(Error::BadPayload)
}

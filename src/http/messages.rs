//! `/api/messages`

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    answer::{Answer, Created, Done, Failed},
    caller::Caller,
    extract::{Json, Path, Query},
};
use crate::{
    app::App,
    auth::Identity,
    chat::{self, Change},
    config::Scope,
    error::{Error, Result},
    model::{Message, MessageId, RoomRef, User, UserId, idempotency_key, named},
    protocol::{self, DeleteMessage, EditMessage, Head, LoadMessages, Page, Reply, SendMessage},
    store::Known,
};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(post, list)).routes(routes!(get, edit, delete))
}

/// A message to be saved.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewMessage {
    /// Who says it, and becomes a member by it; without it, the system.
    #[serde(default, deserialize_with = "given")]
    from: Option<Author>,
    /// The room. With neither `room` nor `to`, the lobby.
    #[serde(default, deserialize_with = "given")]
    room: Option<RoomRef>,
    /// The other user of a direct message.
    #[serde(default, deserialize_with = "given")]
    to: Option<UserId>,
    /// Makes a retry within 24 h harmless: 1 to 128 characters, one per message and author.
    #[serde(default, deserialize_with = "idempotency_key")]
    idempotency_key: Option<String>,
    /// What is said: an object, kept byte for byte. A plain value becomes `{ "value": ... }`.
    #[schema(value_type = Object)]
    body: Box<RawValue>,
}

/// A field that must not be null: a message is not to go to everybody because somebody's id is not there.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Who says something.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Author {
    /// The user's id.
    id: UserId,
    /// The user's name, which is kept; without it, the one that is known, or the id.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    name: Option<AuthorName>,
}

/// A text or a whole number.
struct AuthorName(String);

impl<'de> Deserialize<'de> for AuthorName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        named(deserializer, |name| Ok(Self(name.to_owned())))
    }
}

/// Saves a message and tells its room
///
/// As `send-message` does, in the name of a user or of the system. A retry with the same `idempotencyKey` is answered
/// with the first message, and nobody hears it twice.
#[utoipa::path(
    post,
    path = "/api/messages",
    tag = "messages",
    request_body = NewMessage,
    responses(
        Failed,
        (status = 201, description = "The message as its author sees it", body = Reply<Message>),
        (status = 409, description = "`conflict`: the `idempotencyKey` was used for another message"),
        (status = 413, description = "`too-large`: more than `limits.payload-bytes`"),
    )
)]
async fn post(
    State(app): State<Arc<App>>,
    caller: Caller,
    Json(new): Json<NewMessage>,
) -> Result<Created<Message>, Failed> {
    caller.backend(Scope::MessagesWrite)?;
    let body = protocol::whole(&new.body).map_err(Error::BadPayload)?;
    let send = SendMessage { room: new.room, to: new.to, idempotency_key: new.idempotency_key, body };
    let send = send.checked().map_err(Error::BadPayload)?;
    let who = Identity::trusted(author(&app, new.from).await?);
    Ok(Created(chat::post(&app, &who, send)?.done().await?))
}

async fn author(app: &App, from: Option<Author>) -> Result<User> {
    let Some(Author { id, name }) = from else { return Ok(User::system()) };
    if id.is_system() {
        return Err(Error::BadPayload("the system speaks where there is no from".to_owned()));
    }
    let Some(AuthorName(name)) = name else { return chat::user_named(app, id).await };
    let user = User::new(id, &name).map_err(Error::BadPayload)?;
    if app.auth.has_memberships(&user.id) {
        app.store.write_quietly(Known(user.clone()));
    }
    Ok(user)
}

/// Which messages.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Which {
    /// The room. For a user `dm:<the other user's id>` is a direct message, for a backend one of the system's.
    room: Option<RoomRef>,
    /// For backends: with `and`, the direct message of the two, as this one sees it.
    between: Option<UserId>,
    /// See `between`.
    and: Option<UserId>,
    /// Messages with smaller offsets, the nearest ones.
    before: Option<u64>,
    /// Messages with larger offsets, the nearest ones.
    after: Option<u64>,
    /// How many: 50 by default, 1 to 200.
    limit: Option<u64>,
    /// The last revision that was seen: every message changed after it, in the order of revisions, 200 at the most.
    since: Option<u64>,
}

/// Messages of a room, as `load-messages` and `join-room` have them.
#[derive(Serialize, ToSchema)]
struct Messages {
    /// In ascending order.
    messages: Vec<Message>,
    /// There are more in the direction asked for; after `since`, ask again with the last revision here.
    more: bool,
    /// With `since`: the room's newest message and change, as of the same moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<Head>,
    /// With `since`: the answer cannot be complete; forget what you have. The last 50 are here.
    #[serde(skip_serializing_if = "Option::is_none")]
    reset: Option<bool>,
}

/// A page of a room's messages, or what changed since a revision
///
/// A user reads what they may read on the sockets, a backend everything.
#[utoipa::path(
    get,
    path = "/api/messages",
    tag = "messages",
    params(Which),
    responses(Failed, (status = 200, description = "The messages", body = Reply<Messages>))
)]
async fn list(State(app): State<Arc<App>>, caller: Caller, Query(which): Query<Which>) -> Answer<Messages> {
    let user = caller.reader(Scope::MessagesRead)?;
    let (who, room) = match (which.room, which.between, which.and) {
        (Some(room), None, None) => (user.cloned().unwrap_or_else(|| Identity::trusted(User::system())), room),
        (None, Some(reader), Some(other)) => {
            caller.backend(Scope::MessagesRead)?;
            (chat::in_the_name_of(&app, reader), RoomRef::With(other))
        }
        _ => return Err(Failed(Error::BadPayload("either room, or between and and".to_owned()))),
    };
    let Some(since) = which.since else {
        let load = LoadMessages { room, before: which.before, after: which.after, limit: which.limit };
        let Page { messages, more } = chat::load(&app, &who, load).await?;
        return Ok(Done(Messages { messages, more, head: None, reset: None }));
    };
    if which.before.or(which.after).or(which.limit).is_some() {
        return Err(Failed(Error::BadPayload("since goes with neither before nor after nor limit".to_owned())));
    }
    let caught_up = chat::catch_up(&app, &who, room, since).await?;
    let (messages, more) = (caught_up.messages, caught_up.more);
    Ok(Done(Messages { messages, more, head: Some(caught_up.head), reset: Some(caught_up.reset) }))
}

/// One message
///
/// For a backend, as its author sees it.
#[utoipa::path(
    get,
    path = "/api/messages/{id}",
    tag = "messages",
    params(("id" = MessageId, Path, description = "The message's id")),
    responses(
        Failed,
        (status = 200, description = "The message", body = Reply<Message>),
        (status = 404, description = "`not-found`: no such message that the caller may know of"),
    )
)]
async fn get(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<MessageId>) -> Answer<Message> {
    Ok(Done(chat::message(&app, caller.reader(Scope::MessagesRead)?, id).await?))
}

/// A message's new body.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Edit {
    /// What it says from now on, whole.
    #[schema(value_type = Object)]
    body: Box<RawValue>,
    /// Only if this user is the author. Without it, the author does not matter.
    by: Option<UserId>,
}

/// Replaces a message's body and tells its room
#[utoipa::path(
    patch,
    path = "/api/messages/{id}",
    tag = "messages",
    params(("id" = MessageId, Path, description = "The message's id")),
    request_body = Edit,
    responses(
        Failed,
        (status = 200, description = "The message as its author sees it", body = Reply<Message>),
        (status = 404, description = "`not-found`: no such message"),
        (status = 409, description = "`conflict`: the message is deleted"),
        (status = 413, description = "`too-large`: more than `limits.payload-bytes`"),
    )
)]
async fn edit(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<MessageId>,
    Json(edit): Json<Edit>,
) -> Answer<Message> {
    caller.backend(Scope::MessagesWrite)?;
    let who = edit.by.map(|user| chat::in_the_name_of(&app, user));
    let body = protocol::whole(&edit.body).map_err(Error::BadPayload)?;
    Ok(Done(chat::edit(&app, who.as_ref(), EditMessage { id, body }).done().await?))
}

/// As whom a message is deleted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct As {
    /// Only if this user is the author. Without it, the author does not matter.
    by: Option<UserId>,
}

/// Leaves a tombstone and tells the room
#[utoipa::path(
    delete,
    path = "/api/messages/{id}",
    tag = "messages",
    params(("id" = MessageId, Path, description = "The message's id"), As),
    responses(
        Failed,
        (status = 200, description = "The tombstone as its author sees it", body = Reply<Message>),
        (status = 404, description = "`not-found`: no such message"),
    )
)]
async fn delete(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<MessageId>,
    Query(As { by }): Query<As>,
) -> Answer<Message> {
    caller.backend(Scope::MessagesWrite)?;
    let who = by.map(|user| chat::in_the_name_of(&app, user));
    Ok(Done(chat::delete(&app, who.as_ref(), DeleteMessage { id }).done().await?))
}

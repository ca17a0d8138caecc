//! `/api/messages`: saves, lists, edits and deletes messages.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    caller::Caller,
    extract::{Json, Path, Query},
    response::{ApiError, ApiResult, Created, Done},
};
use crate::{
    app::App,
    auth::Identity,
    chat::{self, Change},
    config::Scope,
    error::{Error, Result},
    model::{Message, MessageId, RoomRef, User, UserId, idempotency_key, named},
    protocol::{
        self, DeleteMessage, EditMessage, FoundMessages, Head, LoadMessages, Page, Reply, SearchMessages, SendMessage,
    },
    store::SaveUserName,
};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(post, list)).routes(routes!(get, edit, delete))
}

/// A message to save.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewMessage {
    /// The author, who becomes a member of the room. Without it, the author is the system.
    #[serde(default, deserialize_with = "given")]
    from: Option<Author>,
    /// The room. Without `room` and `to`: the lobby.
    #[serde(default, deserialize_with = "given")]
    room: Option<RoomRef>,
    /// The other user of a direct message.
    #[serde(default, deserialize_with = "given")]
    to: Option<UserId>,
    /// Makes a retry within 24 h harmless: 1 to 128 characters, unique for each message of an author.
    #[serde(default, deserialize_with = "idempotency_key")]
    idempotency_key: Option<String>,
    /// The body: an object, kept byte for byte. Any other value becomes `{ "value": ... }`.
    #[schema(value_type = Object)]
    body: Box<RawValue>,
}

/// Deserializes a field that must not be null. If `to` were null by a backend's mistake, the message would go to the
/// lobby.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// The author of a message.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Author {
    /// The user's id.
    id: UserId,
    /// The user's name, which is stored. Without it: the stored name, or else the id.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    name: Option<AuthorName>,
}

/// A user's name: a string or a whole number.
struct AuthorName(String);

impl<'de> Deserialize<'de> for AuthorName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        named(deserializer, |name| Ok(Self(name.to_owned())))
    }
}

/// Saves a message and emits `message-saved` to its room
///
/// As `send-message` does, in the name of a user or of the system. A retry with the same `idempotencyKey` returns the
/// first message, and no client receives it twice.
#[utoipa::path(
    post,
    path = "/api/messages",
    tag = "messages",
    request_body = NewMessage,
    responses(
        ApiError,
        (status = 201, description = "The message as its author sees it", body = Reply<Message>),
        (status = 409, description = "`conflict`: the `idempotencyKey` was used for another message"),
        (status = 413, description = "`too-large`: more bytes than `limits.payload-bytes`"),
    )
)]
async fn post(
    State(app): State<Arc<App>>,
    caller: Caller,
    Json(new): Json<NewMessage>,
) -> Result<Created<Message>, ApiError> {
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
        return Err(Error::BadPayload("without from, the author is the system".to_owned()));
    }
    let Some(AuthorName(name)) = name else { return chat::user_named(app, id).await };
    let user = User::new(id, &name).map_err(Error::BadPayload)?;
    if app.auth.has_memberships(&user.id) {
        app.store().write_quietly(SaveUserName(user.clone()));
    }
    Ok(user)
}

/// The parameters of a page of messages.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct MessagesQuery {
    /// The room. `dm:<id>` is the direct message of that user with the caller; if the caller is a backend, with the
    /// system.
    room: Option<RoomRef>,
    /// For backends: this user's direct message with the user `and`, as this user sees it.
    between: Option<UserId>,
    /// The other user; see `between`.
    and: Option<UserId>,
    /// Return the messages next before this offset. With `search`: those older than the message with this id.
    before: Option<String>,
    /// Return the messages next after this offset.
    after: Option<u64>,
    /// Maximal number of messages: 1 to 200, 50 by default.
    limit: Option<u64>,
    /// A revision: return the messages that changed after it, in the order of revisions, at most 200.
    since: Option<u64>,
    /// Words: return the newest messages that have all of them, in all rooms or in the given one.
    search: Option<String>,
    /// With `search`: only messages of this author.
    from: Option<UserId>,
}

impl MessagesQuery {
    /// The parameters of a page, or of what changed.
    fn without_search(&self) -> Result<Option<u64>> {
        if self.from.is_some() {
            return Err(Error::BadPayload("from goes with search".to_owned()));
        }
        let offset = |text: &String| {
            text.parse().map_err(|_| Error::BadPayload(format!("before must be an offset, not {text:?}")))
        };
        self.before.as_ref().map(offset).transpose()
    }
}

/// Messages, in the form of `load-messages`, `join-room` or `search-messages`.
#[derive(Serialize, ToSchema)]
struct Messages {
    /// In ascending order. With `search`: the newest first.
    messages: Vec<Message>,
    /// Whether there are more in this direction. With `since`: ask again with the last revision of this page. Absent with
    /// `search`.
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<bool>,
    /// With `search`: where to go on, as `before`; absent if there are no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<MessageId>,
    /// With `since`: the offset and revision of the room at the same moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<Head>,
    /// With `since`: not all changes are known any more. Discard the messages you have; the last 50 are here.
    #[serde(skip_serializing_if = "Option::is_none")]
    reset: Option<bool>,
}

/// A page of a room's messages, what changed since a revision, or the messages with some words
///
/// A user reads what they may read on sockets; a backend reads everything.
#[utoipa::path(
    get,
    path = "/api/messages",
    tag = "messages",
    params(MessagesQuery),
    responses(ApiError, (status = 200, description = "The messages", body = Reply<Messages>))
)]
async fn list(State(app): State<Arc<App>>, caller: Caller, Query(query): Query<MessagesQuery>) -> ApiResult<Messages> {
    let user = caller.reader(Scope::MessagesRead)?;
    if query.search.is_some() {
        return search(&app, &caller, user, query).await;
    }
    let before = query.without_search()?;
    let (who, room) = match (query.room, query.between, query.and) {
        (Some(room), None, None) => (user.cloned().unwrap_or_else(|| Identity::trusted(User::system())), room),
        (None, Some(reader), Some(other)) => {
            caller.backend(Scope::MessagesRead)?;
            (chat::in_the_name_of(&app, reader), RoomRef::With(other))
        }
        _ => return Err(ApiError(Error::BadPayload("either room, or between and and".to_owned()))),
    };
    let Some(since) = query.since else {
        let load = LoadMessages { room, before, after: query.after, limit: query.limit };
        let Page { messages, more } = chat::load(&app, &who, load).await?;
        return Ok(Done(Messages { messages, more: Some(more), next: None, head: None, reset: None }));
    };
    if before.or(query.after).or(query.limit).is_some() {
        return Err(ApiError(Error::BadPayload("since goes with neither before nor after nor limit".to_owned())));
    }
    let caught_up = chat::catch_up(&app, &who, room, since).await?;
    let (messages, more) = (caught_up.messages, Some(caught_up.more));
    Ok(Done(Messages { messages, more, next: None, head: Some(caught_up.head), reset: Some(caught_up.reset) }))
}

async fn search(app: &App, caller: &Caller, user: Option<&Identity>, query: MessagesQuery) -> ApiResult<Messages> {
    if query.after.or(query.since).is_some() {
        return Err(ApiError(Error::BadPayload("search goes with neither after nor since".to_owned())));
    }
    let before = query
        .before
        .map(|text| MessageId::parse(&text).map_err(|sentence| Error::BadPayload(format!("before: {sentence}"))));
    let (who, room) = match (query.room, query.between, query.and) {
        (room, None, None) => (user.cloned(), room),
        (None, Some(reader), Some(other)) => {
            caller.backend(Scope::MessagesRead)?;
            (Some(chat::in_the_name_of(app, reader)), Some(RoomRef::With(other)))
        }
        _ => return Err(ApiError(Error::BadPayload("either room, or between and and, or neither".to_owned()))),
    };
    let search = SearchMessages {
        text: query.search.unwrap_or_default(),
        room,
        from: query.from,
        before: before.transpose()?,
        limit: query.limit,
    };
    let FoundMessages { messages, next } = chat::search(app, who.as_ref(), search).await?;
    Ok(Done(Messages { messages, more: None, next, head: None, reset: None }))
}

/// One message
///
/// A backend gets it as its author sees it.
#[utoipa::path(
    get,
    path = "/api/messages/{id}",
    tag = "messages",
    params(("id" = MessageId, Path, description = "The message's id")),
    responses(
        ApiError,
        (status = 200, description = "The message", body = Reply<Message>),
        (status = 404, description = "`not-found`: there is no such message, or the caller may not read it"),
    )
)]
async fn get(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<MessageId>) -> ApiResult<Message> {
    Ok(Done(chat::message(&app, caller.reader(Scope::MessagesRead)?, id).await?))
}

/// A message's new body.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Edit {
    /// The new body, which replaces the whole old one.
    #[schema(value_type = Object)]
    body: Box<RawValue>,
    /// Edit the message only if this user is its author. Without it, the author is not checked.
    by: Option<UserId>,
}

/// Replaces a message's body and emits `message-edited` to its room
#[utoipa::path(
    patch,
    path = "/api/messages/{id}",
    tag = "messages",
    params(("id" = MessageId, Path, description = "The message's id")),
    request_body = Edit,
    responses(
        ApiError,
        (status = 200, description = "The message as its author sees it", body = Reply<Message>),
        (status = 404, description = "`not-found`: no such message"),
        (status = 409, description = "`conflict`: the message is deleted"),
        (status = 413, description = "`too-large`: more bytes than `limits.payload-bytes`"),
    )
)]
async fn edit(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<MessageId>,
    Json(edit): Json<Edit>,
) -> ApiResult<Message> {
    caller.backend(Scope::MessagesWrite)?;
    let who = edit.by.map(|user| chat::in_the_name_of(&app, user));
    let body = protocol::whole(&edit.body).map_err(Error::BadPayload)?;
    Ok(Done(chat::edit(&app, who.as_ref(), EditMessage { id, body }).done().await?))
}

/// The parameters of a deletion.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct DeleteQuery {
    /// Delete the message only if this user is its author. Without it, the author is not checked.
    by: Option<UserId>,
}

/// Replaces a message by a tombstone and emits `message-deleted` to its room
#[utoipa::path(
    delete,
    path = "/api/messages/{id}",
    tag = "messages",
    params(("id" = MessageId, Path, description = "The message's id"), DeleteQuery),
    responses(
        ApiError,
        (status = 200, description = "The tombstone as its author sees it", body = Reply<Message>),
        (status = 404, description = "`not-found`: no such message"),
    )
)]
async fn delete(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<MessageId>,
    Query(DeleteQuery { by }): Query<DeleteQuery>,
) -> ApiResult<Message> {
    caller.backend(Scope::MessagesWrite)?;
    let who = by.map(|user| chat::in_the_name_of(&app, user));
    Ok(Done(chat::delete(&app, who.as_ref(), DeleteMessage { id }).done().await?))
}

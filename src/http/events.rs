//! `/api/events`: emits events over HTTP.

mod emission;
mod replies;

use std::sync::Arc;

use axum::{Extension, extract::State};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) use self::replies::Replies;
use self::{emission::Emission, replies::Reservations};
use super::{
    caller::Caller,
    extract::Json,
    response::{ApiError, ApiResult, Done},
};
use crate::{
    app::{App, ROOT},
    config::Scope,
    error::{Error, Result},
    model::{RoomName, RoomRef, UserId, idempotency_key},
    protocol::{Failure, Reply},
};

/// Maximal number of events in one batch.
const BATCH_MAX: usize = 100;

pub(super) fn routes(replies: Replies) -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(emit)).routes(routes!(emit_batch)).layer(Extension(replies))
}

/// An event to emit.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Event {
    /// The event's name: 1 to 128 characters. Names of the server's own events and Socket.IO's reserved names are
    /// refused.
    event: String,
    /// The single argument: any JSON. Clients receive it byte for byte.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    data: Option<Box<RawValue>>,
    /// Several arguments, instead of `data`.
    #[schema(value_type = Option<Vec<serde_json::Value>>)]
    args: Option<Vec<Box<RawValue>>>,
    /// The receivers. A socket that is named several times receives the event once.
    to: To,
    /// Sockets that do not receive the event although `to` includes them.
    #[serde(default)]
    except: Except,
    /// The namespace.
    #[serde(default = "root")]
    #[schema(default = "/")]
    namespace: String,
    /// Volatile: a client that is slow at that moment, or is away, does not get the event.
    #[serde(default)]
    volatile: bool,
    /// Makes a retry within 24 h harmless: 1 to 128 characters, unique for each event of an API key.
    #[serde(default, deserialize_with = "idempotency_key")]
    idempotency_key: Option<String>,
    /// Ask the clients for acknowledgements.
    ack: Option<Ack>,
}

/// The receivers of an event. At least one must be named.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
struct To {
    /// The sockets in these rooms.
    rooms: Vec<NamedRoom>,
    /// All sockets of these users.
    users: Vec<UserId>,
    /// These sockets, by the `socketId` of their `session`. Ids of sockets that do not exist any more are ignored.
    sockets: Vec<String>,
    /// All sockets of the namespace.
    everyone: bool,
}

/// The sockets that do not receive an event.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
struct Except {
    /// The sockets in these rooms.
    rooms: Vec<NamedRoom>,
    /// All sockets of these users.
    users: Vec<UserId>,
    /// These sockets.
    sockets: Vec<String>,
}

/// The name of a room. Direct messages have none.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[schema(value_type = RoomName)]
struct NamedRoom(RoomName);

impl<'de> Deserialize<'de> for NamedRoom {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match RoomRef::deserialize(deserializer)? {
            RoomRef::Named(name) => Ok(Self(name)),
            RoomRef::With(_) => Err(D::Error::custom("a direct message is no room here: name its users in users")),
        }
    }
}

/// The request for acknowledgements.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Ack {
    /// How long to wait for the acknowledgements, in milliseconds.
    #[schema(minimum = 1, maximum = 60_000)]
    timeout_ms: u64,
}

/// The result of an emitted event.
#[derive(Serialize, Deserialize, ToSchema)]
struct Emitted {
    /// Number of sockets that the event was queued for, or is kept for while they are away. With `ack`: number of
    /// sockets that were asked.
    delivered: usize,
    /// With `ack`: an acknowledgement or an error for each of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answers: Option<Vec<Answered>>,
}

/// One client's acknowledgement.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Answered {
    /// The socket's id.
    socket_id: String,
    /// The socket's user.
    #[schema(value_type = String)]
    user_id: UserId,
    /// The argument of the acknowledgement; null if it had none.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    data: Option<Box<RawValue>>,
    /// The arguments of the acknowledgement, if it had several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<serde_json::Value>>)]
    args: Option<Vec<Box<RawValue>>>,
    /// `unavailable`: the client has gone or did not acknowledge in time. `bad-payload`: its acknowledgement has binary
    /// data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

/// Events to emit one after the other.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Batch {
    /// 1 to 100 events, without `ack`.
    #[schema(min_items = 1, max_items = 100)]
    events: Vec<Event>,
}

/// The result of a batch.
#[derive(Serialize, ToSchema)]
struct BatchEmitted {
    /// The result of each event, in the order of the request.
    #[schema(value_type = Vec<Emitted>)]
    results: Vec<Arc<Emitted>>,
}

/// Emits an event
///
/// To rooms, users, single sockets or everybody; each socket receives it once. With `ack`, the response waits for the
/// clients' acknowledgements.
#[utoipa::path(
    post,
    path = "/api/events",
    tag = "events",
    request_body = Event,
    responses(
        ApiError,
        (status = 200, description = "The event was emitted, by this request or by the earlier one that it repeats", body = Reply<Emitted>),
        (status = 404, description = "`not-found`: no such namespace"),
        (status = 409, description = "`conflict`: the `idempotencyKey` was used for another event"),
        (status = 413, description = "`too-large`: more bytes than `limits.payload-bytes`, or more sockets to ask than `api.asked-sockets`"),
    )
)]
async fn emit(
    State(app): State<Arc<App>>,
    Extension(replies): Extension<Replies>,
    caller: Caller,
    Json(event): Json<Event>,
) -> ApiResult<Arc<Emitted>> {
    let key = caller.backend(Scope::EventsWrite)?;
    let emission = Emission::new(&app, event)?;
    let mut results = perform(app, replies, key.name.clone(), vec![emission]).await?;
    Ok(Done(results.remove(0)))
}

/// Emits several events
///
/// One after the other, in the order of the request. If one of them is invalid, none is emitted.
#[utoipa::path(
    post,
    path = "/api/events/batch",
    tag = "events",
    request_body = Batch,
    responses(
        ApiError,
        (status = 200, description = "The events were emitted", body = Reply<BatchEmitted>),
        (status = 404, description = "`not-found`: no such namespace"),
        (status = 409, description = "`conflict`: an `idempotencyKey` was used for another event"),
        (status = 413, description = "`too-large`: more bytes than `limits.payload-bytes`"),
    )
)]
async fn emit_batch(
    State(app): State<Arc<App>>,
    Extension(replies): Extension<Replies>,
    caller: Caller,
    Json(Batch { events }): Json<Batch>,
) -> ApiResult<BatchEmitted> {
    let key = caller.backend(Scope::EventsWrite)?;
    let emissions = emission::batch(&app, events)?;
    Ok(Done(BatchEmitted { results: perform(app, replies, key.name.clone(), emissions).await? }))
}

/// Emits the events that are not retries. A task does this: if the client closes the connection, the batch is emitted
/// all the same, and the client's retry gets the stored reply.
async fn perform(
    app: Arc<App>,
    replies: Replies,
    caller: String,
    emissions: Vec<Emission>,
) -> Result<Vec<Arc<Emitted>>> {
    // The shutdown waits for the task too, which may outlive the request.
    let call = app.calls().begin()?;
    let work = async move {
        let _call = call;
        let mut reservations =
            Reservations::take(&replies, &caller, emissions.iter().filter_map(|emission| emission.once.as_ref()))
                .await?;
        let mut results = Vec::with_capacity(emissions.len());
        for emission in &emissions {
            if let Some(earlier) = emission.once.as_ref().and_then(|once| reservations.earlier(once)) {
                results.push(earlier);
                continue;
            }
            let emitted = Arc::new(emission.emit(&app).await?);
            if let Some(once) = &emission.once {
                reservations.keep(once, &emitted);
            }
            results.push(emitted);
        }
        Ok(results)
    };
    tokio::spawn(work).await.map_err(|error| Error::internal("the server failed", error))?
}

/// Deserializes a field that may be null. A missing field stays `None`.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

fn root() -> String {
    ROOT.to_owned()
}

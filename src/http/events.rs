//! `/api/events`: emitting events over HTTP.

mod emission;
mod replies;

use std::sync::Arc;

use axum::{Extension, extract::State};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::{
    emission::Emission,
    replies::{Replies, Reservations},
};
use super::{
    answer::{Answer, Done, Failed},
    caller::Caller,
    extract::Json,
};
use crate::{
    app::{App, ROOT},
    config::Scope,
    error::{Error, Result},
    model::{RoomName, RoomRef, UserId, idempotency_key},
    protocol::{Failure, Reply},
};

/// Events in one batch, at the most.
const BATCH_MAX: usize = 100;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(emit)).routes(routes!(emit_batch)).layer(Extension(Replies::default()))
}

/// An event to emit.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Event {
    /// Its name: 1 to 128 characters, none of the server's own events and none of Socket.IO's reserved ones.
    event: String,
    /// Its one argument: any JSON, which clients get byte for byte.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    data: Option<Box<RawValue>>,
    /// Its arguments, where there are several; in place of `data`.
    #[schema(value_type = Option<Vec<serde_json::Value>>)]
    args: Option<Vec<Box<RawValue>>>,
    /// Who is to hear it: all of these, each socket once.
    to: To,
    /// Who is not to, though `to` names them.
    #[serde(default)]
    except: Except,
    /// Of which namespace.
    #[serde(default = "root")]
    #[schema(default = "/")]
    namespace: String,
    /// May be lost by a client that is slow at that moment, and is not kept for one that is away.
    #[serde(default)]
    volatile: bool,
    /// Makes a retry within 24 h harmless: 1 to 128 characters, one per event and key of a backend.
    #[serde(default, deserialize_with = "idempotency_key")]
    idempotency_key: Option<String>,
    /// Ask the clients for their answers.
    ack: Option<Ack>,
}

/// Who is to hear an event. It must name somebody.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
struct To {
    /// Those who hear one of these rooms.
    rooms: Vec<NamedRoom>,
    /// All sockets of these users.
    users: Vec<UserId>,
    /// These sockets, by the `socketId` of their `session`. One that has gone is nobody.
    sockets: Vec<String>,
    /// Everybody in the namespace.
    everyone: bool,
}

/// Who is not to hear an event.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
struct Except {
    /// Those who hear one of these rooms.
    rooms: Vec<NamedRoom>,
    /// All sockets of these users.
    users: Vec<UserId>,
    /// These sockets.
    sockets: Vec<String>,
}

/// A room's name, of those that have one.
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

/// How acknowledgements are asked for.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Ack {
    /// How long their answers are waited for, in milliseconds.
    #[schema(minimum = 1, maximum = 60_000)]
    timeout_ms: u64,
}

/// The result of an emitted event.
#[derive(Serialize, ToSchema)]
struct Emitted {
    /// For how many sockets: it waits in their queues, or is kept for those that are away. With `ack`, how many were
    /// asked.
    delivered: usize,
    /// With `ack`: an answer or an error for each of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    answers: Option<Vec<Answered>>,
}

/// One client's acknowledgement.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Answered {
    /// Which socket.
    socket_id: String,
    /// Whose it is.
    #[schema(value_type = String)]
    user_id: UserId,
    /// The one argument of the answer; null where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    data: Option<Box<RawValue>>,
    /// The arguments of the answer, where there were several.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<serde_json::Value>>)]
    args: Option<Vec<Box<RawValue>>>,
    /// `unavailable`: the client has gone or did not answer in time. `bad-payload`: it answered with binary.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

/// Events that are to be emitted one after the other.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Batch {
    /// 1 to 100 of them, without `ack`.
    #[schema(min_items = 1, max_items = 100)]
    events: Vec<Event>,
}

/// The result of a batch.
#[derive(Serialize, ToSchema)]
struct BatchEmitted {
    /// The result of each event, in their order.
    #[schema(value_type = Vec<Emitted>)]
    results: Vec<Arc<Emitted>>,
}

/// Emits an event
///
/// To rooms, users, single sockets or everybody; each socket hears it once. With `ack` the answer waits for the
/// clients' answers.
#[utoipa::path(
    post,
    path = "/api/events",
    tag = "events",
    request_body = Event,
    responses(
        Failed,
        (status = 200, description = "It was emitted, now or by the request that this one repeats", body = Reply<Emitted>),
        (status = 404, description = "`not-found`: no such namespace"),
        (status = 409, description = "`conflict`: the `idempotencyKey` was used for another event"),
        (status = 413, description = "`too-large`: more than `limits.payload-bytes`, or more sockets to be asked than `api.asked-sockets`"),
    )
)]
async fn emit(
    State(app): State<Arc<App>>,
    Extension(replies): Extension<Replies>,
    caller: Caller,
    Json(event): Json<Event>,
) -> Answer<Arc<Emitted>> {
    let key = caller.backend(Scope::EventsWrite)?;
    let emission = Emission::new(&app, event)?;
    let mut results = perform(app, replies, key.name.clone(), vec![emission]).await?;
    Ok(Done(results.remove(0)))
}

/// Emits several events
///
/// One after the other, in their order. If one of them cannot be emitted, none is.
#[utoipa::path(
    post,
    path = "/api/events/batch",
    tag = "events",
    request_body = Batch,
    responses(
        Failed,
        (status = 200, description = "They were emitted", body = Reply<BatchEmitted>),
        (status = 404, description = "`not-found`: no such namespace"),
        (status = 409, description = "`conflict`: an `idempotencyKey` was used for another event"),
        (status = 413, description = "`too-large`: more than `limits.payload-bytes`"),
    )
)]
async fn emit_batch(
    State(app): State<Arc<App>>,
    Extension(replies): Extension<Replies>,
    caller: Caller,
    Json(Batch { events }): Json<Batch>,
) -> Answer<BatchEmitted> {
    let key = caller.backend(Scope::EventsWrite)?;
    let emissions = emission::batch(&app, events)?;
    Ok(Done(BatchEmitted { results: perform(app, replies, key.name.clone(), emissions).await? }))
}

/// Emits the events that are not retries. It runs in a task of its own, so that a client that hangs up cannot interrupt
/// a batch; its retry then finds the reply.
async fn perform(
    app: Arc<App>,
    replies: Replies,
    caller: String,
    emissions: Vec<Emission>,
) -> Result<Vec<Arc<Emitted>>> {
    let work = async move {
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

/// Deserializes a field that may be null, as different from a missing one.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

fn root() -> String {
    ROOT.to_owned()
}

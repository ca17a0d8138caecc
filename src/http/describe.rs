//! What the description of the API says of all endpoints: who calls, and the refusals that are everybody's. Each
//! endpoint names those of its own.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses, Modify, OpenApi, PartialSchema, ToSchema,
    openapi::{
        Content, ContentBuilder, ObjectBuilder, RefOr, Response, ResponseBuilder, Schema, Type,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use super::answer::Failed;
use crate::{error::Code, protocol::Failure};

/// What the description says beside the paths.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "sockeye",
        description = "The HTTP API for backends, which have keys, and for users with a token, who may read what they may see. Every answer is `{ success: true, data }` or `{ success: false, error: { code, message } }`, and bears the `x-request-id` of its request or a new one."
    ),
    modifiers(&Callers),
    security(("key" = []), ("token" = [])),
    tags(
        (name = "events", description = "Tell somebody something"),
        (name = "messages", description = "What is saved"),
        (name = "rooms", description = "Who belongs where"),
        (name = "users", description = "Who is there"),
    )
)]
pub(super) struct Description;

/// How one says who one is.
struct Callers;

impl Modify for Callers {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        let bearer = |format: &str, of: &str| {
            let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format(format).description(Some(of));
            SecurityScheme::Http(scheme.build())
        };
        let components = description.components.get_or_insert_default();
        components.add_security_scheme("key", bearer("sk_...", "A backend's key, made by `sockeye api-key`"));
        components.add_security_scheme("token", bearer("JWT", "A user's token, as the sockets take it"));
    }
}

impl IntoResponses for Failed {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let refusal = |status: &str, description: &str| {
            let response = ResponseBuilder::new().description(description).content("application/json", content());
            (status.to_owned(), response.build().into())
        };
        BTreeMap::from([
            refusal("400", "`bad-payload`: something is missing, or is not what it must be"),
            refusal("401", "`unauthorized` or `token-expired`: no key and no token, or no valid one"),
            refusal("403", "`forbidden`: the key lacks the scope, or this is not the user's to read"),
            refusal("429", "`rate-limited`: wait as long as `Retry-After` says"),
            refusal("503", "`unavailable`: the server's fault; try again after `Retry-After`"),
        ])
    }
}

fn content() -> Content {
    let success = ObjectBuilder::new().schema_type(Type::Boolean).description(Some("Always false."));
    let body = ObjectBuilder::new()
        .property("success", success)
        .required("success")
        .property("error", Failure::schema())
        .required("error");
    ContentBuilder::new().schema(Some(RefOr::T(Schema::Object(body.build())))).build()
}

impl PartialSchema for Code {
    fn schema() -> RefOr<Schema> {
        let codes = Self::ALL.map(Self::as_str);
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(codes)).into()
    }
}

impl ToSchema for Code {}

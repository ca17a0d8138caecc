//! What the description of the API says beside the paths: what it is, and who calls.

use utoipa::{
    Modify, OpenApi,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};

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

/// Names each operation after its resource too. Every resource has a list, and the page finds operations by their ids.
pub(super) fn with_unique_ids(mut description: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    for path in description.paths.paths.values_mut() {
        let operations = [&mut path.get, &mut path.post, &mut path.put, &mut path.patch, &mut path.delete];
        for operation in operations.into_iter().flatten() {
            let tag = operation.tags.iter().flatten().next();
            operation.operation_id = operation.operation_id.take().zip(tag).map(|(id, tag)| format!("{tag}_{id}"));
        }
    }
    description
}

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

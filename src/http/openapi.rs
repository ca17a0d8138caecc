//! The parts of the OpenAPI description beside the paths: title, tags and security schemes.

use utoipa::{
    Modify, OpenApi,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};

/// The OpenAPI description without its paths.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "sockeye",
        description = "The HTTP API for backends, which have keys, and for users with a token, who may read what they may see on sockets. Every response is `{ success: true, data }` or `{ success: false, error: { code, message } }`. Its header `x-request-id` is the one of the request, or a new one."
    ),
    modifiers(&Callers),
    security(("key" = []), ("token" = [])),
    tags(
        (name = "events", description = "Emit events"),
        (name = "messages", description = "Saved messages"),
        (name = "rooms", description = "Rooms, their members and the users in them"),
        (name = "data", description = "Erase and export rooms and users"),
        (name = "users", description = "Users and their devices"),
    )
)]
pub(super) struct Description;

/// Puts the resource into the id of each operation. Ids must be unique, and every resource has a `list`.
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

/// Adds the security schemes.
struct Callers;

impl Modify for Callers {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        let bearer = |format: &str, of: &str| {
            let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format(format).description(Some(of));
            SecurityScheme::Http(scheme.build())
        };
        let components = description.components.get_or_insert_default();
        components.add_security_scheme("key", bearer("sk_...", "A backend's key, made by `sockeye api-key`"));
        components.add_security_scheme("token", bearer("JWT", "A user's token, the same as for sockets"));
    }
}

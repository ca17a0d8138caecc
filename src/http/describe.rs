//! Error responses in the OpenAPI description that every endpoint has; an endpoint adds its own.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses, PartialSchema, ToSchema,
    openapi::{Content, ContentBuilder, ObjectBuilder, RefOr, Response, ResponseBuilder, Schema, Type},
};

use super::answer::Failed;
use crate::{error::Code, protocol::Failure};

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

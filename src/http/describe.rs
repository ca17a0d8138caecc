//! The error responses that the OpenAPI description lists for every endpoint. An endpoint adds its own.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses, PartialSchema, ToSchema,
    openapi::{Content, ContentBuilder, ObjectBuilder, RefOr, Response, ResponseBuilder, Schema, Type},
};

use super::response::ApiError;
use crate::{error::Code, protocol::Failure};

impl IntoResponses for ApiError {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let refusal = |status: &str, description: &str| {
            let response = ResponseBuilder::new().description(description).content("application/json", content());
            (status.to_owned(), response.build().into())
        };
        BTreeMap::from([
            refusal("400", "`bad-payload`: a field or parameter is missing or invalid"),
            refusal("401", "`unauthorized` or `token-expired`: there is no valid key and no valid token"),
            refusal("403", "`forbidden`: the key lacks the scope, or the user may not read this"),
            refusal("429", "`rate-limited`: retry after `Retry-After`"),
            refusal("503", "`unavailable`: the server failed or is overloaded; retry after `Retry-After`"),
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

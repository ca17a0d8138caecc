//! OpenAPI schemas of the domain types: strings on the wire, and an object for a body.

use std::borrow::Cow;

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

use super::{Body, MessageId, RoomName, RoomRef, Timestamp, UserId};

macro_rules! schemas {
    ($($noun:ident: $type:ident = $description:literal;)+) => {
        $(
            impl PartialSchema for $noun {
                fn schema() -> RefOr<Schema> {
                    ObjectBuilder::new().schema_type(Type::$type).description(Some($description)).into()
                }
            }

            impl ToSchema for $noun {
                fn name() -> Cow<'static, str> {
                    stringify!($noun).into()
                }
            }
        )+
    };
}

schemas! {
    UserId: String = "A user's id: 1 to 128 characters, none of them a control character. Of a whole number, its text.";
    RoomName: String = "A room's name: 1 to 128 characters, no control characters, not beginning with `dm:`. Of a whole number, its text.";
    RoomRef: String = "A room's name, or `dm:` and the other user's id.";
    MessageId: String = "A UUID of version 7.";
    Timestamp: String = "A moment as RFC 3339 writes it, in UTC with milliseconds.";
    Body: Object = "What was said, as it came.";
}

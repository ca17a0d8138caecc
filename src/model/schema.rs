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
    UserId: String = "A user's id: 1 to 128 characters, no control characters. A whole number stands for its text.";
    RoomName: String = "A room's name: 1 to 128 characters, no control characters, not beginning with `dm:`. A whole number stands for its text.";
    RoomRef: String = "A room's name, or `dm:` and the other user's id.";
    MessageId: String = "A UUID of version 7.";
    Timestamp: String = "A time in the format of RFC 3339, in UTC with milliseconds.";
    Body: Object = "The body of the message, as it was sent.";
}

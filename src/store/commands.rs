//! The commands: what a write checks, and what it changes. They hold no SQL.

mod edit_message;
mod erase_user;
mod index_messages;
mod memberships;
mod outbox;
mod remove_messages;
mod save_message;
mod user_records;

pub use edit_message::{Author, DeleteMessage, EditMessage};
pub use erase_user::{EraseMessages, ErasedMessage, ForgetUser};
pub use index_messages::IndexMessages;
pub use memberships::{EndMemberships, Join, Leave, MarkRead};
#[cfg_attr(not(test), expect(unused_imports, reason = "webhooks are to deliver from it"))]
pub(crate) use outbox::{SettleOwed, TakeOwed};
pub use remove_messages::{EmptyRoom, RemoveMessages};
pub use save_message::SaveMessage;
pub use user_records::{SaveLastSeen, SaveUserName};

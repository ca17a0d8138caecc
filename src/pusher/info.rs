//! Attributes of a channel that `info` asks for: counts of subscriptions and users.

use std::collections::BTreeSet;

use serde::Serialize;

use super::channel::is_presence;
use crate::{
    app::App,
    error::{Error, Result},
    model::{Room, UserId},
};

/// The attributes of a channel that a call asks for.
#[derive(Debug, Default)]
pub(super) struct Info {
    user_count: bool,
    subscription_count: bool,
}

/// The attributes that were asked for.
#[derive(Debug, Default, Serialize)]
pub(super) struct Counts {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_count: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription_count: Option<usize>,
}

impl Info {
    /// From the names of attributes, separated by commas, for channels of this name or prefix.
    pub(super) fn parse(attributes: Option<&str>, channel: &str) -> Result<Self> {
        let mut info = Self::default();
        let attributes = attributes.unwrap_or_default().split(',').map(str::trim);
        for attribute in attributes.filter(|attribute| !attribute.is_empty()) {
            match attribute {
                "subscription_count" => info.subscription_count = true,
                "user_count" if is_presence(channel) => info.user_count = true,
                "user_count" => return refused("user_count is there for presence channels only"),
                _ => return refused("info may name user_count and subscription_count"),
            }
        }
        Ok(info)
    }

    /// Whether any is asked for.
    pub(super) fn is_any(&self) -> bool {
        self.user_count || self.subscription_count
    }

    /// The attributes of the channel of a room.
    pub(super) fn of(&self, app: &App, room: &Room) -> Counts {
        if !self.is_any() {
            return Counts::default();
        }
        self.among(&Audience::of(app, room))
    }

    /// The attributes of a channel with this audience.
    pub(super) fn among(&self, audience: &Audience) -> Counts {
        Counts {
            user_count: self.user_count.then_some(audience.users.len()),
            subscription_count: self.subscription_count.then_some(audience.sockets),
        }
    }
}

/// The sockets that hear a channel now. Guests count as sockets, but not as users.
pub(super) struct Audience {
    pub(super) users: BTreeSet<UserId>,
    pub(super) sockets: usize,
}

impl Audience {
    /// The audience of a room's channel.
    pub(super) fn of(app: &App, room: &Room) -> Self {
        let users = app.hub.audience(room);
        let sockets = users.len();
        Self { users: users.into_iter().filter(|user| !app.auth.is_guest(user)).collect(), sockets }
    }
}

fn refused<T>(sentence: &str) -> Result<T> {
    Err(Error::BadPayload(sentence.to_owned()))
}

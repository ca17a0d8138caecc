//! The attributes of a channel that the parameter `info` asks for: numbers of subscriptions and users.

use std::collections::BTreeSet;

use serde::Serialize;

use super::channel::is_presence;
use crate::{
    app::App,
    error::{Error, Result},
    model::{Room, UserId},
};

/// The attributes that a request asks for.
#[derive(Debug, Default)]
pub(super) struct Info {
    user_count: bool,
    subscription_count: bool,
}

/// The attributes of a channel. Those that were not asked for are `None`.
#[derive(Debug, Default, Serialize)]
pub(super) struct Counts {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_count: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription_count: Option<usize>,
}

impl Info {
    /// Parses names of attributes, separated by commas, for channels with this name or prefix.
    pub(super) fn parse(attributes: Option<&str>, channel: &str) -> Result<Self> {
        let mut info = Self::default();
        let attributes = attributes.unwrap_or_default().split(',').map(str::trim);
        for attribute in attributes.filter(|attribute| !attribute.is_empty()) {
            match attribute {
                "subscription_count" => info.subscription_count = true,
                "user_count" if is_presence(channel) => info.user_count = true,
                "user_count" => return refused("user_count is for presence channels only"),
                _ => return refused("info may name user_count and subscription_count"),
            }
        }
        Ok(info)
    }

    /// Whether any attribute is asked for.
    pub(super) fn is_any(&self) -> bool {
        self.user_count || self.subscription_count
    }

    /// The attributes of a room's channel.
    pub(super) fn of(&self, app: &App, room: &Room) -> Counts {
        if !self.is_any() {
            return Counts::default();
        }
        self.among(&Subscribers::of(app, room))
    }

    /// The attributes of a channel with these subscribers.
    pub(super) fn among(&self, subscribers: &Subscribers) -> Counts {
        Counts {
            user_count: self.user_count.then_some(subscribers.users.len()),
            subscription_count: self.subscription_count.then_some(subscribers.sockets),
        }
    }
}

/// The connected sockets in a room and their users. Guests count as sockets, but not as users.
pub(super) struct Subscribers {
    pub(super) users: BTreeSet<UserId>,
    pub(super) sockets: usize,
}

impl Subscribers {
    /// The subscribers of a room's channel.
    pub(super) fn of(app: &App, room: &Room) -> Self {
        let users = app.hub.subscribed_users(room);
        let sockets = users.len();
        Self { users: users.into_iter().filter(|user| !app.auth.is_guest(user)).collect(), sockets }
    }
}

fn refused<T>(sentence: &str) -> Result<T> {
    Err(Error::BadPayload(sentence.to_owned()))
}

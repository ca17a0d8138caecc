//! The rooms that a user may enter.

use std::sync::Arc;

use wildmatch::WildMatch;

use crate::model::{Room, RoomName, UserId};

/// The rooms that an identity may enter: the server's open rooms, the rooms that the user's token or the application
/// allows, and the user's own direct messages. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Access {
    lobby: Option<RoomName>,
    open: Arc<[WildMatch]>,
    token: Arc<[WildMatch]>,
}

impl Access {
    /// Every named room and the user's own direct messages, as in open mode.
    pub fn to_everything() -> Self {
        Self { lobby: None, open: [WildMatch::new("*")].into(), token: [].into() }
    }

    /// The lobby, and the rooms that match these patterns.
    pub fn new(lobby: &RoomName, open: &[String]) -> Self {
        let open = open.iter().map(|pattern| WildMatch::new(pattern)).collect();
        Self { lobby: Some(lobby.clone()), open, token: [].into() }
    }

    /// The lobby and the open rooms of `self`, and the rooms that match these patterns of a token. Patterns of an
    /// earlier token are replaced.
    pub fn and(&self, patterns: &[String]) -> Self {
        let token = patterns.iter().map(|pattern| WildMatch::new(pattern)).collect();
        Self { lobby: self.lobby.clone(), open: self.open.clone(), token }
    }

    /// The rooms that match these patterns, and no others.
    pub fn of_patterns<P: AsRef<str>>(patterns: impl IntoIterator<Item = P>) -> Self {
        let token = patterns.into_iter().map(|pattern| WildMatch::new(pattern.as_ref())).collect();
        Self { lobby: None, open: [].into(), token }
    }

    /// The token's rooms of `self`, and the lobby and open rooms of `open`. If `self` already allows every named room,
    /// it is returned unchanged.
    pub fn beside(&self, open: &Self) -> Self {
        if !self.open.is_empty() {
            return self.clone();
        }
        Self { token: self.token.clone(), ..open.clone() }
    }

    /// Whether every named room is allowed, whatever the settings are.
    pub fn is_to_everything(&self) -> bool {
        self.lobby.is_none() && !self.open.is_empty()
    }

    /// The patterns of the token or the application.
    pub fn patterns(&self) -> Vec<String> {
        self.token.iter().map(ToString::to_string).collect()
    }

    /// Whether this user may read and write in a room.
    pub fn allows(&self, user: &UserId, room: &Room) -> bool {
        match room {
            Room::Named(name) => {
                self.lobby.as_ref() == Some(name)
                    || self.open.iter().chain(&*self.token).any(|pattern| pattern.matches(name.as_str()))
            }
            Room::Direct(direct) => direct.has(user),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RoomRef;

    #[test]
    fn a_user_may_enter_open_rooms_the_rooms_of_the_token_and_their_own_direct_messages() {
        let lobby = RoomName::parse("lobby").unwrap();
        let ada = UserId::parse("ada").unwrap();
        let eve = UserId::parse("eve").unwrap();
        let access = Access::new(&lobby, &["public-*".to_owned()]).and(&["team-7".to_owned()]);
        let room = |text: &str, reader: &UserId| RoomRef::parse(text).unwrap().seen_by(reader);
        for open in ["lobby", "public-x", "team-7"] {
            assert!(access.allows(&ada, &room(open, &ada)), "{open}");
        }
        for closed in ["team-8", "lobby2", "xpublic-"] {
            assert!(!access.allows(&ada, &room(closed, &ada)), "{closed}");
        }
        let direct = room("dm:bob", &ada);
        assert!(access.allows(&ada, &direct));
        assert!(!access.allows(&eve, &direct));
        assert!(!Access::to_everything().allows(&eve, &direct));
    }
}

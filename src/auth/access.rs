//! The rooms that a user may enter.

use std::sync::Arc;

use wildmatch::WildMatch;

use crate::model::{Room, RoomName, UserId};

/// The rooms an identity may enter: open ones, those of its token, and its direct messages. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Access {
    lobby: Option<RoomName>,
    open: Arc<[WildMatch]>,
    token: Arc<[WildMatch]>,
}

impl Access {
    /// Every room, as in open mode.
    pub fn to_everything() -> Self {
        Self { lobby: None, open: [WildMatch::new("*")].into(), token: [].into() }
    }

    /// The lobby, and the rooms that match these patterns.
    pub fn new(lobby: &RoomName, open: &[String]) -> Self {
        let open = open.iter().map(|pattern| WildMatch::new(pattern)).collect();
        Self { lobby: Some(lobby.clone()), open, token: [].into() }
    }

    /// These rooms, and those that match a token's patterns.
    pub fn and(&self, patterns: &[String]) -> Self {
        let token = patterns.iter().map(|pattern| WildMatch::new(pattern)).collect();
        Self { lobby: self.lobby.clone(), open: self.open.clone(), token }
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
    fn open_rooms_token_rooms_and_ones_own_direct_messages() {
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

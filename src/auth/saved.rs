//! An identity as a value that the next process reads, and back.

use super::{Access, Auth, Identity, Mode};
use crate::{
    model::{Timestamp, User, UserId},
    restart::SavedMember,
};

impl Auth {
    /// How this server authenticates clients: a text that the next process compares with its own.
    pub(crate) fn way(&self) -> &'static str {
        match self.mode {
            Mode::Open => "open",
            Mode::Jwt(_) => "jwt",
        }
    }

    /// The identity of a socket of an earlier process, with the open rooms of this one. `None` if its id or its name is
    /// not valid any more.
    pub(crate) fn restored(&self, saved: &SavedMember) -> Option<Identity> {
        let user = User::new(UserId::parse(&saved.user_id).ok()?, &saved.user_name).ok()?;
        let access = if saved.may_enter_all { Access::to_everything() } else { self.open_rooms.and(&saved.patterns) };
        Some(Identity {
            user,
            is_guest: saved.is_guest,
            access,
            expires_at: saved.expires_at.map(Timestamp::from_millis),
            is_of_application: saved.is_of_application,
        })
    }
}

impl Identity {
    /// The value, without data.
    pub(crate) fn saved(&self) -> SavedMember {
        SavedMember {
            user_id: self.user.id.as_str().to_owned(),
            user_name: self.user.name.to_string(),
            is_guest: self.is_guest,
            is_of_application: self.is_of_application,
            may_enter_all: self.access.is_to_everything(),
            patterns: self.access.patterns(),
            expires_at: self.expires_at.map(Timestamp::as_millis),
            data: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::Config,
        model::{Room, RoomName},
    };

    #[test]
    fn a_restored_identity_may_enter_the_same_rooms() {
        let config = Config::default();
        let auth = Auth::new(&config).unwrap();
        let ada = User::new(UserId::parse("ada").unwrap(), "Ada").unwrap();
        let own = auth.adopt(Identity::new(ada.clone()).with_rooms(["team-*"])).unwrap();
        let everywhere = auth.guest();
        for identity in [own, everywhere] {
            let restored = auth.restored(&identity.saved()).unwrap();
            assert_eq!((&restored.user, restored.is_guest), (&identity.user, identity.is_guest));
            assert_eq!(restored.is_of_application, identity.is_of_application);
            for room in ["lobby", "team-7", "den"] {
                let room = Room::Named(RoomName::parse(room).unwrap());
                let user = &identity.user.id;
                assert_eq!(restored.access.allows(user, &room), identity.access.allows(user, &room));
            }
        }
        let expiring = Identity::new(ada).with_expiry(Timestamp::from_millis(7));
        assert_eq!(auth.restored(&expiring.saved()).unwrap().expires_at, expiring.expires_at);
    }
}

//! A burst: the changes of a room that one event announces together.

use std::{collections::HashMap, time::Duration};

use crate::model::{User, UserId};

/// In rooms of up to this many users a burst lasts for [`SHORTEST`].
const SMALL_ROOM: usize = 100;
/// From this many users on, it lasts for [`LONGEST`]. Between the two, its length grows linearly.
const LARGE_ROOM: usize = 5_000;
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);

/// How long a burst lasts in a room with this many users.
pub(super) fn length(users: usize) -> Duration {
    if users <= SMALL_ROOM {
        return SHORTEST;
    }
    let share = (users.min(LARGE_ROOM) - SMALL_ROOM) as f64 / (LARGE_ROOM - SMALL_ROOM) as f64;
    SHORTEST + (LONGEST - SHORTEST).mul_f64(share)
}

/// The last change of each user in a burst.
#[derive(Default)]
pub(super) struct Changes {
    by_user: HashMap<UserId, Change>,
    /// Whether a client got the list of users after the burst began. It may then know of a change that is not announced
    /// yet.
    were_read: bool,
}

pub(super) enum Change {
    Joined(User),
    Left(User),
}

impl Changes {
    /// Adds a change. Opposite changes cancel out, unless [`Self::mark_read`] was called in between. True if there was
    /// no change before: a burst begins, even if the change cancels out later.
    pub(super) fn add(&mut self, user: &UserId, change: Change) -> bool {
        let is_first = self.by_user.is_empty();
        match (self.by_user.get(user), &change) {
            (Some(Change::Joined(_)), Change::Left(_)) | (Some(Change::Left(_)), Change::Joined(_))
                if !self.were_read =>
            {
                self.by_user.remove(user);
            }
            _ => {
                self.by_user.insert(user.clone(), change);
            }
        }
        if is_first {
            self.were_read = false;
        }
        is_first
    }

    /// Records that a client gets the list of users.
    pub(super) fn mark_read(&mut self) {
        self.were_read = true;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_user.is_empty()
    }

    /// The users who joined, and those who left.
    pub(super) fn into_users(self) -> (Vec<User>, Vec<User>) {
        let (mut joined, mut left) = (Vec::new(), Vec::new());
        for change in self.by_user.into_values() {
            match change {
                Change::Joined(user) => joined.push(user),
                Change::Left(user) => left.push(user),
            }
        }
        (joined, left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_are_longer_in_large_rooms() {
        assert_eq!(length(1), SHORTEST);
        assert_eq!(length(100), SHORTEST);
        assert_eq!(length(5_000), LONGEST);
        assert_eq!(length(1_000_000), LONGEST);
        assert!(length(2_500) > SHORTEST && length(2_500) < LONGEST);
    }
}

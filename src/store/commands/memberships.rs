//! Commands that change memberships and read marks.

use crate::{
    error::Error,
    model::{Room, UserId},
    store::{
        command::{Command, Needs},
        failure::Failure,
        tables::{Tables, check_rooms_per_user},
    },
};

/// Adds a membership.
pub struct Join {
    /// The user who joins.
    pub user: UserId,
    /// The room to join.
    pub room: Room,
    /// `limits.rooms-per-user`, which is checked for the user.
    pub rooms_per_user: usize,
}

impl Command for Join {
    /// False if the user was a member before.
    type Output = bool;

    fn needs(&self, needs: &mut Needs) {
        needs.rooms.push(self.room.clone());
        needs.members.push((self.user.clone(), self.room.clone()));
        if self.rooms_per_user != usize::MAX {
            needs.counts.push(self.user.clone());
        }
    }

    fn apply(&self, tables: &mut dyn Tables) -> Result<bool, Failure> {
        if let Some(state) = tables.room(&self.room)?
            && tables.is_member(&self.user, state.id)?
        {
            return Ok(false);
        }
        check_rooms_per_user(tables, &self.user, self.rooms_per_user)?;
        let room = tables.room_or_new(&self.room)?;
        tables.add_member(&self.user, room.id)?;
        Ok(true)
    }
}

/// Removes a membership, if there is one.
pub struct Leave {
    /// The user who leaves.
    pub user: UserId,
    /// The room to leave.
    pub room: Room,
}

impl Command for Leave {
    type Output = ();

    fn needs(&self, needs: &mut Needs) {
        needs.rooms.push(self.room.clone());
        needs.members.push((self.user.clone(), self.room.clone()));
    }

    fn apply(&self, tables: &mut dyn Tables) -> Result<(), Failure> {
        let Some(room) = tables.room(&self.room)? else { return Ok(()) };
        Ok(tables.remove_member(&self.user, room.id)?)
    }
}

/// Removes several memberships, those that there are.
pub struct EndMemberships(pub Vec<(UserId, Room)>);

impl Command for EndMemberships {
    type Output = ();

    fn needs(&self, needs: &mut Needs) {
        needs.rooms.extend(self.0.iter().map(|(_, room)| room.clone()));
        needs.members.extend(self.0.iter().cloned());
    }

    fn apply(&self, tables: &mut dyn Tables) -> Result<(), Failure> {
        for (user, room) in &self.0 {
            if let Some(room) = tables.room(room)? {
                tables.remove_member(user, room.id)?;
            }
        }
        Ok(())
    }
}

/// Moves a user's read mark forward.
pub struct MarkRead {
    /// The reader.
    pub user: UserId,
    /// The room.
    pub room: Room,
    /// Offset of the last message read; limited to the newest offset of the room.
    pub offset: u64,
}

/// The read mark after a [`MarkRead`].
#[derive(Debug, Clone, Copy)]
pub struct MovedReadMark {
    /// Offset of the last message read.
    pub offset: u64,
    /// False if the mark was at this offset or beyond it already.
    pub has_moved: bool,
}

impl Command for MarkRead {
    type Output = MovedReadMark;

    fn needs(&self, needs: &mut Needs) {
        needs.rooms.push(self.room.clone());
        needs.members.push((self.user.clone(), self.room.clone()));
    }

    fn apply(&self, tables: &mut dyn Tables) -> Result<MovedReadMark, Failure> {
        let no_member = || Error::NotFound("there is no membership in this room".to_owned());
        let room = tables.room(&self.room)?.ok_or_else(no_member)?;
        let read = tables.read_mark(&self.user, room.id)?.ok_or_else(no_member)?;
        let offset = self.offset.min(room.offset);
        if offset <= read {
            return Ok(MovedReadMark { offset: read, has_moved: false });
        }
        tables.set_read_mark(&self.user, room.id, offset)?;
        Ok(MovedReadMark { offset, has_moved: true })
    }
}

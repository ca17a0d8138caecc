-- How many members a room has, so that a page of rooms counts none of them.
ALTER TABLE rooms ADD COLUMN member_count INTEGER NOT NULL DEFAULT 0;

UPDATE rooms SET member_count = (SELECT count(*) FROM members WHERE members.room = rooms.id);

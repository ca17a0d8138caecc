-- The tables of a new database. Databases of the versions 1 to 3 are copied into these tables (store/old_schemas.rs).

-- Rooms are numbered, so that a message names its room in one or two bytes. The key is Room::key.
CREATE TABLE rooms (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  -- How many members the room has, so that a page of rooms counts none of them.
  member_count INTEGER NOT NULL DEFAULT 0,
  -- The offset of the newest message, and the revision. Both stay if messages are removed: neither is given twice.
  offset INTEGER NOT NULL DEFAULT 0,
  revision INTEGER NOT NULL DEFAULT 0,
  -- The highest offset and the highest revision of a removed message; 0 if none was removed. A client whose `since` is
  -- below removed_revision is told to begin anew.
  removed_offset INTEGER NOT NULL DEFAULT 0,
  removed_revision INTEGER NOT NULL DEFAULT 0,
  -- The node that last committed a message, an edit or a deletion; NULL while nodes have no names.
  committed_by TEXT,
  -- When that was, in milliseconds since 1970.
  committed_at INTEGER
) STRICT;

-- Partial, so that a server without a node's name does not maintain it.
CREATE INDEX rooms_by_commit ON rooms (committed_at) WHERE committed_by IS NOT NULL;

CREATE TABLE users (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  -- When the last socket disconnected, in milliseconds since 1970.
  last_seen INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE messages (
  -- The order of arrival in this file, so that the messages of a commit are on the same pages, whatever their rooms.
  -- Nothing else depends on it: other tables name a message by room and offset.
  number INTEGER PRIMARY KEY,
  room INTEGER NOT NULL,
  offset INTEGER NOT NULL,
  id BLOB NOT NULL,
  -- The room's revision at the last change of this message.
  revision INTEGER NOT NULL,
  user_id TEXT NOT NULL,
  user_name TEXT NOT NULL,
  at INTEGER NOT NULL,
  edited_at INTEGER,
  deleted_at INTEGER,
  idempotency_key TEXT,
  body TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX messages_by_offset ON messages (room, offset);
CREATE UNIQUE INDEX messages_by_id ON messages (id);

-- Every edit and deletion. A row may be removed with its message, or when a later row names the same message.
CREATE TABLE changes (
  room INTEGER NOT NULL,
  -- The room's revision after this change.
  revision INTEGER NOT NULL,
  -- The number of this change within its room: 1, 2, 3 ...
  nth INTEGER NOT NULL,
  -- The changed message.
  offset INTEGER NOT NULL,
  PRIMARY KEY (room, revision)
) STRICT, WITHOUT ROWID;

-- By these a retry is recognised for 24 hours. The digest is of room and body as they were posted.
CREATE TABLE idempotency_keys (
  user_id TEXT NOT NULL,
  key TEXT NOT NULL,
  room INTEGER NOT NULL,
  offset INTEGER NOT NULL,
  digest BLOB NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (user_id, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_keys_by_age ON idempotency_keys (at);

CREATE TABLE members (
  user_id TEXT NOT NULL,
  room INTEGER NOT NULL,
  -- The offset up to which this user has read.
  read INTEGER NOT NULL DEFAULT 0,
  joined_at INTEGER NOT NULL,
  PRIMARY KEY (user_id, room)
) STRICT, WITHOUT ROWID;

CREATE INDEX members_by_room ON members (room);

-- What is owed to others, written by the commit that it tells of. Nothing writes to it yet.
CREATE TABLE outbox (
  -- The order in which it is delivered to its target. Never given twice.
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  -- Who it is owed to.
  target TEXT NOT NULL,
  payload TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  -- How many attempts have failed.
  attempts INTEGER NOT NULL DEFAULT 0,
  -- Not to be attempted before this time, in milliseconds since 1970. While a server attempts it, the end of its turn.
  due_at INTEGER NOT NULL,
  state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'failed'))
) STRICT;

CREATE INDEX outbox_waiting ON outbox (target, number) WHERE state = 'waiting';
CREATE INDEX outbox_due ON outbox (target, due_at) WHERE state = 'waiting';

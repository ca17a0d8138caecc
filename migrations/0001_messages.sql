-- Rooms are numbered, so that a message names its room in a byte or two. The key is Room::key.
CREATE TABLE rooms (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE users (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  -- Milliseconds since 1970, when the last socket went.
  last_seen INTEGER
) STRICT, WITHOUT ROWID;

-- Clustered by room and offset: a page of history is one range, the newest offset the range's end.
CREATE TABLE messages (
  room INTEGER NOT NULL,
  offset INTEGER NOT NULL,
  id BLOB NOT NULL,
  revision INTEGER NOT NULL,
  user_id TEXT NOT NULL,
  user_name TEXT NOT NULL,
  at INTEGER NOT NULL,
  edited_at INTEGER,
  deleted_at INTEGER,
  idempotency_key TEXT,
  body TEXT NOT NULL,
  PRIMARY KEY (room, offset)
) STRICT, WITHOUT ROWID;

-- Ids sort by time, so this one only grows at its end.
CREATE UNIQUE INDEX messages_by_id ON messages (id);

-- Every edit and deletion, numbered within its room. A room's revision counts posts and changes, so
-- revision = newest offset + newest nth, and a post needs no index by revision.
CREATE TABLE changes (
  room INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  nth INTEGER NOT NULL,
  offset INTEGER NOT NULL,
  PRIMARY KEY (room, revision)
) STRICT, WITHOUT ROWID;

-- What a retry is recognised by, for 24 hours. The digest is of the body as it was posted.
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

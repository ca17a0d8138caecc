-- The tables of a new schema. `search_path` names the schema. Texts are compared byte by byte, as in SQLite.

-- One row for each fact about the schema itself.
CREATE TABLE store (
  name text PRIMARY KEY,
  value text NOT NULL
);

-- Rooms are numbered, so that a message names its room in eight bytes. The key is Room::key.
CREATE TABLE rooms (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  key text COLLATE "C" NOT NULL UNIQUE,
  -- How many members the room has, so that a page of rooms counts none of them.
  member_count bigint NOT NULL DEFAULT 0,
  -- The offset of the newest message, and the revision. Both stay if messages are removed: neither is given twice.
  newest_offset bigint NOT NULL DEFAULT 0,
  revision bigint NOT NULL DEFAULT 0,
  -- The highest offset and the highest revision of a removed message; 0 if none was removed. A client whose `since` is
  -- below removed_revision is told to begin anew.
  removed_offset bigint NOT NULL DEFAULT 0,
  removed_revision bigint NOT NULL DEFAULT 0,
  -- The node that last committed a message, an edit or a deletion, and when, in milliseconds since 1970.
  committed_by text,
  committed_at bigint
);

CREATE INDEX rooms_by_commit ON rooms (committed_at);

CREATE TABLE users (
  id text COLLATE "C" PRIMARY KEY,
  name text COLLATE "C" NOT NULL,
  -- When the last socket disconnected, in milliseconds since 1970.
  last_seen bigint
);

CREATE TABLE messages (
  room bigint NOT NULL,
  -- `offset` is a word of SQL.
  room_offset bigint NOT NULL,
  id uuid NOT NULL UNIQUE,
  -- The room's revision at the last change of this message.
  revision bigint NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  user_name text NOT NULL,
  at bigint NOT NULL,
  edited_at bigint,
  deleted_at bigint,
  -- As bytes: a key may contain U+0000, which no text in PostgreSQL can.
  idempotency_key bytea,
  body text NOT NULL,
  PRIMARY KEY (room, room_offset)
);

-- Every edit and deletion. A row may be removed with its message, or when a later row names the same message.
CREATE TABLE changes (
  room bigint NOT NULL,
  -- The room's revision after this change.
  revision bigint NOT NULL,
  -- The number of this change within its room: 1, 2, 3 ...
  nth bigint NOT NULL,
  -- The changed message.
  room_offset bigint NOT NULL,
  PRIMARY KEY (room, revision)
);

-- By these a retry is recognised for 24 hours. The digest is of room and body as they were posted.
CREATE TABLE idempotency_keys (
  user_id text COLLATE "C" NOT NULL,
  key bytea NOT NULL,
  room bigint NOT NULL,
  room_offset bigint NOT NULL,
  digest bytea NOT NULL,
  at bigint NOT NULL,
  PRIMARY KEY (user_id, key)
);

CREATE INDEX idempotency_keys_by_age ON idempotency_keys (at);

CREATE TABLE members (
  user_id text COLLATE "C" NOT NULL,
  room bigint NOT NULL,
  -- The offset up to which this user has read.
  read bigint NOT NULL DEFAULT 0,
  joined_at bigint NOT NULL,
  PRIMARY KEY (user_id, room)
);

CREATE INDEX members_by_room ON members (room, user_id);

-- What is owed to others, written by the commit that it tells of. Nothing writes to it yet.
CREATE TABLE outbox (
  -- The order in which it is delivered to its target. Never given twice.
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- Who it is owed to.
  target text NOT NULL,
  payload text NOT NULL,
  created_at bigint NOT NULL,
  -- How many attempts have failed.
  attempts bigint NOT NULL DEFAULT 0,
  -- Not to be attempted before this time, in milliseconds since 1970. While a server attempts it, the end of its turn.
  due_at bigint NOT NULL,
  state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'failed'))
);

CREATE INDEX outbox_waiting ON outbox (target, number) WHERE state = 'waiting';
CREATE INDEX outbox_due ON outbox (target, due_at) WHERE state = 'waiting';

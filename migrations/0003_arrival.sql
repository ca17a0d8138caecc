-- Messages in the order of their arrival, so that those of a commit stand on the same pages, whatever their rooms.
-- Each knows the one before it in its room, and the room knows its newest.
CREATE TABLE arrivals (
  -- 1, 2, 3 ... without holes; ids are in the same order.
  number INTEGER PRIMARY KEY,
  -- The number of the room's message before this one.
  previous INTEGER,
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
  body TEXT NOT NULL
) STRICT;

ALTER TABLE rooms ADD COLUMN newest INTEGER;

-- Which number each message gets.
CREATE TABLE numbers (
  room INTEGER NOT NULL,
  offset INTEGER NOT NULL,
  number INTEGER NOT NULL,
  PRIMARY KEY (room, offset)
) STRICT, WITHOUT ROWID;

INSERT INTO numbers SELECT room, offset, row_number() OVER (ORDER BY id) FROM messages;

INSERT INTO arrivals
SELECT numbers.number, before.number, messages.room, messages.offset, id, revision, user_id, user_name, at, edited_at,
  deleted_at, idempotency_key, body
FROM messages INDEXED BY messages_by_id
CROSS JOIN numbers ON numbers.room = messages.room AND numbers.offset = messages.offset
-- The one before it, even where somebody has removed some by hand.
LEFT JOIN numbers AS before ON before.room = messages.room AND before.offset =
  (SELECT max(earlier.offset) FROM numbers AS earlier WHERE earlier.room = messages.room AND earlier.offset < messages.offset)
ORDER BY id;

UPDATE rooms SET newest = (SELECT number FROM numbers WHERE room = rooms.id ORDER BY offset DESC LIMIT 1);

-- Edits and deletions, and keys of retries, name their message by its number.
CREATE TABLE changed (
  room INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  nth INTEGER NOT NULL,
  message INTEGER NOT NULL,
  PRIMARY KEY (room, revision)
) STRICT, WITHOUT ROWID;

INSERT INTO changed SELECT room, revision, nth, number FROM changes JOIN numbers USING (room, offset);
DROP TABLE changes;
ALTER TABLE changed RENAME TO changes;

CREATE TABLE keys (
  user_id TEXT NOT NULL,
  key TEXT NOT NULL,
  message INTEGER NOT NULL,
  digest BLOB NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (user_id, key)
) STRICT, WITHOUT ROWID;

INSERT INTO keys SELECT user_id, key, number, digest, at FROM idempotency_keys JOIN numbers USING (room, offset);
DROP TABLE idempotency_keys;
ALTER TABLE keys RENAME TO idempotency_keys;
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (at);

DROP TABLE numbers;
DROP TABLE messages;
ALTER TABLE arrivals RENAME TO messages;

-- Every 32nd message is enough to find the others from: in its room by way of previous, by its id among the 31 after.
CREATE UNIQUE INDEX messages_by_offset ON messages (room, offset) WHERE offset % 32 = 0;
CREATE UNIQUE INDEX messages_by_id ON messages (id) WHERE number % 32 = 0;

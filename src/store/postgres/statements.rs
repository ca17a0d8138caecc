//! The prepared statements of the connection that writes. Each works on all rows of a group at once.

use tokio_postgres::{Client, Statement};

use super::rows::message_columns;

/// Declares the statements, with a function that prepares all of them in one round trip.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)*) => {
        /// The statements.
        pub(super) struct Statements {
            $($(#[$doc])* pub(super) $name: Statement,)*
        }

        impl Statements {
            /// Prepares all statements, pipelined.
            pub(super) async fn prepare(client: &Client) -> Result<Self, tokio_postgres::Error> {
                let statements = futures_util::future::try_join_all([$(client.prepare($sql)),*]).await?;
                let mut statements = statements.into_iter();
                Ok(Self { $($name: statements.next().expect("as many as were prepared"),)* })
            }

            /// Their names and texts, for tests.
            #[cfg(test)]
            pub(super) const TEXTS: &[(&str, &str)] = &[$((stringify!($name), $sql)),*];
        }
    };
}

statements! {
    /// Locks the rows of rooms, in the order of their numbers, so that two servers never wait for each other.
    lock_rooms = "SELECT id, key, newest_offset, revision FROM rooms WHERE key = ANY($1) ORDER BY id FOR UPDATE";
    /// The same for rooms that are named, and for those of messages.
    lock_rooms_of_messages = "SELECT id, key, newest_offset, revision FROM rooms
        WHERE id IN (SELECT id FROM rooms WHERE key = ANY($1) UNION SELECT room FROM messages WHERE id = ANY($2))
        ORDER BY id FOR UPDATE";
    members = "SELECT wanted.user_id, rooms.id, members.read
        FROM unnest($1::text[], $2::text[]) AS wanted (user_id, key)
        JOIN rooms ON rooms.key = wanted.key
        JOIN members ON members.user_id = wanted.user_id AND members.room = rooms.id";
    /// How many rooms with a name each user is a member of. Keys of direct messages begin with U+0001.
    counts = "SELECT members.user_id, count(*) FROM members JOIN rooms ON rooms.id = members.room
        WHERE members.user_id = ANY($1) AND left(rooms.key, 1) <> U&'\\0001' GROUP BY members.user_id";
    /// The keys that were used after a time, each with its message, if that is still there.
    keys = concat!("SELECT ", message_columns!(), ", used.user_id, used.key, used.room, used.room_offset, used.digest, used.at
        FROM unnest($1::text[], $2::bytea[]) AS wanted (user_id, key)
        JOIN idempotency_keys AS used ON used.user_id = wanted.user_id AND used.key = wanted.key
        JOIN rooms ON rooms.id = used.room
        LEFT JOIN messages ON messages.room = used.room AND messages.room_offset = used.room_offset
        WHERE used.at > $3");
    messages = concat!("SELECT ", message_columns!(), "
        FROM messages JOIN rooms ON rooms.id = messages.room WHERE messages.id = ANY($1)");
    /// The oldest that is owed to a target, locked; nothing while anything that waits for it is not due.
    owed = "SELECT number, payload, created_at, attempts FROM outbox WHERE number IN
            (SELECT number FROM outbox WHERE target = $1 AND state = 'waiting' ORDER BY number LIMIT $2)
        AND (SELECT max(due_at) FROM outbox WHERE target = $1 AND state = 'waiting') <= $3
        -- Checked again when the lock is there: another server may have taken it meanwhile.
        AND due_at <= $3 AND state = 'waiting' ORDER BY number FOR UPDATE";
    insert_rooms = "INSERT INTO rooms (key) SELECT * FROM unnest($1::text[]) RETURNING id, key";
    insert_messages = "INSERT INTO messages
        (room, room_offset, id, revision, user_id, user_name, at, edited_at, deleted_at, idempotency_key, body)
        SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::uuid[], $4::bigint[], $5::text[], $6::text[],
            $7::bigint[], $8::bigint[], $9::bigint[], $10::bytea[], $11::text[])";
    update_messages = "UPDATE messages SET revision = new.revision, user_id = new.user_id, user_name = new.user_name,
        idempotency_key = new.idempotency_key, edited_at = new.edited_at, deleted_at = new.deleted_at, body = new.body
        FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::text[],
            $8::text[], $9::bytea[])
            AS new (room, room_offset, revision, edited_at, deleted_at, body, user_id, user_name, idempotency_key)
        WHERE messages.room = new.room AND messages.room_offset = new.room_offset";
    insert_changes = "INSERT INTO changes (room, revision, nth, room_offset)
        SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])";
    /// Offsets, revisions and numbers of members. `$5` is whether something was committed that must be told.
    update_rooms = "UPDATE rooms SET newest_offset = new.newest_offset, revision = new.revision,
        member_count = member_count + new.joined,
        committed_by = CASE WHEN new.is_told THEN $6 ELSE committed_by END,
        committed_at = CASE WHEN new.is_told THEN $7 ELSE committed_at END
        FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bool[])
            AS new (id, newest_offset, revision, joined, is_told)
        WHERE rooms.id = new.id";
    /// The oldest messages of rooms, as many as `$2` says for each.
    oldest = "SELECT rooms.id, found.* FROM unnest($1::text[], $2::bigint[]) AS wanted (key, most)
        JOIN rooms ON rooms.key = wanted.key
        CROSS JOIN LATERAL (SELECT room_offset, revision, at, octet_length(body)::bigint FROM messages
            WHERE messages.room = rooms.id AND room_offset > rooms.removed_offset
            ORDER BY room_offset LIMIT wanted.most) AS found
        ORDER BY rooms.id, found.room_offset";
    /// The keys that were used for messages.
    remove_keys = "DELETE FROM idempotency_keys AS used
        USING unnest($1::bigint[], $2::bigint[]) AS gone (room, room_offset), messages
        WHERE messages.room = gone.room AND messages.room_offset = gone.room_offset
        AND used.user_id = messages.user_id AND used.key = messages.idempotency_key
        AND used.room = gone.room AND used.room_offset = gone.room_offset";
    remove_messages = "DELETE FROM messages USING unnest($1::bigint[], $2::bigint[]) AS gone (room, room_offset)
        WHERE messages.room = gone.room AND messages.room_offset = gone.room_offset";
    /// Rows of `changes` up to a revision, at most `$3` of each room.
    remove_changes = "DELETE FROM changes USING unnest($1::bigint[], $2::bigint[]) AS gone (room, up_to)
        CROSS JOIN LATERAL (SELECT revision FROM changes AS old WHERE old.room = gone.room
            AND old.revision <= gone.up_to ORDER BY old.revision LIMIT $3::bigint) AS found
        WHERE changes.room = gone.room AND changes.revision = found.revision";
    /// The highest offset and the highest revision of a removed message.
    raise_removed = "UPDATE rooms SET removed_offset = greatest(removed_offset, gone.room_offset),
        removed_revision = greatest(removed_revision, gone.revision)
        FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS gone (id, room_offset, revision)
        WHERE rooms.id = gone.id";
    insert_members = "INSERT INTO members (user_id, room, read, joined_at)
        SELECT user_id, room, read, $4 FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS new (user_id, room, read)";
    delete_members = "DELETE FROM members USING unnest($1::text[], $2::bigint[]) AS old (user_id, room)
        WHERE members.user_id = old.user_id AND members.room = old.room";
    update_members = "UPDATE members SET read = new.read
        FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS new (user_id, room, read)
        WHERE members.user_id = new.user_id AND members.room = new.room";
    /// Keeps keys. A key that another server has kept since it was looked up is not replaced: fewer rows are returned.
    insert_keys = "INSERT INTO idempotency_keys AS old (user_id, key, room, room_offset, digest, at)
        SELECT * FROM unnest($1::text[], $2::bytea[], $3::bigint[], $4::bigint[], $5::bytea[], $6::bigint[])
        ON CONFLICT (user_id, key) DO UPDATE
        SET room = excluded.room, room_offset = excluded.room_offset, digest = excluded.digest, at = excluded.at
        WHERE old.at <= $7";
    /// Removes the rows of keys as they were looked up, before the keys are kept anew.
    replace_keys = "DELETE FROM idempotency_keys AS kept
        USING unnest($1::text[], $2::bytea[], $3::bigint[], $4::bigint[]) AS seen (user_id, key, room, room_offset)
        WHERE kept.user_id = seen.user_id AND kept.key = seen.key AND kept.room = seen.room
            AND kept.room_offset = seen.room_offset";
    sweep_keys = "DELETE FROM idempotency_keys WHERE (user_id, key) IN
        (SELECT user_id, key FROM idempotency_keys WHERE at <= $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED)";
    remove_users = "DELETE FROM users WHERE id = ANY($1::text[])";
    /// Keys of users, at most `$2` of each.
    remove_keys_of_users = "DELETE FROM idempotency_keys AS used USING unnest($1::text[], $2::bigint[]) AS gone (id, most)
        CROSS JOIN LATERAL (SELECT key FROM idempotency_keys AS old WHERE old.user_id = gone.id LIMIT gone.most) AS found
        WHERE used.user_id = gone.id AND used.key = found.key";
    save_names = "INSERT INTO users (id, name) SELECT * FROM unnest($1::text[], $2::text[])
        ON CONFLICT (id) DO UPDATE SET name = excluded.name WHERE users.name <> excluded.name";
    save_last_seen = "UPDATE users SET last_seen = new.at FROM unnest($1::text[], $2::bigint[]) AS new (id, at)
        WHERE users.id = new.id";
    /// Replaces the words of messages.
    save_words = "INSERT INTO message_words (id, words)
        SELECT id, array_to_tsvector(string_to_array(words, ' ')) FROM unnest($1::uuid[], $2::text[]) AS new (id, words)
        ON CONFLICT (id) DO UPDATE SET words = excluded.words";
    delete_words = "DELETE FROM message_words WHERE id = ANY($1)";
    /// Lets one server at a time index older messages.
    lock_index = "SELECT 1 FROM search_index FOR UPDATE";
    /// The newest messages that may not be indexed, at most `$1` and about 4 MB. Until the commit no other server changes
    /// or removes them.
    unindexed = "SELECT id, room, user_id, body
        FROM (SELECT *, sum(octet_length(body)) OVER (ORDER BY id DESC) - octet_length(body) AS bytes_before
            FROM (SELECT id, room, user_id, body FROM messages WHERE id < (SELECT unindexed FROM search_index)
                ORDER BY id DESC LIMIT $1 FOR SHARE) AS slice) AS slice
        WHERE bytes_before <= 4000000 ORDER BY id DESC";
    /// Adds the words of messages that have none. Others were changed since the index was begun.
    index_words = "INSERT INTO message_words (id, words)
        SELECT id, array_to_tsvector(string_to_array(words, ' ')) FROM unnest($1::uuid[], $2::text[]) AS new (id, words)
        ON CONFLICT (id) DO NOTHING";
    set_unindexed = "UPDATE search_index SET unindexed = $1";
    insert_owed = "INSERT INTO outbox (target, payload, created_at, due_at)
        SELECT target, payload, $3, $3 FROM unnest($1::text[], $2::text[]) AS new (target, payload)";
    take_owed = "UPDATE outbox SET due_at = new.due_at FROM unnest($1::bigint[], $2::bigint[]) AS new (number, due_at)
        WHERE outbox.number = new.number";
    delete_owed = "DELETE FROM outbox WHERE number = ANY($1)";
    /// Attempts that failed; the last ones, without a time of the next, are kept as failed.
    fail_owed = "UPDATE outbox SET attempts = attempts + 1, due_at = coalesce(new.due_at, outbox.due_at),
        state = CASE WHEN new.due_at IS NULL THEN 'failed' ELSE state END
        FROM unnest($1::bigint[], $2::bigint[]) AS new (number, due_at) WHERE outbox.number = new.number";
    probe = "UPDATE store SET value = ((value::bigint + 1) % 1000000)::text WHERE name = 'probe'";
    /// The number of the transaction, by which its end can be asked for.
    transaction = "SELECT pg_current_xact_id()::text";
}

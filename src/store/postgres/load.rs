//! Loads what a group reads, in one round trip.

use std::collections::HashSet;

use anyhow::Result;
use futures_util::future::{try_join, try_join5};
use tokio_postgres::{Row, Statement, types::ToSql};
use uuid::Uuid;

use super::{
    connection::WritingConnection,
    loaded::{LoadedKey, LoadedTables, Membership},
    removal,
    rows::{self, StoredMessage, number, timestamp},
    word_index::Unindexed,
};
use crate::{
    metrics::Metrics,
    model::{Body, MessageId, Timestamp},
    store::{
        IDEMPOTENCY_WINDOW,
        command::Needs,
        search::Fields,
        tables::{Owed, RoomState, UsedKey},
    },
};

/// Begins the transaction, locks the rooms' rows, and loads the rest. Rows that are loaded after the locks are as the
/// last transaction on these rooms left them.
pub(super) async fn load<'a>(
    connection: &WritingConnection,
    needs: &Needs,
    metrics: &'a Metrics,
    fields: Option<&'a Fields>,
) -> Result<LoadedTables<'a>> {
    let (client, statements) = (&connection.client, &connection.statements);
    let rooms: HashSet<_> = needs.rooms.iter().map(|room| room.key()).collect();
    let rooms: Vec<&str> = rooms.iter().map(|key| &**key).collect();
    let messages: Vec<Uuid> = needs.messages.iter().map(|id| Uuid::from_bytes(*id.as_bytes())).collect();
    let members: HashSet<_> = needs.members.iter().map(|(user, room)| (user.as_str(), room.key())).collect();
    let (member_users, member_rooms): (Vec<&str>, Vec<&str>) =
        members.iter().map(|(user, room)| (*user, &**room)).unzip();
    let counts: Vec<&str> = needs.counts.iter().map(|user| user.as_str()).collect();
    let (key_users, keys): (Vec<&str>, Vec<&[u8]>) =
        needs.keys.iter().map(|(user, key)| (user.as_str(), key.as_bytes())).unzip();
    let oldest = Timestamp::now().as_millis().saturating_sub(IDEMPOTENCY_WINDOW.as_millis() as u64) as i64;

    // The requests are sent in the order in which the futures are polled first: the order of the arguments.
    let begin = async { client.batch_execute("BEGIN").await };
    let lock_rooms = async {
        match (rooms.is_empty(), messages.is_empty()) {
            (true, true) => Ok(Vec::new()),
            (false, true) => client.query(&statements.lock_rooms, &[&rooms]).await,
            _ => client.query(&statements.lock_rooms_of_messages, &[&rooms, &messages]).await,
        }
    };
    // Prepared statements that would find nothing are not sent.
    let query = async |statement: &Statement, is_needed: bool, parameters: &[&(dyn ToSql + Sync)]| {
        if is_needed { client.query(statement, parameters).await } else { Ok(Vec::new()) }
    };
    let members_and_counts = async {
        let members: [&(dyn ToSql + Sync); 2] = [&member_users, &member_rooms];
        let counted: [&(dyn ToSql + Sync); 1] = [&counts];
        let members = query(&statements.members, !member_users.is_empty(), &members);
        let counts = query(&statements.counts, !counts.is_empty(), &counted);
        try_join(members, counts).await
    };
    let key_parameters: [&(dyn ToSql + Sync); 3] = [&key_users, &keys, &oldest];
    let message_parameters: [&(dyn ToSql + Sync); 1] = [&messages];
    let (old_rooms, most) = removal::wanted(needs);
    let oldest_parameters: [&(dyn ToSql + Sync); 2] = [&old_rooms, &most];
    let oldest = query(&statements.oldest, !old_rooms.is_empty(), &oldest_parameters);
    let used_keys = query(&statements.keys, !keys.is_empty(), &key_parameters);
    let found_messages = query(&statements.messages, !messages.is_empty(), &message_parameters);
    let slice = needs.unindexed as i64;
    let slice_parameters: [&(dyn ToSql + Sync); 1] = [&slice];
    let lock_index = query(&statements.lock_index, slice > 0, &[]);
    let unindexed = query(&statements.unindexed, slice > 0, &slice_parameters);
    let now = Timestamp::now().as_millis() as i64;
    let owed = async {
        let mut found = Vec::new();
        for (target, limit) in &needs.owed {
            found.push((target, client.query(&statements.owed, &[target, &(*limit as i64), &now]).await?));
        }
        Ok(found)
    };
    let others = try_join5(used_keys, oldest, owed, lock_index, unindexed);
    let (_, locked, (members, counts), found, (used_keys, oldest, owed, _, unindexed)) =
        try_join5(begin, lock_rooms, members_and_counts, found_messages, others).await?;

    let mut tables = LoadedTables::new(metrics, fields);
    for row in locked {
        let state = RoomState { id: row.get(0), offset: number(row.get(2)), revision: number(row.get(3)) };
        tables.load_room(rows::room(row.get(1))?, state);
    }
    for row in members {
        let read = Some(number(row.get(2)));
        tables.members.insert((rows::user_id(row.get(0))?, row.get(1)), Membership { stored: read, current: read });
    }
    for user in &needs.counts {
        tables.counts.insert(user.clone(), 0);
    }
    for row in counts {
        tables.counts.insert(rows::user_id(row.get(0))?, number(row.get(1)));
    }
    for row in used_keys {
        load_key(&mut tables, &row)?;
    }
    for row in found {
        if let Some(stored) = StoredMessage::from_row(&row)? {
            tables.messages.insert(stored.message.id, stored);
        }
    }
    for (room, limit) in &needs.oldest {
        *tables.oldest_limits.entry(room.clone()).or_default() += *limit;
    }
    for row in oldest {
        let (room, message) = removal::old_message(&row);
        tables.oldest.entry(room).or_default().push(message);
    }
    for row in unindexed {
        tables.unindexed.push(Unindexed {
            id: MessageId::from_bytes(row.get::<_, Uuid>(0).into_bytes()),
            room: row.get(1),
            author: rows::user_id(row.get(2))?,
            body: Body::from_json(row.get::<_, &str>(3)),
        });
    }
    for (target, rows) in owed {
        let owed = rows.iter().map(|row| Owed {
            number: row.get(0),
            payload: row.get(1),
            created_at: timestamp(row.get(2)),
            attempts: number(row.get(3)),
        });
        tables.outbox.due.insert(target.clone(), owed.collect());
    }
    Ok(tables)
}

fn load_key(tables: &mut LoadedTables, row: &Row) -> Result<()> {
    let stored = StoredMessage::from_row(row)?;
    let message = stored.as_ref().map(|stored| stored.message.id);
    if let Some(stored) = stored {
        tables.messages.insert(stored.message.id, stored);
    }
    let user = rows::user_id(row.get(12))?;
    let key = String::from_utf8(row.get::<_, Vec<u8>>(13))?;
    let used = UsedKey { room: row.get(14), offset: number(row.get(15)), digest: row.get(16) };
    let loaded = LoadedKey { used, at: timestamp(row.get(17)), message, is_new: false };
    tables.stored_keys.insert((user.clone(), key.clone()), (loaded.used.room, loaded.used.offset));
    tables.keys.insert((user, key), loaded);
    Ok(())
}

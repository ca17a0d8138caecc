//! Writes what a group of commands has changed: in one round trip, or in two if it has made rooms.

use std::collections::{BTreeSet, HashMap};

use anyhow::{Context, Result};
use futures_util::future::{BoxFuture, FutureExt, try_join, try_join_all};
use tokio_postgres::{Error, Statement, types::ToSql};
use uuid::Uuid;

use super::{
    connection::WritingConnection,
    loaded::{LoadedTables, Membership},
    removal::Removal,
    rows,
};
use crate::{
    model::{Message, MessageId, Timestamp, UserId},
    store::tables::{CHANGES_PER_REMOVAL, Settlement},
};

/// Maximum number of expired keys that a group removes for each key that it keeps. The number is small, so that no
/// commit deletes many keys.
const EXPIRED_KEYS_PER_KEY: i64 = 4;

/// What the transaction wrote, by which its end is known.
pub(super) struct Written {
    /// The number of the transaction; `None` if it wrote nothing.
    pub(super) transaction: Option<String>,
    /// Whether all rows were written. If not, another server was faster, and the group must run again.
    pub(super) is_complete: bool,
    /// A message that is there if the transaction was committed.
    pub(super) message: Option<MessageId>,
}

/// Writes the changes. The transaction is still open afterwards.
pub(super) async fn flush(connection: &WritingConnection, tables: &LoadedTables<'_>, node: &str) -> Result<Written> {
    let mut requests =
        Requests { connection, tables, new_rooms: insert_rooms(connection, tables).await?, all: Vec::new() };
    requests.update_rooms(node);
    requests.insert_messages();
    requests.update_messages();
    // Before what this group changes of the same messages: the slice has the words of the bodies that were loaded.
    requests.index_slice();
    requests.remove_messages();
    requests.change_words();
    requests.change_members();
    requests.save_users();
    requests.change_outbox();
    if tables.is_probed {
        requests.add(&connection.statements.probe, Vec::new());
    }
    let kept = requests.keep_keys();
    let message = tables.posted.first().map(|(_, id)| *id);
    if requests.all.is_empty() && requests.new_rooms.is_empty() {
        return Ok(Written { transaction: None, is_complete: true, message });
    }
    let number = connection.client.query_one(&connection.statements.transaction, &[]);
    // Both poll their futures in order, which sends the requests in order (`try_join_all`: up to 30 futures).
    let (rows, number) = try_join(try_join_all(requests.all), number).await?;
    let is_complete = kept == 0 || rows.last() == Some(&kept);
    Ok(Written { transaction: Some(number.get(0)), is_complete, message })
}

/// Inserts the rooms that the group has made. Returns their numbers by those that the commands have used.
async fn insert_rooms(connection: &WritingConnection, tables: &LoadedTables<'_>) -> Result<HashMap<i64, i64>> {
    let new = tables.new_rooms();
    if new.is_empty() {
        return Ok(HashMap::new());
    }
    let keys: Vec<_> = new.iter().map(|room| room.key()).collect();
    let keys: Vec<&str> = keys.iter().map(|key| &**key).collect();
    let inserted = connection.client.query(&connection.statements.insert_rooms, &[&keys]).await?;
    let number = |row: tokio_postgres::Row| {
        let room = tables.rooms.get(&rows::room(row.get(1))?).context("a room was inserted that nobody asked for")?;
        Ok((room.state.id, row.get(0)))
    };
    inserted.into_iter().map(number).collect()
}

type Parameter<'a> = Box<dyn ToSql + Sync + Send + 'a>;

/// The requests of one round trip, in their order.
struct Requests<'a> {
    connection: &'a WritingConnection,
    tables: &'a LoadedTables<'a>,
    new_rooms: HashMap<i64, i64>,
    all: Vec<BoxFuture<'a, Result<u64, Error>>>,
}

/// A column of an `unnest`, from the rows.
fn column<'a, R, T>(rows: &[R], value: impl Fn(&R) -> T) -> Parameter<'a>
where
    Vec<T>: ToSql + Sync + Send + 'a,
{
    Box::new(rows.iter().map(value).collect::<Vec<T>>())
}

impl<'a> Requests<'a> {
    fn add(&mut self, statement: &'a Statement, parameters: Vec<Parameter<'a>>) {
        let client = &self.connection.client;
        let request = async move {
            let parameters: Vec<&(dyn ToSql + Sync)> = parameters.iter().map(|parameter| &**parameter as _).collect();
            client.execute(statement, &parameters).await
        };
        self.all.push(request.boxed());
    }

    fn id_of(&self, room: i64) -> i64 {
        self.new_rooms.get(&room).copied().unwrap_or(room)
    }

    fn update_rooms(&mut self, node: &str) {
        let mut changed: Vec<_> = self.tables.rooms.values().filter(|room| room.is_told || room.joined != 0).collect();
        if changed.is_empty() {
            return;
        }
        changed.sort_unstable_by_key(|room| self.id_of(room.state.id));
        let parameters = vec![
            column(&changed, |room| self.id_of(room.state.id)),
            column(&changed, |room| room.state.offset as i64),
            column(&changed, |room| room.state.revision as i64),
            column(&changed, |room| room.joined),
            column(&changed, |room| room.is_told),
            Box::new(node.to_owned()),
            Box::new(millis(Timestamp::now())),
        ];
        self.add(&self.connection.statements.update_rooms, parameters);
    }

    fn insert_messages(&mut self) {
        let tables = self.tables;
        let posted = tables.posted.iter();
        let posted: Vec<(i64, &Message)> =
            posted.filter_map(|(room, id)| Some((self.id_of(*room), &tables.messages.get(id)?.message))).collect();
        if posted.is_empty() {
            return;
        }
        let parameters = vec![
            column(&posted, |(room, _)| *room),
            column(&posted, |(_, message)| message.offset as i64),
            column(&posted, |(_, message)| uuid(message.id)),
            column(&posted, |(_, message)| message.revision as i64),
            column(&posted, |(_, message)| message.from.id.as_str()),
            column(&posted, |(_, message)| &*message.from.name),
            column(&posted, |(_, message)| millis(message.at)),
            column(&posted, |(_, message)| message.edited_at.map(millis)),
            column(&posted, |(_, message)| message.deleted_at.map(millis)),
            column(&posted, |(_, message)| message.idempotency_key.as_deref().map(str::as_bytes)),
            column(&posted, |(_, message)| message.body.as_str()),
        ];
        self.add(&self.connection.statements.insert_messages, parameters);
    }

    fn update_messages(&mut self) {
        let (tables, statements) = (self.tables, &self.connection.statements);
        let changed: Vec<_> = tables.changed.iter().filter_map(|id| tables.messages.get(id)).collect();
        if !changed.is_empty() {
            let parameters = vec![
                column(&changed, |stored| stored.room_id),
                column(&changed, |stored| stored.message.offset as i64),
                column(&changed, |stored| stored.message.revision as i64),
                column(&changed, |stored| stored.message.edited_at.map(millis)),
                column(&changed, |stored| stored.message.deleted_at.map(millis)),
                column(&changed, |stored| stored.message.body.as_str()),
                column(&changed, |stored| stored.message.from.id.as_str()),
                column(&changed, |stored| &*stored.message.from.name),
                column(&changed, |stored| stored.message.idempotency_key.as_deref().map(str::as_bytes)),
            ];
            self.add(&statements.update_messages, parameters);
        }
        if !tables.changes.is_empty() {
            let parameters = vec![
                column(&tables.changes, |change| self.id_of(change.room)),
                column(&tables.changes, |change| change.revision as i64),
                column(&tables.changes, |change| change.nth as i64),
                column(&tables.changes, |change| change.offset as i64),
            ];
            self.add(&statements.insert_changes, parameters);
        }
    }

    fn remove_messages(&mut self) {
        let statements = &self.connection.statements;
        let rooms: Vec<(i64, &Removal)> =
            self.tables.removals.iter().map(|(room, removal)| (self.id_of(*room), removal)).collect();
        if rooms.is_empty() {
            return;
        }
        let mut removed = Vec::new();
        for (room, removal) in &rooms {
            removed.extend(removal.offsets.iter().map(|offset| (*room, *offset as i64)));
        }
        if !removed.is_empty() {
            for statement in [&statements.remove_keys, &statements.remove_messages] {
                self.add(statement, vec![column(&removed, |(room, _)| *room), column(&removed, |(_, offset)| *offset)]);
            }
        }
        let room = || column(&rooms, |(room, _)| *room);
        let revision = || column(&rooms, |(_, removal)| removal.revision as i64);
        let changes = vec![room(), revision(), Box::new(i64::from(CHANGES_PER_REMOVAL)) as Parameter<'_>];
        let raised = vec![room(), column(&rooms, |(_, removal)| removal.offset as i64), revision()];
        self.add(&statements.remove_changes, changes);
        self.add(&statements.raise_removed, raised);
    }

    /// Writes the words of a slice of older messages, as they were loaded.
    fn index_slice(&mut self) {
        let (tables, statements) = (self.tables, &self.connection.statements);
        if let Some(slice) = &tables.indexed {
            let words: Vec<_> = slice.words.iter().map(|(id, words)| (uuid(*id), &**words)).collect();
            if !words.is_empty() {
                self.add(&statements.index_words, columns_of_words(words));
            }
            self.add(&statements.set_unindexed, vec![Box::new(slice.unindexed.map(uuid))]);
        }
    }

    /// Writes the words of the messages that were posted or changed.
    fn change_words(&mut self) {
        let (tables, statements) = (self.tables, &self.connection.statements);
        let Some(fields) = tables.fields else { return };
        // In this order on all servers, which may wait for each other's rows.
        let ids: BTreeSet<MessageId> =
            tables.posted.iter().map(|(_, id)| *id).chain(tables.changed.iter().copied()).collect();
        let (mut saved, mut gone) = (Vec::new(), Vec::new());
        for stored in ids.iter().filter_map(|id| tables.messages.get(id)) {
            let message = &stored.message;
            let words = fields.words(&message.body, self.id_of(stored.room_id), &message.from.id);
            match words.is_empty() {
                true if tables.changed.contains(&message.id) => gone.push(uuid(message.id)),
                true => {}
                false => saved.push((uuid(message.id), words)),
            }
        }
        if !saved.is_empty() {
            self.add(&statements.save_words, columns_of_words(saved));
        }
        if !gone.is_empty() {
            self.add(&statements.delete_words, vec![Box::new(gone)]);
        }
    }

    fn change_members(&mut self) {
        let (tables, statements) = (self.tables, &self.connection.statements);
        let (mut joined, mut left, mut moved) = (Vec::new(), Vec::new(), Vec::new());
        for ((user, room), Membership { stored, current }) in &tables.members {
            let row = (user.as_str(), self.id_of(*room), current.unwrap_or(0) as i64);
            match (stored, current) {
                (None, Some(_)) => joined.push(row),
                (Some(_), None) => left.push(row),
                (Some(stored), Some(current)) if stored != current => moved.push(row),
                _ => {}
            }
        }
        let columns = |rows: &[(&'a str, i64, i64)]| -> Vec<Parameter<'a>> {
            vec![column(rows, |row| row.0), column(rows, |row| row.1), column(rows, |row| row.2)]
        };
        if !joined.is_empty() {
            let mut parameters = columns(&joined);
            parameters.push(Box::new(millis(Timestamp::now())));
            self.add(&statements.insert_members, parameters);
        }
        if !left.is_empty() {
            let mut parameters = columns(&left);
            parameters.pop();
            self.add(&statements.delete_members, parameters);
        }
        if !moved.is_empty() {
            self.add(&statements.update_members, columns(&moved));
        }
    }

    fn save_users(&mut self) {
        let (tables, statements) = (self.tables, &self.connection.statements);
        if !tables.removed_users.is_empty() {
            let removed: Vec<&UserId> = tables.removed_users.iter().collect();
            self.add(&statements.remove_users, vec![column(&removed, |id| id.as_str())]);
        }
        if !tables.removed_keys.is_empty() {
            let removed: Vec<(&UserId, _)> = tables.removed_keys.iter().collect();
            let parameters = vec![column(&removed, |(id, _)| id.as_str()), column(&removed, |(_, most)| **most as i64)];
            self.add(&statements.remove_keys_of_users, parameters);
        }
        if !tables.user_names.is_empty() {
            let names: Vec<(&UserId, _)> = tables.user_names.iter().collect();
            let parameters = vec![column(&names, |(id, _)| id.as_str()), column(&names, |(_, name)| &***name)];
            self.add(&statements.save_names, parameters);
        }
        if !tables.last_seen.is_empty() {
            let seen: Vec<(&UserId, _)> = tables.last_seen.iter().collect();
            let parameters = vec![column(&seen, |(id, _)| id.as_str()), column(&seen, |(_, at)| millis(**at))];
            self.add(&statements.save_last_seen, parameters);
        }
    }

    fn change_outbox(&mut self) {
        let (outbox, statements) = (&self.tables.outbox, &self.connection.statements);
        if !outbox.new.is_empty() {
            let mut parameters = vec![
                column(&outbox.new, |(target, _)| target.clone()),
                column(&outbox.new, |(_, payload)| payload.clone()),
            ];
            parameters.push(Box::new(millis(Timestamp::now())));
            self.add(&statements.insert_owed, parameters);
        }
        if !outbox.taken.is_empty() {
            let parameters =
                vec![column(&outbox.taken, |(number, _)| *number), column(&outbox.taken, |(_, until)| millis(*until))];
            self.add(&statements.take_owed, parameters);
        }
        let is_delivered = |(_, settlement): &&(i64, Settlement)| *settlement == Settlement::Delivered;
        let (delivered, failed): (Vec<_>, Vec<_>) = outbox.settled.iter().partition(is_delivered);
        if !delivered.is_empty() {
            self.add(&statements.delete_owed, vec![column(&delivered, |(number, _)| *number)]);
        }
        if !failed.is_empty() {
            let next = |settlement: &Settlement| match settlement {
                Settlement::Retry(at) => Some(millis(*at)),
                Settlement::Delivered | Settlement::Failed => None,
            };
            let parameters =
                vec![column(&failed, |(number, _)| *number), column(&failed, |(_, settlement)| next(settlement))];
            self.add(&statements.fail_owed, parameters);
        }
    }

    /// Adds the keys, as the last request, and returns their number.
    fn keep_keys(&mut self) -> u64 {
        let (tables, statements) = (self.tables, &self.connection.statements);
        let mut kept: Vec<_> = tables.keys.iter().filter(|(_, key)| key.is_new).collect();
        let Some(oldest) = tables.expired_keys.filter(|_| !kept.is_empty()) else { return 0 };
        let swept: Vec<Parameter> = vec![Box::new(millis(oldest)), Box::new(EXPIRED_KEYS_PER_KEY * kept.len() as i64)];
        self.add(&statements.sweep_keys, swept);
        // In this order on all servers, which may wait for each other's keys.
        kept.sort_unstable_by_key(|(name, _)| *name);
        let stored = kept.iter().filter_map(|(name, _)| Some((*name, *tables.stored_keys.get(*name)?)));
        let stored: Vec<_> = stored.collect();
        if !stored.is_empty() {
            let seen = vec![
                column(&stored, |((user, _), _)| user.as_str()),
                column(&stored, |((_, key), _)| key.as_bytes()),
                column(&stored, |(_, (room, _))| *room),
                column(&stored, |(_, (_, offset))| *offset as i64),
            ];
            self.add(&statements.replace_keys, seen);
        }
        let mut parameters = vec![
            column(&kept, |((user, _), _)| user.as_str()),
            column(&kept, |((_, key), _)| key.as_bytes()),
            column(&kept, |(_, key)| self.id_of(key.used.room)),
            column(&kept, |(_, key)| key.used.offset as i64),
            column(&kept, |(_, key)| &*key.used.digest),
            column(&kept, |(_, key)| millis(key.at)),
        ];
        parameters.push(Box::new(millis(oldest)));
        self.add(&statements.insert_keys, parameters);
        kept.len() as u64
    }
}

fn uuid(id: MessageId) -> Uuid {
    Uuid::from_bytes(*id.as_bytes())
}

fn columns_of_words<'a, T>(words: Vec<(Uuid, T)>) -> Vec<Parameter<'a>>
where
    Vec<T>: ToSql + Sync + Send + 'a,
{
    let (ids, words): (Vec<Uuid>, Vec<T>) = words.into_iter().unzip();
    vec![Box::new(ids), Box::new(words)]
}

fn millis(time: Timestamp) -> i64 {
    time.as_millis() as i64
}

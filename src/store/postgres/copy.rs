//! A schema in PostgreSQL as an end of a copy.

use std::time::Duration;

use anyhow::Context;
use futures_util::{TryStreamExt, pin_mut};
use tokio::time::sleep;
use tokio_postgres::{
    Client, Row, Transaction,
    binary_copy::BinaryCopyInWriter,
    types::{ToSql, Type},
};
use uuid::Uuid;

use super::{
    connection::{self, lock},
    schema,
    settings::Settings,
};
use crate::{
    config::StoreConfig,
    store::copy::rows::{Column, Kind, Order, Progress, Slice, TABLES, Table, Value},
};

/// How far a copy into this schema is, as JSON. The table is there until the copy is finished.
const PROGRESS_TABLE: &str = "CREATE TABLE IF NOT EXISTS copying (progress text NOT NULL)";

/// An end of a copy. Its session has the lock of a server that shares with none.
pub(crate) struct PostgresEnd {
    client: Client,
    /// As `server_version_num` writes it.
    version: i32,
}

impl PostgresEnd {
    /// Opens what is copied from.
    pub(crate) async fn source(config: &StoreConfig) -> anyhow::Result<Self> {
        let settings = alone(config)?;
        let client = connection::connect(&settings).await?;
        schema::check(&client, &settings).await?;
        Self::with(client, &settings).await
    }

    /// Opens the schema that is copied to. Creates a missing one.
    pub(crate) async fn destination(config: &StoreConfig) -> anyhow::Result<Self> {
        let settings = alone(config)?;
        let mut client = connection::connect(&settings).await?;
        // A schema that has tables may be in use, until the lock says that it is not.
        if !schema::has_tables(&client, &settings).await? {
            schema::create(&mut client, &settings).await?;
        }
        schema::check(&client, &settings).await?;
        Self::with(client, &settings).await
    }

    async fn with(client: Client, settings: &Settings) -> anyhow::Result<Self> {
        lock(&client, settings).await?;
        // Counting the rows of a large table may take longer than a server's statements may.
        client.batch_execute("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0").await?;
        let version = client.query_one("SELECT current_setting('server_version_num')::int", &[]).await?.get(0);
        // One end is idle while the other one is read. PostgreSQL 13 has no such limit.
        if version >= 140_000 {
            client.batch_execute("SET idle_session_timeout = 0").await?;
        }
        Ok(Self { client, version })
    }

    /// The numbers of rows that were ever written, as the server counts them. They begin anew after a crash of the
    /// server: then a copy is begun anew too.
    pub(crate) async fn state(&self) -> anyhow::Result<String> {
        let mut state = self.written().await?;
        if self.version >= 150_000 {
            return Ok(state);
        }
        // Up to PostgreSQL 14 the numbers of a session that has ended arrive up to half a second later.
        loop {
            sleep(Duration::from_secs(1)).await;
            let earlier = std::mem::replace(&mut state, self.written().await?);
            if earlier == state {
                return Ok(state);
            }
        }
    }

    async fn written(&self) -> anyhow::Result<String> {
        let names: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
        let sql = "SELECT coalesce(string_agg(format('%s %s %s %s', relid, n_tup_ins, n_tup_upd, n_tup_del), ', '
                 ORDER BY relid), '')
             FROM pg_stat_user_tables WHERE schemaname = current_schema() AND relname = ANY($1)";
        Ok(self.client.query_one(sql, &[&names]).await?.get(0))
    }

    pub(crate) async fn count(&self, table: &Table) -> anyhow::Result<u64> {
        let count: i64 = self.client.query_one(&format!("SELECT count(*) FROM {}", table.name), &[]).await?.get(0);
        Ok(count.try_into()?)
    }

    pub(crate) async fn slice(
        &self,
        table: &Table,
        order: Order,
        after: Option<&[Value]>,
        limit: usize,
    ) -> anyhow::Result<Slice> {
        let (columns, key, name) = (names(table, table.columns), names(table, order), table.name);
        let marks: Vec<String> = (1..=order.len()).map(|number| format!("${number}")).collect();
        let after_key = after.map_or(String::new(), |_| format!("WHERE ({key}) > ({})", marks.join(", ")));
        let sql = format!("SELECT {columns}, {key} FROM {name} {after_key} ORDER BY {key} LIMIT {limit}");
        let parameters = order.iter().zip(after.unwrap_or_default().iter().cloned());
        let parameters = parameters.map(|(column, value)| to_postgres(column.kind, value));
        let parameters: Vec<_> = parameters.collect::<anyhow::Result<_>>()?;
        let rows = self.client.query_raw(&sql, parameters.iter().map(|parameter| &**parameter as &dyn ToSql)).await?;
        pin_mut!(rows);
        let mut slice = Slice::default();
        while let Some(row) = rows.try_next().await? {
            let kinds = table.columns.iter().chain(order).map(|column| column.kind);
            let values = kinds.enumerate().map(|(at, kind)| from_postgres(&row, at, kind));
            let mut values: Vec<Value> = values.collect::<anyhow::Result<_>>()?;
            slice.last = Some(values.split_off(table.columns.len()));
            slice.rows.push(values);
        }
        Ok(slice)
    }

    pub(crate) async fn highest_given(&self, table: &Table) -> anyhow::Result<i64> {
        let Some(column) = table.generated else { return Ok(0) };
        let sql = "SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence($1, $2)::regclass), 0)";
        Ok(self.client.query_one(sql, &[&table.name, &column]).await?.get(0))
    }

    pub(crate) async fn progress(&self) -> anyhow::Result<Option<Progress>> {
        if !schema::has_unfinished_copy(&self.client).await? {
            return Ok(None);
        }
        let row = self.client.query_one("SELECT progress FROM copying", &[]).await?;
        Ok(Some(serde_json::from_str(row.get(0))?))
    }

    pub(crate) async fn begin(&mut self, progress: &Progress) -> anyhow::Result<()> {
        let transaction = self.client.transaction().await?;
        let names: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
        // The next start makes the search's index anew.
        let truncate = format!("TRUNCATE message_words, search_index, {}", names.join(", "));
        transaction.batch_execute(&truncate).await?;
        transaction.batch_execute(PROGRESS_TABLE).await?;
        write_progress(&transaction, progress).await?;
        Ok(transaction.commit().await?)
    }

    pub(crate) async fn write(
        &mut self,
        table: &Table,
        rows: Vec<Vec<Value>>,
        progress: &Progress,
    ) -> anyhow::Result<()> {
        let transaction = self.client.transaction().await?;
        let types: Vec<Type> = table.columns.iter().map(|column| type_of(column.kind)).collect();
        let columns = names(table, table.columns);
        // Takes the values of generated columns as they are.
        let sink = transaction.copy_in(&format!("COPY {} ({columns}) FROM STDIN BINARY", table.name)).await?;
        let writer = BinaryCopyInWriter::new(sink, &types);
        pin_mut!(writer);
        for row in rows {
            let values = table.columns.iter().zip(row).map(|(column, value)| to_postgres(column.kind, value));
            let values: Vec<_> = values.collect::<anyhow::Result<_>>()?;
            writer.as_mut().write_raw(values.iter().map(|value| &**value as &dyn ToSql)).await?;
        }
        writer.finish().await?;
        write_progress(&transaction, progress).await?;
        Ok(transaction.commit().await?)
    }

    pub(crate) async fn finish(&mut self, given: &[(&Table, i64)]) -> anyhow::Result<()> {
        let transaction = self.client.transaction().await?;
        for (table, highest) in given {
            let sql = "SELECT setval(pg_get_serial_sequence($1, $2), greatest($3::bigint, 1), $3::bigint > 0)";
            transaction.execute(sql, &[&table.name, &table.generated, highest]).await?;
        }
        transaction.batch_execute("DROP TABLE copying").await?;
        transaction.commit().await?;
        let names: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
        // The copy is complete: what fails from now on is done by the database itself later.
        if let Err(error) = self.client.batch_execute(&format!("ANALYZE {}", names.join(", "))).await {
            tracing::warn!(%error, "the tables could not be analyzed");
        }
        Ok(())
    }
}

/// The settings of one that shares with none.
fn alone(config: &StoreConfig) -> anyhow::Result<Settings> {
    Ok(Settings { is_shared: false, ..Settings::new(config)? })
}

fn names(table: &Table, columns: &[Column]) -> String {
    columns.iter().map(|column| column.postgres(table.name)).collect::<Vec<_>>().join(", ")
}

async fn write_progress(transaction: &Transaction<'_>, progress: &Progress) -> anyhow::Result<()> {
    transaction.batch_execute("DELETE FROM copying").await?;
    let text = serde_json::to_string(progress)?;
    transaction.execute("INSERT INTO copying (progress) VALUES ($1)", &[&text]).await?;
    Ok(())
}

fn type_of(kind: Kind) -> Type {
    match kind {
        Kind::Number => Type::INT8,
        Kind::Text => Type::TEXT,
        Kind::Id => Type::UUID,
        Kind::AnyText | Kind::Bytes => Type::BYTEA,
    }
}

fn to_postgres(kind: Kind, value: Value) -> anyhow::Result<Box<dyn ToSql + Send + Sync>> {
    Ok(match (kind, value) {
        (Kind::Number, Value::Null) => Box::new(None::<i64>),
        (Kind::Text, Value::Null) => Box::new(None::<String>),
        (Kind::Id, Value::Null) => Box::new(None::<Uuid>),
        (Kind::AnyText | Kind::Bytes, Value::Null) => Box::new(None::<Vec<u8>>),
        (Kind::Number, Value::Number(number)) => Box::new(number),
        (Kind::Text, Value::Text(text)) => Box::new(text),
        (Kind::AnyText, Value::Text(text)) => Box::new(text.into_bytes()),
        (Kind::Bytes, Value::Bytes(bytes)) => Box::new(bytes),
        (Kind::Id, Value::Bytes(bytes)) => Box::new(Uuid::from_slice(&bytes)?),
        (kind, value) => anyhow::bail!("{value:?} is no {kind:?}"),
    })
}

fn from_postgres(row: &Row, at: usize, kind: Kind) -> anyhow::Result<Value> {
    let value = match kind {
        Kind::Number => row.try_get::<_, Option<i64>>(at)?.map(Value::Number),
        Kind::Text => row.try_get::<_, Option<String>>(at)?.map(Value::Text),
        Kind::Id => row.try_get::<_, Option<Uuid>>(at)?.map(|id| Value::Bytes(id.as_bytes().to_vec())),
        Kind::Bytes => row.try_get::<_, Option<Vec<u8>>>(at)?.map(Value::Bytes),
        Kind::AnyText => {
            let bytes: Option<Vec<u8>> = row.try_get(at)?;
            bytes.map(|bytes| String::from_utf8(bytes).map(Value::Text)).transpose().context("a key is no text")?
        }
    };
    Ok(value.unwrap_or(Value::Null))
}

#[cfg(test)]
mod tests;

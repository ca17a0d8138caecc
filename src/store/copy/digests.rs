//! Compares what two databases hold: the rows of each table are counted, and each room has a digest.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use sha2::{Digest, Sha256};

use super::{
    CopyStep, Report,
    end::End,
    rows::{TABLES, Value},
};

/// Everything that belongs to a room.
#[derive(Default)]
struct RoomDigest {
    /// As [`Room::key`](crate::model::Room::key) writes it.
    key: String,
    digest: Sha256,
}

/// What a database holds.
pub(super) struct Contents {
    /// Rows of each of [`TABLES`].
    counts: Vec<u64>,
    /// By the room's number: everything that belongs to the room.
    rooms: BTreeMap<i64, RoomDigest>,
    /// Everything that belongs to no room.
    others: Sha256,
}

impl Contents {
    /// Reads all of a database.
    pub(super) async fn of(end: &mut End, slice_rows: usize, report: &mut Report<'_>) -> anyhow::Result<Self> {
        let mut contents = Self { counts: Vec::new(), rooms: BTreeMap::new(), others: Sha256::new() };
        let mut bytes = Vec::new();
        for table in TABLES {
            let room_at = table.room.and_then(|room| table.position(room));
            let mut count = 0;
            let mut after = None;
            loop {
                let slice = end.slice(table, table.common_order, after.as_deref(), slice_rows).await?;
                for row in &slice.rows {
                    bytes.clear();
                    bytes.extend(table.name.as_bytes());
                    row.iter().for_each(|value| value.write_to(&mut bytes));
                    match room_at.map(|at| &row[at]) {
                        Some(Value::Number(number)) => {
                            let room = contents.rooms.entry(*number).or_default();
                            if let ("rooms", Some(Value::Text(key))) = (table.name, row.get(1)) {
                                room.key.clone_from(key);
                            }
                            room.digest.update(&bytes);
                        }
                        _ => contents.others.update(&bytes),
                    }
                }
                count += slice.rows.len() as u64;
                report(CopyStep::Compared(slice.rows.len() as u64))?;
                after = slice.last;
                if slice.rows.len() < slice_rows {
                    break;
                }
            }
            contents.counts.push(count);
        }
        Ok(contents)
    }

    /// Rows of all tables.
    pub(super) fn row_count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Number of rooms.
    pub(super) fn room_count(&self) -> usize {
        self.rooms.len()
    }

    /// Fails with the first difference.
    pub(super) fn compare(self, copy: Self) -> anyhow::Result<()> {
        for ((table, there), here) in TABLES.iter().zip(self.counts).zip(copy.counts) {
            ensure!(there == here, "the source has {there} {}, and the copy {here}", table.name);
        }
        let mut copied = copy.rooms;
        for (number, RoomDigest { key, digest }) in self.rooms {
            let copy = copied.remove(&number).with_context(|| format!("the room {key:?} was not copied"))?;
            ensure!(digest.finalize() == copy.digest.finalize(), "the room {key:?} differs from its copy");
        }
        ensure!(copied.is_empty(), "the copy has rooms that the source has not");
        ensure!(self.others.finalize() == copy.others.finalize(), "the users or the outbox differ from their copies");
        Ok(())
    }
}

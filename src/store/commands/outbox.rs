//! The outbox: what a commit owes to others, such as a webhook, and its delivery.
//!
//! A command that changes something calls [`Tables::owe`] in the same commit. Then one server at a time takes what is owed
//! to a target, in order, and says what became of it.

#![cfg_attr(not(test), allow(dead_code, reason = "webhooks are to deliver from it"))]

use std::time::Duration;

use crate::{
    model::Timestamp,
    store::{
        command::{Command, Needs},
        failure::Failure,
        tables::{Owed, Settlement, Tables},
    },
};

/// Takes the oldest that is owed to a target, for a turn of some length. Nothing is taken while somebody else has a turn,
/// or before the time of the next attempt.
pub(crate) struct TakeOwed {
    pub(crate) target: String,
    /// How many to take.
    pub(crate) limit: usize,
    /// How long the turn lasts. After it, what was not settled may be taken again.
    pub(crate) turn: Duration,
}

impl Command for TakeOwed {
    type Output = Vec<Owed>;

    fn needs(&self, needs: &mut Needs) {
        needs.owed.push((self.target.clone(), self.limit));
    }

    fn apply(&self, tables: &mut dyn Tables) -> Result<Vec<Owed>, Failure> {
        let now = Timestamp::now();
        Ok(tables.take_owed(&self.target, self.limit, now, now + self.turn)?)
    }
}

/// Says what became of what was taken.
pub(crate) struct SettleOwed {
    /// Numbers of [`Owed`].
    pub(crate) settled: Vec<(i64, Settlement)>,
}

impl Command for SettleOwed {
    type Output = ();

    fn needs(&self, _: &mut Needs) {}

    fn apply(&self, tables: &mut dyn Tables) -> Result<(), Failure> {
        for (number, settlement) in &self.settled {
            tables.settle_owed(*number, *settlement)?;
        }
        Ok(())
    }
}

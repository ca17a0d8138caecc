//! Removes messages that are too old or too many (`[retention]`), in the background, in slices.

use std::time::{Duration, Instant};

use tokio::time::sleep;
use wildmatch::WildMatch;

use crate::{
    config::{Retention, RetentionRule},
    error::Result,
    model::{Room, Timestamp},
    store::{RemoveMessages, RoomContents, Slices, Store},
};

/// Minimal time between two sweeps.
const PAUSE: Duration = Duration::from_secs(5);
/// The time between two sweeps is at least so many times as long as the last one has searched.
const REST: u32 = 20;
/// Rooms that one read looks at.
const ROOMS: usize = 200;

/// Sweeps again and again. `rules` returns the current rules.
pub(crate) async fn run(store: &Store, rules: impl Fn() -> Retention) {
    let mut has_failed = false;
    loop {
        let mut searched = Duration::ZERO;
        let rules = Rules::new(rules());
        if !rules.0.is_empty() {
            let swept = sweep(store, &rules, &mut searched).await;
            let had_failed = std::mem::replace(&mut has_failed, swept.is_err());
            match swept {
                Ok(0) => {}
                Ok(messages) => tracing::info!(messages, "removed messages by [retention]"),
                // Of consecutive failures only the first is logged, because a full disk may stay full for long.
                Err(error) if !had_failed => tracing::warn!(%error, "messages cannot be removed by [retention]"),
                Err(_) => {}
            }
        }
        sleep(PAUSE.max(searched * REST)).await;
    }
}

/// The rules with their patterns, of which the first that matches applies.
struct Rules(Vec<(WildMatch, RetentionRule)>);

impl Rules {
    fn new(retention: Retention) -> Self {
        Self(retention.0.into_iter().map(|(pattern, rule)| (WildMatch::new(&pattern), rule)).collect())
    }

    /// The rule of a room; `None` if nothing is removed there. To a pattern, each direct message has the name
    /// `dm:<id>:<id>`.
    fn of(&self, room: &Room) -> Option<&RetentionRule> {
        let name = room.pattern_name();
        let (_, rule) = self.0.iter().find(|(pattern, _)| pattern.matches(&name))?;
        Some(rule).filter(|rule| !rule.keep)
    }
}

/// Removes what the rules say from all rooms, and returns the number of messages. Adds the time of the search to
/// `searched`. Several servers of one database may sweep at the same time: each slice locks its room, and removes only
/// what is still there.
async fn sweep(store: &Store, rules: &Rules, searched: &mut Duration) -> Result<u64> {
    let (mut slices, mut after, mut removed) = (store.slices(), None, 0);
    loop {
        let start = Instant::now();
        let rooms = store.contents(after, ROOMS).await?;
        *searched += start.elapsed();
        let is_last = rooms.len() < ROOMS;
        after = rooms.last().map(|contents| contents.room.clone());
        for contents in rooms {
            let Some(rule) = rules.of(&contents.room) else { continue };
            let outdated = Outdated::by(rule, Timestamp::now());
            if outdated.is_in(&contents) {
                removed += outdated.remove(&mut slices, &contents.room).await?;
            }
        }
        if is_last {
            return Ok(removed);
        }
    }
}

/// What is outdated by a rule at some time.
#[derive(Clone, Copy)]
struct Outdated {
    before: Option<Timestamp>,
    most: Option<u64>,
}

impl Outdated {
    fn by(rule: &RetentionRule, now: Timestamp) -> Self {
        let before = now.as_millis().saturating_sub(rule.max_age.as_millis() as u64);
        Self {
            before: (!rule.max_age.is_zero()).then(|| Timestamp::from_millis(before)),
            most: (rule.max_messages > 0).then_some(rule.max_messages),
        }
    }

    fn is_in(self, contents: &RoomContents) -> bool {
        let is_old = contents.oldest.zip(self.before).is_some_and(|(oldest, before)| oldest < before);
        is_old || self.most.is_some_and(|most| contents.messages > most)
    }

    async fn remove(self, slices: &mut Slices<'_>, room: &Room) -> Result<u64> {
        let Self { before, most } = self;
        let mut messages = 0;
        loop {
            let slice = |limit| RemoveMessages { room: room.clone(), before, most, limit };
            let removed = slices.run(slice, |removed, _| removed).await?;
            messages += removed.messages;
            if !removed.more {
                return Ok(messages);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Direct, RoomName, UserId};

    fn rule(max_messages: u64, keep: bool) -> RetentionRule {
        RetentionRule { max_messages, keep, ..RetentionRule::default() }
    }

    #[test]
    fn the_first_rule_that_matches_a_room_applies() {
        let rules =
            [("team-a", rule(0, true)), ("team-*", rule(1, false)), ("dm:*", rule(2, false)), ("*", rule(3, false))];
        let rules = Rules::new(Retention(rules.map(|(pattern, rule)| (pattern.to_owned(), rule)).to_vec()));
        let of = |name: &str| rules.of(&Room::Named(RoomName::parse(name).unwrap())).map(|rule| rule.max_messages);
        assert_eq!([of("team-a"), of("team-b"), of("tea")], [None, Some(1), Some(3)]);
        let user = |id: &str| UserId::parse(id).unwrap();
        let direct = Room::Direct(Direct::between(user("ada"), user("bob")));
        assert_eq!(rules.of(&direct).map(|rule| rule.max_messages), Some(2));
        assert_eq!(Rules::new(Retention::default()).of(&direct), None);
    }
}

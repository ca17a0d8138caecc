//! `[retention]`: which messages of which rooms are removed, in the order of the file.

use std::{fmt, time::Duration};

use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor},
};
use wildmatch::WildMatch;

use super::{duration, findings::Findings};

/// `[retention.<pattern>]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct RetentionRule {
    /// Remove messages that were posted longer ago than this, as in "90d". 0s: whatever their age, they stay.
    #[serde(with = "duration")]
    #[schemars(with = "duration::DurationSchema")]
    pub max_age: Duration,
    /// Remove a room's oldest messages beyond this number. 0: whatever their number, they stay.
    pub max_messages: u64,
    /// Remove nothing in rooms that match, whatever later rules say.
    pub keep: bool,
}

/// The rules with their patterns. The first one that matches a room applies to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retention(pub Vec<(String, RetentionRule)>);

impl Retention {
    /// Checks each rule.
    pub(super) fn check(&self, findings: &mut Findings) {
        for (pattern, rule) in &self.0 {
            let key = format!("retention.{pattern}");
            let removes = !rule.max_age.is_zero() || rule.max_messages > 0;
            if removes == rule.keep {
                let keys = ["", ".max-age", ".max-messages", ".keep"].map(|setting| format!("{key}{setting}"));
                let keys = keys.each_ref().map(String::as_str);
                findings.wrong(&keys, "needs max-age or max-messages, or else keep = true");
            }
        }
        for (place, (pattern, _)) in self.0.iter().enumerate() {
            let earlier = self.0[..place].iter().find(|(earlier, _)| WildMatch::new(earlier).matches(pattern));
            if let Some((earlier, _)) = earlier {
                findings.warn(format!("retention.{pattern} has no effect: retention.{earlier} comes first"));
            }
        }
    }
}

impl Serialize for Retention {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(pattern, rule)| (pattern, rule)))
    }
}

impl<'de> Deserialize<'de> for Retention {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InOrder)
    }
}

struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Retention;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tables with patterns as their names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Retention, A::Error> {
        let mut rules = Vec::new();
        while let Some(rule) = map.next_entry()? {
            rules.push(rule);
        }
        Ok(Retention(rules))
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Base, Config};

    fn patterns(config: &Config) -> Vec<&str> {
        config.retention.0.iter().map(|(pattern, _)| &**pattern).collect()
    }

    #[test]
    fn rules_have_the_order_of_the_file() {
        let table = toml::toml! {
            [retention."z*"]
            keep = true
            [retention."a.b"]
            max-messages = 5
            [retention."*"]
            max-age = "90d"
        };
        let config = Base::default().overlaid(table).unwrap();
        assert_eq!(patterns(&config), ["z*", "a.b", "*"]);
        assert!(config.check().unwrap().is_empty());
        let again = Base { config, ..Base::default() }.overlaid(toml::Table::new()).unwrap();
        assert_eq!(patterns(&again), ["z*", "a.b", "*"]);
    }

    #[test]
    fn rules_that_say_nothing_or_too_much_are_refused_and_unreachable_ones_warned_of() {
        let check = |text: &str| toml::from_str::<Config>(text).unwrap().check();
        for text in ["[retention.a]", "[retention.a]\nkeep = true\nmax-messages = 1"] {
            let errors = check(text).unwrap_err();
            let sentence = "retention.a needs max-age or max-messages, or else keep = true";
            assert_eq!(errors.mistakes[0].0, sentence);
        }
        let warnings = check("[retention.\"t*\"]\nkeep = true\n[retention.tea]\nmax-age = \"1d\"").unwrap();
        assert_eq!(warnings, ["retention.tea has no effect: retention.t* comes first"]);
    }
}

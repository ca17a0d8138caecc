//! The kinds of values a setting takes: parsing the text of a variable or a flag, and the error message for a wrong
//! value.

use toml::Value;

use super::{duration, size};

/// The kind of a setting's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ValueKind {
    /// Any text.
    Text,
    /// A text that error messages do not repeat.
    Secret,
    /// One of these texts.
    Choice(Vec<String>),
    /// A whole number up to this maximum.
    Number(u64),
    /// A number of bytes, or a text such as "1MB".
    Size,
    /// A number of seconds, or a text such as "1m 30s".
    Duration,
    /// `true` or `false`.
    Truth,
    /// A list of texts; if the choices are not empty, each must be one of them.
    List(Vec<String>),
    /// A whole number, in an application's own setting. The type of the setting's Rust field checks the bounds.
    Whole,
    /// A number, in an application's own setting.
    Decimal,
    /// Any value, in an application's own setting. The setting's default does not show its kind, because it is null, an
    /// empty list or an empty table.
    Any,
}

impl ValueKind {
    /// Parses the text of a variable or a flag. If that fails, the value stays text, so that the error message shows
    /// what was written.
    pub(super) fn read(&self, text: &str) -> Value {
        match self {
            Self::Text | Self::Secret | Self::Choice(_) | Self::Size | Self::Duration => {
                Value::from(without_quotes(text))
            }
            Self::Number(_) => text.trim().parse::<i64>().map_or_else(|_| Value::from(text), Value::from),
            Self::Whole => text.trim().parse::<i64>().map_or_else(|_| Value::from(text), Value::from),
            Self::Decimal => text.trim().parse::<f64>().map_or_else(|_| Value::from(text), Value::from),
            Self::Any => {
                let table = toml::from_str::<toml::Table>(&format!("value = {text}"));
                table.ok().and_then(|mut table| table.remove("value")).unwrap_or_else(|| Value::from(text))
            }
            Self::Truth => text.trim().parse::<bool>().map_or_else(|_| Value::from(text), Value::from),
            Self::List(_) => {
                let text = text.trim();
                let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
                let items = inner.split(',').map(|item| item.trim().trim_matches('"')).filter(|item| !item.is_empty());
                Value::from(items.map(Value::from).collect::<Vec<_>>())
            }
        }
    }

    /// The error message for a value that cannot be read. `error` is the message of serde.
    pub(super) fn complaint(&self, value: &Value, error: &str) -> String {
        let shown = abridged(value);
        match (self, value) {
            (Self::Secret, _) => "must be a text, in quotes".to_owned(),
            (Self::List(choices), Value::Array(items)) => match items.iter().find(|item| !item.is_str()) {
                Some(item) => format!("{} must be a text, in quotes", abridged(item)),
                None if !choices.is_empty() => format!("{shown} must contain only {}", quoted(choices)),
                None => one_line(error),
            },
            (Self::Size, _) => format!("{shown} must be {}", size::FORM),
            (Self::Duration, _) => format!("{shown} must be {}", duration::FORM),
            (Self::Text, Value::String(_)) => one_line(error),
            (Self::Text, _) => format!("{shown} must be a text, in quotes"),
            (Self::Choice(choices), _) => format!("{shown} must be one of {}", quoted(choices)),
            (Self::Number(largest), Value::Integer(_)) => format!("{shown} must be from 0 to {largest}"),
            (Self::Number(_), Value::String(text)) if text.trim().parse::<u64>().is_ok() => {
                format!("{shown} must be a whole number, without quotes")
            }
            (Self::Number(_), _) => format!("{shown} must be a whole number, 0 or more"),
            (Self::Truth, _) => format!("{shown} must be true or false, without quotes"),
            (Self::Whole, Value::String(text)) if text.trim().parse::<i64>().is_ok() => {
                format!("{shown} must be a whole number, without quotes")
            }
            (Self::Whole, _) => format!("{shown} must be a whole number"),
            (Self::Decimal, _) => format!("{shown} must be a number"),
            (Self::Any, _) => one_line(error),
            (Self::List(_), _) => format!("{shown} must be a list of texts, as in [\"one\", \"another\"]"),
        }
    }

    /// The error message for a value of an application's own setting. If the value is of the right kind, for example a
    /// number that is too large, the message contains `error`, the message of serde.
    pub(super) fn own_complaint(&self, value: &Value, error: &str) -> String {
        let is_of_kind = match (self, value) {
            (Self::List(_), Value::Array(items)) => items.iter().all(Value::is_str),
            (Self::Text, Value::String(_))
            | (Self::Whole, Value::Integer(_))
            | (Self::Decimal, Value::Float(_) | Value::Integer(_))
            | (Self::Truth, Value::Boolean(_))
            | (Self::Any, _) => true,
            _ => false,
        };
        if is_of_kind { format!("is {}: {}", abridged(value), one_line(error)) } else { self.complaint(value, error) }
    }
}

/// Strips the quotes of TOML, if the text was written with them.
fn without_quotes(text: &str) -> &str {
    text.trim().strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text)
}

fn quoted(choices: &[String]) -> String {
    choices.iter().map(|choice| format!("{choice:?}")).collect::<Vec<_>>().join(", ")
}

/// A value in TOML, shortened if it is long.
fn abridged(value: &Value) -> String {
    /// Maximum number of characters shown.
    const ENOUGH: usize = 60;
    let text = one_line(&value.to_string());
    let beginning: String = text.chars().take(ENOUGH).collect();
    if beginning.len() < text.len() { format!("{beginning}...") } else { text }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_may_be_written_with_the_quotes_of_toml() {
        let choice = ValueKind::Choice(vec!["one".to_owned()]);
        for kind in [ValueKind::Text, ValueKind::Secret, choice, ValueKind::Size, ValueKind::Duration] {
            for (text, expected) in [
                (r#""receiverId""#, "receiverId"),
                ("receiverId", "receiverId"),
                (r#" "a b" "#, "a b"),
                (" a ", " a "),
                (r#""""#, ""),
                (r#"""#, r#"""#),
                (r#""a"#, r#""a"#),
                (r#"a "b""#, r#"a "b""#),
            ] {
                assert_eq!(kind.read(text), Value::from(expected), "{text}");
            }
        }
    }
}

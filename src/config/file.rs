//! Parses the TOML file into a table, and records the line of every setting.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::{
    Spanned, Table, Value,
    de::{DeTable, DeValue, ValueDeserializer},
};

/// A parsed file.
#[derive(Debug, Default)]
pub(super) struct File {
    /// The settings, by section.
    pub(super) table: Table,
    /// The line of each setting, by its dotted key.
    pub(super) lines: BTreeMap<String, usize>,
}

/// A TOML syntax error with its line.
#[derive(Debug)]
pub(super) struct SyntaxError {
    pub(super) line: usize,
    pub(super) sentence: String,
}

/// Parses a file; returns all syntax errors if there are any.
pub(super) fn read(text: &str) -> Result<File, Vec<SyntaxError>> {
    // TOML is UTF-8 without a byte order mark; some editors write one.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (parsed, errors) = DeTable::parse_recoverable(text);
    let line = |at: usize| text[..at.min(text.len())].matches('\n').count() + 1;
    let syntax = |error: &toml::de::Error| SyntaxError {
        line: line(error.span().map_or(0, |span| span.start)),
        sentence: error.message().split_whitespace().collect::<Vec<_>>().join(" "),
    };
    if !errors.is_empty() {
        return Err(errors.iter().map(syntax).collect());
    }
    let mut file = File::default();
    locate("", parsed.get_ref(), &mut |key, at| {
        file.lines.insert(key, line(at));
    });
    let value = Spanned::new(parsed.span(), DeValue::Table(parsed.into_inner()));
    match Value::deserialize(ValueDeserializer::from(value)) {
        Ok(Value::Table(table)) => file.table = table,
        Ok(_) => unreachable!("a table deserializes to a table"),
        // A number that does not fit into an `i64`.
        Err(error) => return Err(vec![syntax(&error)]),
    }
    Ok(file)
}

/// Calls `tell` for each key in a table and in its subtables, with the dotted key and its byte offset in the file.
fn locate(prefix: &str, table: &DeTable<'_>, tell: &mut dyn FnMut(String, usize)) {
    for (key, value) in table {
        let name = format!("{prefix}{}", key.get_ref());
        if let DeValue::Table(inner) = value.get_ref() {
            locate(&format!("{name}."), inner, tell);
        }
        tell(name, key.span().start);
    }
}

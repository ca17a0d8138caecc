//! The rules of ARCHITECTURE about imports: every part of the library uses only parts below it, and some things are used
//! in one place only.

use std::collections::BTreeSet;

use crate::{imports::Imports, read, source};

/// The parts of the library, the lowest first. Parts of one row do not use each other.
pub const LAYERS: &[&[&str]] = &[
    &["input", "allocator", "deadlines", "open_files", "restart", "supervise", "sync", "tellings"],
    &["model"],
    &["error", "observer"],
    &["protocol", "metrics"],
    &["config"],
    &["store", "limits", "telemetry"],
    &["auth", "engine"],
    &["hub"],
    &["presence", "retention", "erasure", "token_expiry"],
    &["app"],
    &["chat", "io"],
    &["namespace", "http"],
    &["handlers", "pusher"],
    &["server"],
    &["cli", "testing", "typescript"],
];

/// Names, and the only files or folders that may use them.
const NAMED_ONLY_IN: &[(&str, &[&str])] = &[
    ("socketioxide", &["src/namespace.rs", "src/namespace/admission.rs", "src/model/socket_id.rs"]),
    ("rusqlite", &["src/store/sqlite.rs", "src/store/sqlite/"]),
    ("tokio_postgres", &["src/store/postgres.rs", "src/store/postgres/"]),
    ("env", &["src/config.rs", "src/config/"]),
];

/// The part that a file belongs to: `engine` for `src/engine/reader.rs` and `src/engine.rs`.
pub fn part(path: &str) -> &str {
    path["src/".len()..].split(['/', '.']).next().unwrap()
}

fn layer(part: &str) -> usize {
    let found = LAYERS.iter().position(|row| row.contains(&part));
    found.unwrap_or_else(|| panic!("`{part}` is in no layer: give it a place in LAYERS"))
}

#[test]
fn every_part_uses_only_parts_below_it() {
    let imports = Imports::read();
    let all = imports.all();
    let pairs = all.iter().flat_map(|(user, used)| used.iter().map(|used| (*user, *used)));
    let found: BTreeSet<_> =
        pairs.filter(|(user, used)| part(user) != part(used) && layer(part(user)) <= layer(part(used))).collect();
    assert!(found.is_empty(), "files, and what they use though it does not stand below them: {found:#?}");
}

#[test]
fn every_layer_has_files() {
    let files = source::files();
    for part_of_row in LAYERS.iter().copied().flatten() {
        assert!(files.iter().any(|file| part(&file.path) == *part_of_row), "there is no `{part_of_row}` any more");
    }
}

#[test]
fn socketioxide_sql_and_the_environment_are_used_only_in_their_places() {
    for file in source::files() {
        for (name, places) in NAMED_ONLY_IN {
            let is_named = match *name {
                "env" => {
                    file.tokens.windows(3).any(|path| path == ["env", "::", "var"] || path == ["env", "::", "vars"])
                }
                name => file.tokens.iter().any(|token| token == name),
            };
            let is_place = places.iter().any(|place| file.path.starts_with(place));
            assert!(!is_named || is_place, "{} names {name}", file.path);
        }
    }
}

#[test]
fn architecture_draws_the_layers_as_they_are() {
    let text = read("ARCHITECTURE.md");
    let start = text.find("```layers\n").expect("a block `layers`") + "```layers\n".len();
    let drawn: Vec<Vec<&str>> = text[start..start + text[start..].find("```").unwrap()]
        .lines()
        .map(|line| line.split_once("  ").map_or(line, |(parts, _)| parts).split(", ").map(str::trim).collect())
        .collect();
    let wanted: Vec<Vec<&str>> = LAYERS.iter().rev().map(|row| row.to_vec()).collect();
    assert_eq!(drawn, wanted);
}

//! What ARCHITECTURE says of imports: every part of the library uses only parts below it, and some things are named in
//! one place.

use std::collections::BTreeSet;

use crate::{imports::Imports, read, source};

/// The parts of the library, the lowest first. Those of one row know nothing of each other.
pub const LAYERS: &[&[&str]] = &[
    &["input", "allocator", "deadlines", "open_files", "supervise", "sync", "tellings"],
    &["model"],
    &["error"],
    &["protocol", "metrics"],
    &["config"],
    &["store", "limits", "telemetry"],
    &["auth", "engine"],
    &["hub"],
    &["presence", "token_expiry"],
    &["app"],
    &["chat"],
    &["namespace", "http"],
    &["handlers", "pusher"],
    &["server"],
    &["cli"],
];

/// Names, and the only files or folders that may have them.
const NAMED_ONLY_IN: &[(&str, &[&str])] = &[
    ("socketioxide", &["src/namespace.rs", "src/namespace/admission.rs", "src/model/socket_id.rs"]),
    ("rusqlite", &["src/store.rs", "src/store/"]),
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
fn every_layer_is_a_part_that_there_is() {
    let files = source::files();
    for part_of_row in LAYERS.iter().copied().flatten() {
        assert!(files.iter().any(|file| part(&file.path) == *part_of_row), "there is no `{part_of_row}` any more");
    }
}

#[test]
fn the_library_sql_and_the_environment_are_named_where_they_belong() {
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

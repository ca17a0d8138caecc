//! `docs/internals/map.md`, generated from the first sentences of the files and from their imports.

use std::{collections::BTreeSet, fmt::Write, fs};

use crate::{
    files_below,
    imports::Imports,
    layers::{LAYERS, part},
    path, read,
    source::first_sentence,
};

const MAP: &str = "docs/internals/map.md";

#[test]
fn the_map_is_up_to_date() {
    let wanted = map();
    if fs::read_to_string(path(MAP)).unwrap_or_default() != wanted {
        fs::write(path(MAP), wanted).unwrap();
        panic!("{MAP} was stale and has been written anew: look at it and commit it");
    }
}

fn map() -> String {
    let mut text = String::from(
        "# Map of the source\n\nFor developers who look for a file. Written by `cargo test --test tree` from the first sentence of each file's `//!` and \
         from its `use` lines. Do not edit.\n\n\"uses\" names the layers of ARCHITECTURE.md whose items a file uses, beside its own.\n",
    );
    let imports = Imports::read();
    let all = imports.all();
    let files = files_below("src", ".rs");
    let parts = LAYERS.iter().rev().copied().flatten().copied();
    let outside = ["main", "lib", "generated"];
    for wanted in outside.into_iter().chain(parts) {
        let rows: Vec<_> = files.iter().filter(|path| part(path) == wanted).collect();
        if rows.is_empty() {
            continue;
        }
        let _ = write!(text, "\n## `{wanted}`\n\n| file | what it holds | uses |\n|---|---|---|\n");
        for path in in_order(rows) {
            let used = all.get(path.as_str()).into_iter().flatten().map(|used| part(used));
            let used: BTreeSet<_> = used.filter(|part| *part != wanted).collect();
            let used = used.into_iter().collect::<Vec<_>>().join(", ");
            let sentence = without_links(&first_sentence(&read(path))).replace('|', "\\|");
            let _ = writeln!(text, "| `{}` | {sentence} | {used} |", &path["src/".len()..]);
        }
    }
    text
}

/// The sentence with rustdoc links replaced by their words.
fn without_links(sentence: &str) -> String {
    let mut text = String::new();
    let mut rest = sentence;
    while let Some((before, link)) = rest.split_once("[`") {
        let Some((words, after)) = link.split_once("`]") else { break };
        text += &format!("{before}`{words}`");
        rest = match after.strip_prefix('(').and_then(|target| target.split_once(')')) {
            Some((_, after)) => after,
            None => after,
        };
    }
    text + rest
}

#[test]
fn a_rustdoc_link_is_replaced_by_its_words() {
    assert_eq!(without_links("Reads [`A`](super::A), then [`B`]."), "Reads `A`, then `B`.");
}

/// A file before the folder of its name.
fn in_order(mut paths: Vec<&String>) -> Vec<&String> {
    paths.sort_by_key(|path| path.trim_end_matches(".rs").split('/').map(str::to_owned).collect::<Vec<_>>());
    paths
}

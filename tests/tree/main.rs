//! The repository itself: which file imports which, the map that is written from it, and the links of the documents.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must panic")]

mod documents;
mod imports;
mod layers;
mod map;
mod source;

use std::{fs, path::PathBuf};

/// A path in the repository.
fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The files below a folder whose names end so, in the order of their paths.
fn files_below(folder: &str, ending: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path(folder)).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            found.extend(files_below(&name, ending));
        } else if name.ends_with(ending) {
            found.push(name);
        }
    }
    found.sort();
    found
}

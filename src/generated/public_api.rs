//! `tests/public-api.txt`: every public item of the crate by its path, with its fields, variants, methods and traits.
//! It is read from the source text. A change of the public interface is therefore a change of a file that is reviewed.

mod lines;
mod modules;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use syn::Item;

use self::{
    lines::{heading, is_generic, methods, named, own_lines, parts},
    modules::{Crate, Definition, child_of, has, imports, is_public, name_of},
};

const FILE: &str = "tests/public-api.txt";

/// The lines of each public item, by the item's path.
type PublicItems = BTreeMap<String, BTreeSet<String>>;

#[test]
fn the_list_of_public_items_is_up_to_date() {
    let library = Crate::read();
    let listed = library.public_items();
    let mut text =
        String::from("# Every public item of the crate. Written by `cargo test --lib generated`. Do not edit.\n");
    for (path, lines) in &listed {
        text += &format!("\n{path}\n");
        for line in lines {
            text += &format!("    {line}\n");
        }
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let before = fs::read_to_string(&file).unwrap_or_default();
    if before != text {
        let (was, is) = (with_headings(&before), with_headings(&text));
        let gone = was.difference(&is).map(|line| format!("- {line}\n"));
        let new = is.difference(&was).map(|line| format!("+ {line}\n"));
        let difference: String = gone.chain(new).collect();
        fs::write(&file, text).expect("the file can be written");
        panic!(
            "the public interface has changed, and {FILE} has been written anew: review and commit it\n{difference}"
        );
    }
}

/// The lines of the file, each with the path of its item before it.
fn with_headings(text: &str) -> BTreeSet<String> {
    let mut heading = "";
    let mut lines = BTreeSet::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        match line.strip_prefix("    ") {
            Some(line) => drop(lines.insert(format!("{heading}: {line}"))),
            None => heading = line,
        }
    }
    lines
}

impl Crate {
    /// All public items.
    fn public_items(&self) -> PublicItems {
        let mut paths = BTreeMap::new();
        self.name(&[], &mut paths);
        let mut listed = PublicItems::new();
        for ((module, name), path) in &paths {
            listed.insert(path.clone(), self.lines(&(module.clone(), name.clone()), &paths));
        }
        listed
    }

    /// Finds the public items below a public module, with their paths. An item with two paths is an error.
    fn name(&self, module: &[String], paths: &mut BTreeMap<Definition, String>) {
        let path = |name: &str| {
            format!("sockeye::{}{name}", module.iter().map(|part| format!("{part}::")).collect::<String>())
        };
        for item in &self.0[module] {
            let found = match item {
                Item::Mod(child) if is_public(&child.vis) => {
                    self.name(&child_of(module, &child.ident.to_string()), paths);
                    continue;
                }
                // Listed with the module that defines it.
                Item::Use(import) if has(&import.attrs, "doc", "no_inline") => continue,
                Item::Use(import) if is_public(&import.vis) => imports(&import.tree),
                _ if name_of(item).is_some_and(|(_, visibility)| is_public(visibility)) => {
                    let (name, _) = name_of(item).expect("it has one");
                    vec![(vec!["self".to_owned()], name)]
                }
                _ => continue,
            };
            for (from, name) in found {
                let definition =
                    self.definition(module, &from, &name).unwrap_or_else(|| panic!("{name} is defined nowhere"));
                if let Some(other) = paths.insert(definition, path(&name)) {
                    panic!("{name} has two paths: {other} and {}", path(&name));
                }
            }
        }
    }

    /// The lines of an item.
    fn lines(&self, definition: &Definition, paths: &BTreeMap<Definition, String>) -> BTreeSet<String> {
        let (module, name) = definition;
        let item = self.0[module].iter().find(|item| name_of(item).is_some_and(|(own, _)| own == *name));
        let mut lines = own_lines(item.expect("it is defined here"));
        for (module, items) in &self.0 {
            for block in items.iter().filter_map(|item| if let Item::Impl(block) = item { Some(block) } else { None }) {
                let is_own = named(&block.self_ty).and_then(|(path, name)| self.definition(module, &path, &name));
                match &block.trait_ {
                    None if is_own.as_ref() == Some(definition) => lines.extend(methods(block)),
                    None => {}
                    Some((_, of, _)) => {
                        let (path, name) = parts(of);
                        let of = self.definition(module, &path, &name);
                        let is_visible = of.as_ref().is_none_or(|of| paths.contains_key(of));
                        let is_for_all = of.as_ref() == Some(definition) && is_generic(block);
                        if is_for_all || is_visible && is_own.as_ref() == Some(definition) {
                            lines.insert(heading(block));
                        }
                    }
                }
            }
        }
        lines
    }
}

//! Which file of the library uses items of which other file. Re-exported names (`pub use`) are
//! followed to their definitions. No files may import each other in a cycle.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::source::{self, File};

/// The files of the library, and for each of them those that it uses.
pub struct Imports {
    files: Vec<File>,
    by_module: BTreeMap<Vec<String>, usize>,
    names: Vec<Names>,
}

/// The names that a file imports and defines.
#[derive(Default)]
struct Names {
    /// The name in this file, and the path as it is written.
    imported: BTreeMap<String, Vec<String>>,
    /// Modules of which everything is imported.
    globs: Vec<Vec<String>>,
    /// Names that are re-exported.
    reexported: BTreeSet<String>,
    /// Names of the items that the file defines.
    defined: BTreeSet<String>,
}

/// The target of a path.
enum Target {
    Module(Vec<String>),
    Item(usize),
}

impl Imports {
    pub fn read() -> Self {
        let files = source::files();
        let by_module = files.iter().enumerate().map(|(index, file)| (file.module.clone(), index)).collect();
        let names = files.iter().map(|file| names(&file.tokens)).collect();
        Self { files, by_module, names }
    }

    /// The pairs of files of which the first uses the second, by their paths.
    pub fn all(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let root = self.by_module[&Vec::new()];
        let users = (0..self.files.len()).filter(|&index| index != root);
        users
            .map(|index| {
                let used = self.used_by(index).into_iter().filter(|&used| used != index && used != root);
                (self.files[index].path.as_str(), used.map(|used| self.files[used].path.as_str()).collect())
            })
            .collect()
    }

    fn used_by(&self, index: usize) -> BTreeSet<usize> {
        let (file, names) = (&self.files[index], &self.names[index]);
        let imported =
            names.imported.iter().filter(|(name, _)| !names.reexported.contains(*name)).map(|(_, path)| path);
        let paths = imported.cloned().chain(paths(&file.tokens));
        let items = paths.filter_map(|path| match self.resolve(index, &path, 0)? {
            Target::Item(file) => Some(file),
            Target::Module(_) => None,
        });
        items.collect()
    }

    /// The target of a path in a file; `None` if it is outside of the library.
    fn resolve(&self, index: usize, path: &[String], depth: usize) -> Option<Target> {
        let own = &self.files[index].module;
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            _ if depth > 16 => None,
            "crate" => self.find(&[], rest, depth),
            "self" => self.find(own, rest, depth),
            "super" => {
                let ups = path.iter().take_while(|part| *part == "super").count();
                self.find(&own[..own.len().checked_sub(ups)?], &path[ups..], depth)
            }
            name => match self.names[index].imported.get(name) {
                Some(whole) if whole.as_slice() != &path[..1] => {
                    self.resolve(index, &[whole, rest].concat(), depth + 1)
                }
                _ if self.by_module.contains_key(&[own, &path[..1]].concat()) => self.find(own, path, depth),
                _ => None,
            },
        }
    }

    /// The target of a path that begins in a module.
    fn find(&self, module: &[String], path: &[String], depth: usize) -> Option<Target> {
        let mut module = module.to_vec();
        let mut path = path;
        while let Some((first, rest)) = path.split_first() {
            module.push(first.clone());
            if !self.by_module.contains_key(&module) {
                module.pop();
                break;
            }
            path = rest;
        }
        let index = *self.by_module.get(&module)?;
        let Some((item, rest)) = path.split_first() else { return Some(Target::Module(module)) };
        if let Some(whole) = self.names[index].imported.get(item) {
            return self.resolve(index, &[whole, rest].concat(), depth + 1);
        }
        if self.names[index].defined.contains(item) {
            return Some(Target::Item(index));
        }
        let mut globs = self.names[index].globs.iter().filter_map(|glob| {
            let Target::Module(module) = self.resolve(index, glob, depth + 1)? else { return None };
            Some(self.by_module[&module]).filter(|&index| self.names[index].defined.contains(item))
        });
        Some(Target::Item(globs.next().unwrap_or(index)))
    }

    /// For each file that leads back to itself the shortest way there. What the module around a file defines for its
    /// folder is no step: a file stands in that module.
    fn circles(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut all = self.all();
        for (user, used) in &mut all {
            used.retain(|used| !user.starts_with(&format!("{}/", used.trim_end_matches(".rs"))));
        }
        all.keys().filter_map(|start| Some((*start, way_back(&all, start)?))).collect()
    }
}

fn way_back<'a>(all: &BTreeMap<&'a str, BTreeSet<&'a str>>, start: &'a str) -> Option<Vec<&'a str>> {
    let mut came_from = BTreeMap::new();
    let mut ahead = VecDeque::from([start]);
    while let Some(next) = ahead.pop_front() {
        for &used in &all[next] {
            if used == start {
                let mut way = vec![start];
                let mut at = next;
                while at != start {
                    way.push(at);
                    at = came_from[at];
                }
                way.push(start);
                way.reverse();
                return Some(way);
            }
            if !came_from.contains_key(used) {
                came_from.insert(used, next);
                ahead.push_back(used);
            }
        }
    }
    None
}

fn defined(tokens: &[String]) -> BTreeSet<String> {
    const WORDS: [&str; 8] = ["struct", "enum", "fn", "trait", "type", "const", "static", "union"];
    tokens.windows(2).filter(|pair| WORDS.contains(&pair[0].as_str())).map(|pair| pair[1].clone()).collect()
}

/// What the `use` lines of a file import, and what it defines.
fn names(tokens: &[String]) -> Names {
    let mut names = Names { defined: defined(tokens), ..Names::default() };
    let mut public = BTreeSet::new();
    let mut is_in_use = vec![false; tokens.len()];
    for start in (0..tokens.len()).filter(|&at| tokens[at] == "use") {
        let Some(length) = tokens[start..].iter().position(|token| token == ";") else { continue };
        is_in_use[start..start + length].fill(true);
        let is_public = start > 0 && (tokens[start - 1] == "pub" || tokens[start - 1] == ")");
        let mut leaves = Vec::new();
        expand(&tokens[start + 1..start + length], &mut Vec::new(), &mut leaves);
        for (path, name) in leaves {
            if name == "*" {
                names.globs.push(path);
                continue;
            }
            if is_public {
                public.insert(name.clone());
            }
            names.imported.insert(name, path);
        }
    }
    let used: BTreeSet<&String> =
        tokens.iter().zip(&is_in_use).filter(|(_, in_use)| !**in_use).map(|(word, _)| word).collect();
    names.reexported = public.into_iter().filter(|name| !used.contains(name)).collect();
    names
}

/// `a::{b, c as d}` as its leaves: the path and the name that it gets.
fn expand(tokens: &[String], prefix: &mut Vec<String>, leaves: &mut Vec<(Vec<String>, String)>) {
    let depth = prefix.len();
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at].as_str() {
            "::" => {}
            "{" => {
                let close = closing(&tokens[at..]) + at;
                for part in split_at_commas(&tokens[at + 1..close]) {
                    expand(part, prefix, leaves);
                }
                prefix.truncate(depth);
                return;
            }
            "as" => {
                leaves.push((prefix.clone(), tokens[at + 1].clone()));
                prefix.truncate(depth);
                return;
            }
            part => prefix.push(part.to_owned()),
        }
        at += 1;
    }
    let mut path = prefix.clone();
    let name = path.last().cloned().unwrap_or_default();
    let name = if name == "self" || name == "*" {
        path.pop();
        if name == "*" { name } else { path.last().cloned().unwrap_or_default() }
    } else {
        name
    };
    if !path.is_empty() {
        leaves.push((path, name));
    }
    prefix.truncate(depth);
}

/// The index of the brace that closes the first one.
fn closing(tokens: &[String]) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "{" => depth += 1,
            "}" if depth == 1 => return at,
            "}" => depth -= 1,
            _ => {}
        }
    }
    tokens.len()
}

fn split_at_commas(tokens: &[String]) -> Vec<&[String]> {
    let mut depth = 0;
    let parts = tokens.split(|token| {
        match token.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        depth == 0 && token == ","
    });
    parts.filter(|part| !part.is_empty()).collect()
}

/// The paths of more than one part in a file's code, outside of its `use` lines.
fn paths(tokens: &[String]) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    let mut is_in_use = false;
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at].as_str() {
            "use" => is_in_use = true,
            ";" => is_in_use = false,
            _ => {}
        }
        let begins = !is_in_use && tokens.get(at + 1).is_some_and(|next| next == "::") && is_word(&tokens[at]);
        if !begins {
            at += 1;
            continue;
        }
        let mut path = vec![tokens[at].clone()];
        while tokens.get(at + 1).is_some_and(|next| next == "::")
            && tokens.get(at + 2).is_some_and(|next| is_word(next))
        {
            at += 2;
            path.push(tokens[at].clone());
        }
        at += 1;
        if path.len() > 1 {
            paths.push(path);
        }
    }
    paths
}

fn is_word(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

#[test]
fn no_files_import_each_other_in_a_cycle() {
    let imports = Imports::read();
    let circles = imports.circles();
    let ways: Vec<_> = circles.values().map(|way| way.join(" uses ")).collect();
    assert!(ways.is_empty(), "files use each other in circles:\n{}", ways.join("\n"));
}

#[test]
fn a_use_line_is_read_with_all_its_leaves() {
    let line = "use a :: { b , c :: { self , d as e } , f :: * } ; b ( ) ; pub use g :: h ;";
    let names = names(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
    let imported: Vec<_> = names.imported.iter().map(|(name, path)| format!("{name}={}", path.join("::"))).collect();
    assert_eq!(imported, ["b=a::b", "c=a::c", "e=a::c::d", "h=g::h"]);
    assert_eq!(names.globs, [["a", "f"]]);
    assert_eq!(names.reexported.into_iter().collect::<Vec<_>>(), ["h"]);
}

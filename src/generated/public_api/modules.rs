//! The modules of the crate, read from their files, and the definitions of the names in them.

use std::{collections::BTreeMap, fs, path::Path};

use syn::{Attribute, Item, Meta, UseTree, Visibility};

/// The items of each module, by the module's path in the crate; the path of the root is empty.
pub(super) struct Crate(pub(super) BTreeMap<Vec<String>, Vec<Item>>);

/// The module that defines an item, and the item's name.
pub(super) type Definition = (Vec<String>, String);

impl Crate {
    pub(super) fn read() -> Self {
        let mut modules = BTreeMap::new();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        read(&source.join("lib.rs"), &source, Vec::new(), &mut modules);
        Self(modules)
    }

    /// The definition of the item that this path means in a module. `None` for an item of another crate.
    pub(super) fn definition(&self, module: &[String], path: &[String], name: &str) -> Option<Definition> {
        let mut at = module.to_vec();
        for (place, part) in path.iter().enumerate() {
            match part.as_str() {
                "crate" => at.clear(),
                "self" => {}
                "super" => drop(at.pop()),
                _ if self.0.contains_key(&child_of(&at, part)) => at.push(part.clone()),
                _ if place == 0 => {
                    let (from, name) = self.import(&at, part)?;
                    let (parent, child) = (self.module(&at, &from)?, name);
                    at = child_of(&parent, &child);
                }
                _ => return None,
            }
        }
        if self.0.get(&at)?.iter().any(|item| name_of(item).is_some_and(|(own, _)| own == name)) {
            return Some((at, name.to_owned()));
        }
        let (from, name) = self.import(&at, name)?;
        self.definition(&at, &from, &name)
    }

    /// The module that this path means in another module.
    fn module(&self, from: &[String], path: &[String]) -> Option<Vec<String>> {
        let mut at = from.to_vec();
        for part in path {
            match part.as_str() {
                "crate" => at.clear(),
                "self" => {}
                "super" => drop(at.pop()),
                part => at.push(part.to_owned()),
            }
        }
        self.0.contains_key(&at).then_some(at)
    }

    /// The path by which a module imports a name.
    fn import(&self, module: &[String], name: &str) -> Option<(Vec<String>, String)> {
        let uses = self.0.get(module)?.iter().filter_map(|item| match item {
            Item::Use(import) => Some(imports(&import.tree)),
            _ => None,
        });
        uses.flatten().find(|(_, imported)| imported == name)
    }
}

/// Reads a file and the modules it declares, which are in `folder`.
pub(super) fn read(file: &Path, folder: &Path, path: Vec<String>, into: &mut BTreeMap<Vec<String>, Vec<Item>>) {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut items = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display())).items;
    items.retain(|item| !attributes(item).iter().any(is_left_out));
    for item in &items {
        if let Item::Mod(module) = item
            && module.content.is_none()
        {
            let name = module.ident.to_string();
            read(&folder.join(format!("{name}.rs")), &folder.join(&name), child_of(&path, &name), into);
        }
    }
    into.insert(path, items);
}

pub(super) fn child_of(module: &[String], name: &str) -> Vec<String> {
    module.iter().cloned().chain([name.to_owned()]).collect()
}

/// The names that a `use` imports, each with the path before it. Renamed ones are left out: no public item is renamed.
pub(super) fn imports(tree: &UseTree) -> Vec<(Vec<String>, String)> {
    match tree {
        UseTree::Path(path) => {
            let before = |(mut rest, name): (Vec<String>, String)| {
                rest.insert(0, path.ident.to_string());
                (rest, name)
            };
            imports(&path.tree).into_iter().map(before).collect()
        }
        UseTree::Name(name) => vec![(Vec::new(), name.ident.to_string())],
        UseTree::Group(group) => group.items.iter().flat_map(imports).collect(),
        UseTree::Rename(_) | UseTree::Glob(_) => Vec::new(),
    }
}

pub(super) fn name_of(item: &Item) -> Option<(String, &Visibility)> {
    let (name, visibility) = match item {
        Item::Struct(item) => (&item.ident, &item.vis),
        Item::Enum(item) => (&item.ident, &item.vis),
        Item::Trait(item) => (&item.ident, &item.vis),
        Item::Type(item) => (&item.ident, &item.vis),
        Item::Const(item) => (&item.ident, &item.vis),
        Item::Static(item) => (&item.ident, &item.vis),
        Item::Fn(item) => (&item.sig.ident, &item.vis),
        _ => return None,
    };
    Some((name.to_string(), visibility))
}

pub(super) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Struct(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Const(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        _ => &[],
    }
}

pub(super) fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// Whether the attribute hides its item from users, or leaves it to tests or fuzzing.
pub(super) fn is_left_out(attribute: &Attribute) -> bool {
    let Meta::List(list) = &attribute.meta else { return false };
    let tokens = list.tokens.to_string();
    attribute.path().is_ident("cfg") && (tokens == "test" || tokens.contains("fuzzing"))
        || attribute.path().is_ident("doc") && tokens == "hidden"
}

pub(super) fn has(attributes: &[Attribute], name: &str, what: &str) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident(name)
            && matches!(&attribute.meta, Meta::List(list) if list.tokens.to_string() == what)
    })
}

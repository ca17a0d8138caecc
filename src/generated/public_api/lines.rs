//! The lines of a public item in `tests/public-api.txt`.

use std::collections::BTreeSet;

use syn::{Fields, GenericParam, Generics, ImplItem, Item, ItemImpl, Signature, TraitItem, Type, spanned::Spanned};

use super::modules::{attributes, is_left_out, is_public};

/// The path and the name of a type that has one.
pub(super) fn named(of: &Type) -> Option<(Vec<String>, String)> {
    match of {
        Type::Path(path) => Some(parts(&path.path)),
        _ => None,
    }
}

pub(super) fn parts(path: &syn::Path) -> (Vec<String>, String) {
    let mut parts: Vec<_> = path.segments.iter().map(|part| part.ident.to_string()).collect();
    let name = parts.pop().expect("no path is empty");
    (parts, name)
}

/// Whether a block implements a trait for a type parameter: `impl<T: Serialize> IntoReply for T`.
pub(super) fn is_generic(block: &ItemImpl) -> bool {
    let name = named(&block.self_ty).map(|(_, name)| name);
    let mut parameters = block.generics.params.iter();
    parameters
        .any(|parameter| matches!(parameter, GenericParam::Type(of) if name.as_deref() == Some(&of.ident.to_string())))
}

/// An item's text, on one line.
fn text(of: &impl Spanned) -> String {
    let text = of.span().source_text().expect("it was read from a file");
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").replace("( ", "(").replace(", )", ")")
}

fn signature(of: &Signature) -> String {
    text(of).trim_end_matches(',').to_owned()
}

/// `<T>`; empty without parameters.
fn generics(of: &Generics) -> String {
    if of.params.is_empty() { String::new() } else { text(of) }
}

/// `impl Trait for Type`, with its `where` clause.
pub(super) fn heading(block: &ItemImpl) -> String {
    let (_, of, _) = block.trait_.as_ref().expect("it is of a trait");
    let demands = block.generics.where_clause.as_ref().map_or_else(String::new, |clause| format!(" {}", text(clause)));
    let generics = generics(&block.generics);
    format!("impl{generics} {} for {}{demands}", text(of), text(&*block.self_ty))
}

pub(super) fn methods(block: &ItemImpl) -> Vec<String> {
    let public = block.items.iter().filter_map(|item| match item {
        ImplItem::Fn(method) if is_public(&method.vis) && !method.attrs.iter().any(is_left_out) => {
            Some(format!("pub {}", signature(&method.sig)))
        }
        ImplItem::Const(constant) if is_public(&constant.vis) => {
            Some(format!("pub const {}: {}", constant.ident, text(&constant.ty)))
        }
        _ => None,
    });
    public.collect()
}

/// The lines of the item's own definition: its derives, its name, its fields, variants or functions.
pub(super) fn own_lines(item: &Item) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for attribute in attributes(item) {
        if attribute.path().is_ident("derive") || attribute.path().is_ident("non_exhaustive") {
            lines.insert(text(attribute));
        }
    }
    match item {
        Item::Struct(item) => {
            let generics = generics(&item.generics);
            lines.insert(format!("pub struct {}{generics}", item.ident));
            lines.extend(fields(&item.fields, true));
        }
        Item::Enum(item) => {
            let generics = generics(&item.generics);
            lines.insert(format!("pub enum {}{generics}", item.ident));
            for variant in &item.variants {
                let fields = fields(&variant.fields, false).join(", ");
                let fields = if fields.is_empty() { fields } else { format!("({fields})") };
                lines.insert(format!("{}::{}{fields}", item.ident, variant.ident));
            }
        }
        Item::Trait(item) => {
            let bounds: Vec<_> = item.supertraits.iter().map(text).collect();
            let colon = if bounds.is_empty() { "" } else { ": " };
            lines.insert(format!("pub trait {}{colon}{}", item.ident, bounds.join(" + ")));
            lines.extend(item.items.iter().map(|item| match item {
                TraitItem::Fn(method) => {
                    let has_default = if method.default.is_some() { " { .. }" } else { ";" };
                    format!("{}{has_default}", signature(&method.sig))
                }
                TraitItem::Const(constant) => format!("const {}: {};", constant.ident, text(&constant.ty)),
                other => text(other),
            }));
        }
        Item::Type(item) => {
            let generics = generics(&item.generics);
            lines.insert(format!("pub type {}{generics} = {}", item.ident, text(&*item.ty)));
        }
        Item::Const(item) => drop(lines.insert(format!("pub const {}: {}", item.ident, text(&*item.ty)))),
        Item::Fn(item) => drop(lines.insert(format!("pub {}", signature(&item.sig)))),
        _ => {}
    }
    lines
}

/// The fields; of a struct only the public ones.
fn fields(of: &Fields, is_struct: bool) -> Vec<String> {
    let visible = of.iter().enumerate().filter(|(_, field)| !is_struct || is_public(&field.vis));
    let lines = visible.map(|(place, field)| {
        let public = if is_struct { "pub " } else { "" };
        match &field.ident {
            Some(name) => format!("{public}{name}: {}", text(&field.ty)),
            None if is_struct => format!("{public}{place}: {}", text(&field.ty)),
            None => text(&field.ty),
        }
    });
    lines.collect()
}

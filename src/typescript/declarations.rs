//! The declarations of the types that events carry, and of those inside of them.

use std::{any::TypeId, collections::HashSet};

use ts_rs::{Config, TS, TypeVisitor};

/// Declarations by name, in the order in which they were found.
#[derive(Debug, Default)]
pub(super) struct Declarations {
    seen: HashSet<TypeId>,
    /// A type's name in TypeScript, and its declaration with its comment.
    found: Vec<(String, String)>,
}

impl Declarations {
    /// Adds the declarations that a type needs.
    pub(super) fn add<T: TS + 'static + ?Sized>(&mut self) {
        self.visit::<T>();
    }

    pub(super) fn text(&self) -> String {
        self.found.iter().map(|(_, declaration)| format!("{declaration}\n\n")).collect()
    }
}

impl TypeVisitor for Declarations {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        if !self.seen.insert(TypeId::of::<T>()) {
            return;
        }
        // Types with a path are those that derive `TS`; the others are written where they are used.
        if T::output_path().is_some() {
            let config = Config::default().with_large_int("number");
            let name = T::ident(&config);
            let declaration = format!("{}export {}", T::docs().unwrap_or_default(), T::decl(&config));
            match self.found.iter().find(|(other, _)| *other == name) {
                None => self.found.push((name, declaration)),
                // The same generic type with another parameter.
                Some((_, other)) if *other == declaration => {}
                Some(_) => panic!("two types are called {name}: rename one with #[ts(rename = \"...\")]"),
            }
        }
        T::visit_dependencies(self);
        T::visit_generics(self);
    }
}

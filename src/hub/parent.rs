//! The parent of namespaces that are created when clients ask for them: a pattern or a function, as a parent namespace
//! in Node.

use std::sync::Arc;

/// A pattern such as `/orders-{id}`, or a function. The namespaces that it has created are its children.
#[derive(Debug)]
pub(crate) struct Parent {
    /// The pattern's text, or the function's name.
    pub(crate) name: Arc<str>,
    /// Finds the parameters in a child's path. `None` for a function, whose children have no parameters.
    pattern: Option<matchit::Router<()>>,
}

impl PartialEq for Parent {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Parent {
    /// The parent for a pattern. `None` if the text has no parameter, or is not a valid pattern.
    pub(crate) fn of_pattern(pattern: &str) -> Option<Arc<Self>> {
        if !pattern.contains('{') {
            return None;
        }
        let mut router = matchit::Router::new();
        router.insert(pattern, ()).ok()?;
        Some(Arc::new(Self { name: pattern.into(), pattern: Some(router) }))
    }

    /// The parent for the function with this name.
    pub(crate) fn of_function(name: &str) -> Arc<Self> {
        Arc::new(Self { name: name.into(), pattern: None })
    }

    /// A parameter's value in a child's path.
    pub(crate) fn param<'a>(&self, path: &'a str, name: &str) -> Option<&'a str> {
        self.pattern.as_ref()?.at(path).ok()?.params.get(name)
    }
}

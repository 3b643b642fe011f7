//! A list of path patterns with methods: whether one of them has a path, and whether one of those has the method.
//!
//! A route table finds the one most specific pattern; a list is a union, so here every pattern that has the path counts.
//! Otherwise `/menu/{id}` with GET would hide `/menu/*` with POST, and order or precedence would decide what is allowed.

use super::pattern::{MethodSet, RoutePattern};
use super::tree::Tree;

#[cfg(test)]
mod tests;

/// Patterns and methods, laid out so that a look costs the patterns that have the path, not all there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathFilter {
    tree: Tree<Vec<MethodSet>>,
}

/// What a list says to a path and a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathMatch {
    /// No pattern has the path.
    None,
    /// A pattern has the path, but none that does has the method.
    Path,
    /// A pattern has the path and the method.
    Full,
}

// === impl PathFilter ===

impl PathFilter {
    /// A list of these. A pattern may be there several times, with whatever methods.
    pub fn new(entries: impl IntoIterator<Item = (RoutePattern, MethodSet)>) -> Self {
        let mut tree = Tree::new();
        for (pattern, methods) in entries {
            tree.slot(&pattern).get_or_insert_with(Vec::new).push(methods);
        }
        Self { tree }
    }

    /// Looks a path up: one in canonical form, below the context path, beginning with `/`. Allocates nothing.
    pub fn judge(&self, path: &str, method: &str) -> PathMatch {
        let mut seen = false;
        let full = self.tree.visit(path, &mut |sets| {
            seen = true;
            sets.iter().any(|methods| methods.contains(method))
        });
        match (full, seen) {
            (true, _) => PathMatch::Full,
            (false, true) => PathMatch::Path,
            (false, false) => PathMatch::None,
        }
    }

    /// The methods that are named for a path, sorted, each once.
    pub fn methods(&self, path: &str) -> Vec<&str> {
        let mut names = Vec::new();
        self.tree.visit(path, &mut |sets| {
            let all = sets.iter().flat_map(MethodSet::names);
            names.extend(all.map(|name| &**name));
            false
        });
        names.sort_unstable();
        names.dedup();
        names
    }
}

//! Path patterns as a tree of their segments, so that hundreds of them cost no more than the few that a path comes by.
//!
//! The tree is ours because `matchit`, which is built alike, takes no parameter beside a wildcard and allocates where
//! it may have to backtrack. What hangs at a pattern is the caller's: the routes of an API, or the methods of a list.

use super::pattern::{RoutePattern, Segment, split_segment};
use foldhash::HashMap;

/// A tree of patterns. Its depth is that of the longest one, so recursion over it is bounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tree<E> {
    /// What ends here.
    end: Option<E>,
    literals: HashMap<Box<str>, Self>,
    parameter: Option<Box<Self>>,
    wildcard: Option<E>,
}

// === impl Tree ===

impl<E> Tree<E> {
    pub(super) fn new() -> Self {
        Self {
            end: None,
            literals: HashMap::default(),
            parameter: None,
            wildcard: None,
        }
    }

    /// Where a pattern's own belongs.
    pub(super) fn slot(&mut self, pattern: &RoutePattern) -> &mut Option<E> {
        self.slot_of(pattern.segments())
    }

    fn slot_of(&mut self, pattern: &[Segment]) -> &mut Option<E> {
        let [first, others @ ..] = pattern else {
            return &mut self.end;
        };
        match first {
            Segment::Literal(text) => self
                .literals
                .entry(text.clone())
                .or_insert_with(Self::new)
                .slot_of(others),
            Segment::Parameter => self
                .parameter
                .get_or_insert_with(|| Box::new(Self::new()))
                .slot_of(others),
            // The last segment of its pattern.
            Segment::Wildcard => &mut self.wildcard,
        }
    }

    /// The most specific pattern that matches: literal before parameter before wildcard, from left to right.
    pub(super) fn find(&self, path: &str) -> Option<&E> {
        let mut found = None;
        self.visit(path, &mut |entry| {
            found = Some(entry);
            true
        });
        found
    }

    /// Shows every pattern that matches, the most specific first, until one is taken; says whether one was. No node is
    /// visited twice.
    pub(super) fn visit<'t>(&'t self, path: &str, take: &mut impl FnMut(&'t E) -> bool) -> bool {
        let Some((segment, tail)) = split_segment(path) else {
            return self.end.as_ref().is_some_and(take);
        };
        if let Some(node) = self.literals.get(segment)
            && node.visit(tail, take)
        {
            return true;
        }
        if let Some(node) = &self.parameter
            && !segment.is_empty()
            && node.visit(tail, take)
        {
            return true;
        }
        match &self.wildcard {
            Some(entry) if path.len() > 1 => take(entry),
            _ => false,
        }
    }
}

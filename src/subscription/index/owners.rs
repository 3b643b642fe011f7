//! Who owns one key of the index. There should be one; were there two, neither would be taken for the other.
//!
//! Changes come one at a time and in any order, so a key that moves from one owner to another may have both for a
//! moment. What is found then does not depend on which came first.

use std::sync::Arc;

use crate::subscription::{ApiKey, Application};

/// Something that has a name of its own.
pub(super) trait Owner {
    fn name(&self) -> &str;
}

/// The owners of one key, at least one.
#[derive(Debug)]
pub(super) enum Owners<T> {
    One(Arc<T>),
    Many(Box<[Arc<T>]>),
}

// === impl Owner ===

impl Owner for Application {
    fn name(&self) -> &str {
        self.id.as_str()
    }
}

impl Owner for ApiKey {
    fn name(&self) -> &str {
        &self.id
    }
}

// === impl Owners ===

impl<T: Owner> Owners<T> {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<T>> {
        match self {
            Self::One(owner) => std::slice::from_ref(owner),
            Self::Many(owners) => owners,
        }
        .iter()
    }

    /// With one more, or with this one instead of the one of the same name.
    pub(super) fn with(&self, owner: &Arc<T>) -> Self {
        let others = self.iter().filter(|own| own.name() != owner.name());
        let mut owners: Vec<Arc<T>> = others.chain([owner]).map(Arc::clone).collect();
        match (owners.len(), owners.pop()) {
            (1, Some(owner)) => Self::One(owner),
            (_, last) => Self::Many(owners.into_iter().chain(last).collect()),
        }
    }

    /// Without the one of this name; nothing if nobody is left.
    pub(super) fn without(&self, name: &str) -> Option<Self> {
        let mut others = self.iter().filter(|own| own.name() != name);
        let first = Self::One(Arc::clone(others.next()?));
        Some(others.fold(first, |owners, owner| owners.with(owner)))
    }
}

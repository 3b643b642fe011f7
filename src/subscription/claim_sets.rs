//! Claims that stand for an application, so laid out that ten thousand sets cost a look-up, not a scan.
//!
//! Sets differ in their values far more than in the claims that they name. So a token is asked once for each distinct list
//! of names: its values for these make one key, and the key leads to whoever it stands for. Only text counts: a number
//! that looks like a value is another thing.

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};

use papaya::Equivalent;

/// Claims and the values that they must all have, in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimSet(Box<[(Box<str>, Box<str>)]>);

/// Which claims the sets name. A token's values are read in this order when it is verified.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClaimNames {
    names: Vec<Box<str>>,
    /// Each distinct list of names, as places in `names`.
    lists: Vec<Box<[usize]>>,
}

/// A token's values for one list of names; a value by its place among all names.
pub(super) struct Shown<'n, F> {
    names: &'n ClaimNames,
    list: &'n [usize],
    value: F,
}

// === impl ClaimSet ===

impl ClaimSet {
    /// A set of these claims and values; nothing if there is none, which every token would have.
    pub fn new(mut members: Vec<(Box<str>, Box<str>)>) -> Option<Self> {
        members.sort_unstable();
        members.dedup();
        (!members.is_empty()).then(|| Self(members.into()))
    }

    /// Claims and values, in the order of their names.
    pub fn members(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The value that it wants of a claim.
    pub(super) fn value(&self, claim: &str) -> Option<&str> {
        self.members()
            .find_map(|(name, value)| (name == claim).then_some(value))
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.members().map(|(name, _)| name)
    }
}

impl Hash for ClaimSet {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for member in self.members() {
            member.hash(state);
        }
    }
}

// === impl ClaimNames ===

impl ClaimNames {
    /// The names that these sets have.
    pub(super) fn of<'s>(sets: impl Iterator<Item = &'s ClaimSet>) -> Self {
        let lists: BTreeSet<Vec<&str>> = sets.map(|set| set.names().collect()).collect();
        let mut names = Self::default();
        for list in lists {
            names.push(&list);
        }
        names
    }

    /// The same and those of one more set.
    pub(super) fn with(&self, set: &ClaimSet) -> Self {
        let mut names = self.clone();
        names.push(&set.names().collect::<Vec<_>>());
        names
    }

    /// Whether tokens are asked for the claims of this set.
    pub(super) fn cover(&self, set: &ClaimSet) -> bool {
        let mut lists = self.lists.iter();
        lists.any(|list| self.names_of(list).eq(set.names().map(Some)))
    }

    /// Every name, each once.
    pub fn names(&self) -> &[Box<str>] {
        &self.names
    }

    /// A token's values for each list of names of which it has all.
    pub(super) fn shown<'n, 'v, F>(&'n self, value: F) -> impl Iterator<Item = Shown<'n, F>>
    where
        F: Fn(usize) -> Option<&'v str> + Copy,
    {
        let complete = move |list: &[usize]| list.iter().all(|place| value(*place).is_some());
        self.lists
            .iter()
            .map(AsRef::as_ref)
            .filter(move |list| complete(list))
            .map(move |list| Shown {
                names: self,
                list,
                value,
            })
    }

    /// What a set has for each list of names of which it has all: the sets that are part of it.
    pub(super) fn parts<'n, 's>(
        &'n self,
        set: &'s ClaimSet,
    ) -> impl Iterator<Item = Shown<'n, impl Fn(usize) -> Option<&'s str> + Copy>> {
        self.shown(move |place| self.names.get(place).and_then(|name| set.value(name)))
    }

    fn push(&mut self, list: &[&str]) {
        let places = list.iter().map(|name| {
            let known = self.names.iter().position(|own| **own == **name);
            known.unwrap_or_else(|| {
                self.names.push((*name).into());
                self.names.len() - 1
            })
        });
        let places = places.collect();
        self.lists.push(places);
    }

    fn names_of(&self, list: &[usize]) -> impl Iterator<Item = Option<&str>> {
        list.iter()
            .map(|place| self.names.get(*place).map(|name| &**name))
    }
}

// === impl Shown ===

impl<'v, F: Fn(usize) -> Option<&'v str>> Shown<'_, F> {
    fn members<'s>(&'s self) -> impl Iterator<Item = Option<(&'s str, &'v str)>>
    where
        'v: 's,
    {
        let values = self.list.iter().map(|place| (self.value)(*place));
        self.names
            .names_of(self.list)
            .zip(values)
            .map(|(name, value)| name.zip(value))
    }
}

impl<'v, F: Fn(usize) -> Option<&'v str>> Hash for Shown<'_, F> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for member in self.members().flatten() {
            member.hash(state);
        }
    }
}

impl<'v, F: Fn(usize) -> Option<&'v str>> Equivalent<ClaimSet> for Shown<'_, F> {
    fn equivalent(&self, set: &ClaimSet) -> bool {
        let same = |(own, (name, value)): (Option<(&str, &str)>, (&str, &str))| {
            own.is_some_and(|(own_name, own_value)| own_name == name && own_value == value)
        };
        self.list.len() == set.members().len() && self.members().zip(set.members()).all(same)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(members: &[(&str, &str)]) -> ClaimSet {
        let members = members
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()));
        ClaimSet::new(members.collect()).unwrap()
    }

    #[test]
    fn each_list_of_names_is_asked_for_once() {
        let sets: Vec<ClaimSet> = (0..10_000)
            .map(|number| set(&[("sub", &format!("s{number}")), ("azp", "a")]))
            .chain([set(&[("sub", "alone")])])
            .collect();
        let names = ClaimNames::of(sets.iter());
        assert_eq!((names.names.len(), names.lists.len()), (2, 2));
        assert!(sets.iter().all(|set| names.cover(set)));
        let other = set(&[("azp", "a")]);
        assert!(!names.cover(&other) && names.with(&other).cover(&other));
        assert_eq!(ClaimSet::new(vec![]), None);
    }
}

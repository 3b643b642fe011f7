//! Lists, page by page, of what the store holds and what the configuration declares, in the order of ids.
//! A page ends at an id, and the next begins after it: what is added or removed meanwhile shifts nothing.

use std::collections::BTreeMap;

use super::{Refusal, Registrar};
use crate::control::state::{Kind, Versioned};

/// Records read from the store at once.
const CHUNK: usize = 500;
/// So many are looked at for one page; a page that finds fewer than it may hold says where to go on.
const LOOKED_AT_MAX: usize = 20_000;

/// Part of a list.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Page<V> {
    /// In the order of ids.
    pub items: Vec<V>,
    /// After which id the next page begins; nothing: this is the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Registrar {
    /// Merges `declared`, by id, into what the store holds with this prefix.
    pub(super) fn page<V>(
        &self,
        (kind, prefix): (Kind, &str),
        declared: BTreeMap<String, V>,
        (after, limit): (Option<&str>, usize),
        mut read: impl FnMut(&str, &Versioned) -> Result<V, Refusal>,
        keep: impl Fn(&V) -> bool,
    ) -> Result<Page<V>, Refusal> {
        let mut declared: Vec<(String, V)> = declared
            .into_iter()
            .filter(|(id, _)| after.is_none_or(|after| id.as_str() > after))
            .collect();
        declared.reverse();
        let mut items = Vec::new();
        let mut cursor = after.map(ToOwned::to_owned);
        let mut looked_at = 0_usize;
        let mut position = None;
        loop {
            let chunk = self.store.list(kind, prefix, cursor.as_deref(), CHUNK)?;
            let last = chunk.len() < CHUNK;
            let mut candidates = BTreeMap::new();
            for (id, record) in chunk {
                let view = read(&id, &record)?;
                cursor = Some(id.clone());
                candidates.insert(id, view);
            }
            // What is declared beyond this chunk has its turn later.
            while let Some((id, view)) =
                declared.pop_if(|(id, _)| last || Some(id.as_str()) <= cursor.as_deref())
            {
                candidates.insert(id, view);
            }
            for (id, view) in candidates {
                looked_at = looked_at.saturating_add(1);
                if keep(&view) {
                    if items.len() == limit {
                        return Ok(Page {
                            items,
                            next: position.or_else(|| after.map(ToOwned::to_owned)),
                        });
                    }
                    items.push(view);
                }
                position = Some(id);
            }
            if last {
                return Ok(Page { items, next: None });
            }
            if looked_at >= LOOKED_AT_MAX {
                return Ok(Page { items, next: cursor });
            }
        }
    }
}

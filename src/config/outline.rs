//! Where every table and key of the configuration was written, apart from what was written there.
//!
//! Values that may be refused carry their place themselves ([`super::Located`]). A decision, though, is explained by
//! keys that nobody refused, and often by those that are absent: then the table is what there is to show. So each table
//! that is opened is noted with its keys, in bytes of its file, and the lines and columns are counted once at the end,
//! in one pass, however the file is broken into lines. Only places are kept: a text may be a secret.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::source::Source;

/// A place in a configuration file, without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// The file, as the operator named it.
    pub file: Arc<Path>,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// Where one table was written.
#[derive(Debug, Clone)]
pub struct Written {
    /// Its path in the language, such as `api.plan`; for whole documents it is empty.
    pub table: &'static str,
    file: Arc<Path>,
    at: (u32, u32),
    keys: Vec<(&'static str, (u32, u32))>,
}

/// One table, in bytes of its file.
#[derive(Debug)]
pub(super) struct Noted {
    pub(super) table: &'static str,
    pub(super) at: usize,
    pub(super) keys: Vec<(&'static str, usize)>,
}

// === impl Spot ===

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

// === impl Written ===

impl Written {
    /// Where the table begins.
    pub fn spot(&self) -> Spot {
        self.spot_at(self.at)
    }

    /// Where a key of it stands; nothing if it was left to its default.
    pub fn key(&self, key: &str) -> Option<Spot> {
        let mut keys = self.keys.iter();
        let (_, at) = keys.find(|(own, _)| *own == key)?;
        Some(self.spot_at(*at))
    }

    fn spot_at(&self, (line, column): (u32, u32)) -> Spot {
        Spot {
            file: Arc::clone(&self.file),
            line,
            column,
        }
    }
}

/// Counts lines and columns: the tables of one file, in the order in which they were opened.
pub(super) fn resolve(source: &Source, noted: Vec<Noted>) -> Vec<Written> {
    let mut offsets: Vec<usize> = noted
        .iter()
        .flat_map(|table| std::iter::once(table.at).chain(table.keys.iter().map(|(_, at)| *at)))
        .collect();
    // In the order of the text, so that no line is counted twice.
    offsets.sort_unstable();
    offsets.dedup();
    let places: Vec<(u32, u32)> = offsets
        .iter()
        .map(|offset| {
            let place = source.place(*offset..*offset);
            (place.line, place.column)
        })
        .collect();
    let place = |offset: usize| {
        let index = offsets.binary_search(&offset).unwrap_or_default();
        places.get(index).copied().unwrap_or((1, 1))
    };
    noted
        .into_iter()
        .map(|Noted { table, at, keys }| Written {
            table,
            file: Arc::clone(source.file()),
            at: place(at),
            keys: keys.into_iter().map(|(key, at)| (key, place(at))).collect(),
        })
        .collect()
}

//! Where every table and key of the configuration was written, apart from what was written there.
//!
//! Values that may be refused carry their place themselves ([`super::Located`]). A decision, though, is explained by
//! keys that nobody refused, and often by those that are absent: then the table is what there is to show. So each table
//! that is opened is noted with its keys, in bytes of its file, and the lines and columns are counted once at the end,
//! in one pass, however the file is broken into lines.
//!
//! For the operator who asks what is in force, each key of a setting is noted with its value, or with the default that the
//! decoder put in its place: what is shown is what was decoded. No secret is among them; the language has them in files.

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
    /// Nothing for a table that nobody wrote and whose defaults are in force.
    at: Option<(u32, u32)>,
    keys: Arc<[WrittenKey]>,
}

/// One key of a table.
#[derive(Debug)]
struct WrittenKey {
    key: &'static str,
    at: Option<(u32, u32)>,
    value: Option<Box<str>>,
}

/// What a key of a table is set to, and by what.
#[derive(Debug, Clone)]
pub struct Setting<'w> {
    /// The key.
    pub key: &'static str,
    /// Where it was written; nothing: it has its default.
    pub spot: Option<Spot>,
    /// The value as JSON; nothing: it is not set, and has no default that stands for itself.
    pub value: Option<&'w str>,
}

/// One table, in bytes of its file.
#[derive(Debug)]
pub(super) struct Noted {
    pub(super) table: &'static str,
    pub(super) at: usize,
    pub(super) keys: Vec<NotedKey>,
}

/// One key, in bytes of its file.
#[derive(Debug)]
pub(super) struct NotedKey {
    pub(super) key: &'static str,
    /// Nothing, if it was not written.
    pub(super) at: Option<usize>,
    pub(super) value: Option<Box<str>>,
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
        self.spot_at(self.at.unwrap_or((1, 1)))
    }

    /// Where a key of it stands; nothing if it was left to its default.
    pub fn key(&self, key: &str) -> Option<Spot> {
        let mut keys = self.keys.iter();
        Some(self.spot_at(keys.find(|own| own.key == key)?.at?))
    }

    /// Whether anybody wrote it; if not, all of it is defaults.
    pub const fn is_written(&self) -> bool {
        self.at.is_some()
    }

    /// Says which default holds for a key that was not written, where the decoder does not decide it.
    pub fn fill(&mut self, key: &str, value: &serde_json::Value) {
        let keys = Arc::get_mut(&mut self.keys).into_iter().flatten();
        for own in keys.filter(|own| own.key == key && own.at.is_none()) {
            own.value = Some(value.to_string().into());
        }
    }

    /// Every key of it, in the order of the language, written or not; nothing for what is no setting.
    pub fn settings(&self) -> impl Iterator<Item = Setting<'_>> {
        let shown = |key: &&WrittenKey| key.value.is_some() || key.at.is_none();
        self.keys.iter().filter(shown).map(|key| Setting {
            key: key.key,
            spot: key.at.map(|at| self.spot_at(at)),
            value: key.value.as_deref(),
        })
    }

    /// The value of a key as JSON, written or by default.
    pub fn value(&self, key: &str) -> Option<&str> {
        let mut keys = self.keys.iter();
        keys.find(|own| own.key == key)?.value.as_deref()
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
        .flat_map(|table| std::iter::once(table.at).chain(table.keys.iter().filter_map(|key| key.at)))
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
            at: (!source.file().as_os_str().is_empty()).then(|| place(at)),
            keys: keys
                .into_iter()
                .map(|NotedKey { key, at, value }| WrittenKey {
                    key,
                    at: at.map(&place),
                    value,
                })
                .collect(),
        })
        .collect()
}

//! Tables: which keys each has, and a reader that hands them out.
//!
//! A [`Shape`] is the one list of a table's keys: decoding, suggestions and [`super::known_keys`] all come from it.
//! Opening a table reports every key that is not in its shape, or that this version does not have. Asking for a key
//! that the shape lacks, and not asking for one that it has, are faults of ours and stop a debug build: a key that is
//! allowed but not read would be ignored, and that must not happen.

use std::cell::Cell;
use std::ops::Range;

use toml::de::DeTable;

use super::mistake::{Mistake, quoted};
use super::outline::Noted;
use super::value::{Sheet, Value};

/// One kind of table: its place in the language and its keys.
pub(super) struct Shape {
    /// Keys from the top, joined by dots.
    pub(super) path: &'static str,
    /// How messages call it: "in \[server\]".
    pub(super) title: &'static str,
    /// Every key, each once. At most 64.
    pub(super) keys: &'static [Key],
}

/// One key of a table.
pub(super) enum Key {
    /// It holds a value.
    Value(&'static str),
    /// It holds tables: one, several, or one for each name.
    Table(&'static str, &'static Shape),
    /// It belongs to the language, but not to this version.
    Later(&'static str),
}

/// One table, open for reading.
pub(super) struct TableReader<'a> {
    sheet: &'a Sheet<'a>,
    shape: &'static Shape,
    span: Range<usize>,
    table: &'a DeTable<'a>,
    /// One bit a key of the shape: it was asked for.
    asked: Cell<u64>,
}

// === impl Shape ===

impl Shape {
    /// Every key of this version, of this table and all below it, as (table path, key).
    pub(super) fn known_keys(&self) -> Vec<(&'static str, &'static str)> {
        let mut known = Vec::new();
        for key in self.keys {
            match key {
                Key::Value(name) => known.push((self.path, *name)),
                Key::Table(name, below) => {
                    known.push((self.path, *name));
                    known.extend(below.known_keys());
                }
                Key::Later(_) => {}
            }
        }
        known
    }

    fn known_names(&self) -> impl Iterator<Item = &'static str> {
        self.keys
            .iter()
            .filter(|key| !matches!(key, Key::Later(_)))
            .map(Key::name)
    }
}

// === impl Key ===

impl Key {
    const fn name(&self) -> &'static str {
        match self {
            Self::Value(name) | Self::Table(name, _) | Self::Later(name) => name,
        }
    }
}

// === impl TableReader ===

impl<'a> TableReader<'a> {
    /// Opens a table and reports the keys that it should not have.
    pub(super) fn open(
        sheet: &'a Sheet<'a>,
        shape: &'static Shape,
        table: &'a DeTable<'a>,
        span: Range<usize>,
    ) -> Self {
        let mut keys = Vec::with_capacity(table.len());
        for key in table.keys() {
            let name: &str = key.get_ref();
            let mistake = match shape.keys.iter().find(|known| known.name() == name) {
                Some(known @ (Key::Value(_) | Key::Table(..))) => {
                    keys.push((known.name(), key.span().start));
                    continue;
                }
                Some(Key::Later(_)) => {
                    let message = format!("{}; remove it", not_available(name));
                    Mistake::new(sheet.place(key.span()), message)
                }
                None => {
                    let message = format!("unknown key {} {}", quoted(name), shape.title);
                    Mistake::new(sheet.place(key.span()), message).help(suggest(name, shape.known_names()))
                }
            };
            sheet.report(mistake);
        }
        sheet.note(Noted {
            table: shape.path,
            at: span.start,
            keys,
        });
        Self {
            sheet,
            shape,
            span,
            table,
            asked: Cell::new(0),
        }
    }

    /// A key that may be absent.
    pub(super) fn optional<T>(
        &self,
        key: &'static str,
        decode: impl FnOnce(Value<'a>) -> Option<T>,
    ) -> Option<T> {
        self.value(key).and_then(decode)
    }

    /// A key that must be there.
    pub(super) fn required<T>(
        &self,
        key: &'static str,
        decode: impl FnOnce(Value<'a>) -> Option<T>,
    ) -> Option<T> {
        let value = self.value(key);
        if value.is_none() {
            self.missing(&format!("`{key}`"));
        }
        value.and_then(decode)
    }

    /// Whether a key was written, rightly or wrongly.
    pub(super) fn has(&self, key: &'static str) -> bool {
        self.table.contains_key(key)
    }

    /// Reports that something required is absent.
    pub(super) fn missing(&self, what: &str) {
        // After a syntax error it may well be there, in words that could not be understood.
        if self.sheet.is_whole() {
            let message = format!("missing required key {what} {}", self.shape.title);
            self.sheet
                .report(Mistake::new(self.sheet.place(self.span.clone()), message));
        }
    }

    fn value(&self, key: &'static str) -> Option<Value<'a>> {
        let index = self.shape.keys.iter().position(|known| known.name() == key);
        debug_assert!(
            index.is_some(),
            "`{key}` is missing in the shape of {}",
            self.shape.path
        );
        let bit = index
            .and_then(|index| 1u64.checked_shl(u32::try_from(index).ok()?))
            .unwrap_or_default();
        self.asked.set(self.asked.get() | bit);
        let node = self.table.get(key)?;
        Some(Value::new(self.sheet, key, node))
    }
}

impl Drop for TableReader<'_> {
    fn drop(&mut self) {
        let all_asked = || {
            self.shape.keys.iter().enumerate().all(|(index, key)| {
                matches!(key, Key::Later(_))
                    || self.asked.get().checked_shr(index as u32).unwrap_or_default() & 1 == 1
            })
        };
        debug_assert!(
            std::thread::panicking() || all_asked(),
            "a key of {} is not read",
            self.shape.path
        );
    }
}

/// What is said of words and keys that this version does not have.
pub(super) fn not_available(word: &str) -> String {
    format!("{} is not available in this version of Tollgate", quoted(word))
}

/// "did you mean …?" if something is near, else all there is.
pub(super) fn suggest(written: &str, known: impl Iterator<Item = &'static str>) -> String {
    // Measuring costs the product of the lengths, and nobody misspells a word this long.
    const WRITTEN_BYTES_MAX: usize = 64;
    let known: Vec<&str> = known.collect();
    let measured = written.len() <= WRITTEN_BYTES_MAX;
    let distance = |word: &str| strsim::damerau_levenshtein(&written.to_lowercase(), word);
    let nearest = known
        .iter()
        .filter(|_| measured)
        .map(|word| (distance(word), word))
        .min();
    match nearest {
        Some((distance, word)) if distance <= (word.len() / 3).max(1) => format!("did you mean `{word}`?"),
        _ => {
            let list: Vec<String> = known.iter().map(|word| format!("`{word}`")).collect();
            format!("known are {}", list.join(", "))
        }
    }
}

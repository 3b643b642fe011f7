//! Tables: which keys each has, and a reader that hands them out.
//!
//! A [`Shape`] is the one list of a table's keys: decoding, suggestions and [`super::known_keys`] all come from it.
//! Opening a table reports every key that is not in its shape, or that this version does not have. Asking for a key
//! that the shape lacks, and not asking for one that it has, are faults of ours and stop a debug build: a key that is
//! allowed but not read would be ignored, and that must not happen.

use std::cell::Cell;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mistake::{Mistake, quoted};
use super::outline::{Noted, NotedKey};
use super::plain::{self, Plain};
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
    /// Its place among the sheet's notes.
    noted: usize,
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

    fn value_names(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().filter_map(|key| match key {
            Key::Value(name) => Some(*name),
            Key::Table(..) | Key::Later(_) => None,
        })
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
    /// Whether it is shown with its value. Tables are shown each for itself, unless their names are the operator's.
    fn is_setting(&self, node: &DeValue<'_>) -> bool {
        let is_table = |node: &Spanned<DeValue<'_>>| matches!(node.get_ref(), DeValue::Table(_));
        match (self, node) {
            (Self::Value(_), _) => true,
            (Self::Later(_), _) => false,
            (Self::Table(_, below), DeValue::Table(_)) => NAMED_BY_OPERATORS.contains(&below.path),
            (Self::Table(..), DeValue::Array(members)) => !members.iter().all(is_table),
            (Self::Table(..), _) => true,
        }
    }

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
        let settings = is_shown(shape.path);
        for (key, node) in table {
            let name: &str = key.get_ref();
            let mistake = match shape.keys.iter().find(|known| known.name() == name) {
                Some(known @ (Key::Value(_) | Key::Table(..))) => {
                    let value = settings && known.is_setting(node.get_ref());
                    keys.push(NotedKey {
                        key: known.name(),
                        at: Some(key.span().start),
                        value: value.then(|| plain::json(node.get_ref())),
                    });
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
        let noted = sheet.note(Noted {
            table: shape.path,
            at: span.start,
            keys,
        });
        Self {
            sheet,
            shape,
            span,
            table,
            noted,
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

    /// A key that has a default, which is noted where it takes effect.
    pub(super) fn or<T: Plain>(
        &self,
        key: &'static str,
        decode: impl FnOnce(Value<'a>) -> Option<T>,
        default: T,
    ) -> T {
        self.optional(key, decode).unwrap_or_else(|| {
            self.note_default(key, default.plain());
            default
        })
    }

    /// The same, where the default is that of the type.
    pub(super) fn or_default<T: Plain + Default>(
        &self,
        key: &'static str,
        decode: impl FnOnce(Value<'a>) -> Option<T>,
    ) -> T {
        self.or(key, decode, T::default())
    }

    /// One of a closed set of words, one of which is the default.
    pub(super) fn word<T: Copy + Default + PartialEq>(
        &self,
        key: &'static str,
        words: &[(&'static str, Option<T>)],
    ) -> T {
        self.optional(key, |value| value.word(words)).unwrap_or_else(|| {
            let mut words = words.iter();
            let default = words.find(|(_, meaning)| *meaning == Some(T::default()));
            self.note_default(key, default.map_or("", |(word, _)| word).into());
            T::default()
        })
    }

    fn note_default(&self, key: &'static str, value: serde_json::Value) {
        if is_shown(self.shape.path) && !self.table.contains_key(key) {
            let at = None;
            let value = Some(value.to_string().into());
            self.sheet.note_key(self.noted, NotedKey { key, at, value });
        }
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
        if is_shown(self.shape.path) {
            self.sheet.note_absent(self.noted, self.shape.value_names());
        }
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

/// Tables under names of the operator's choice.
const NAMED_BY_OPERATORS: [&str; 2] = ["issuer.keys", "issuer.secrets"];

/// Whether the values of a table are kept to be shown: applications and subscriptions are many, and are shown elsewhere; of users
/// there is nothing to show.
fn is_shown(path: &str) -> bool {
    let many = path.starts_with("application") || path == "subscription" || path == "user";
    !path.is_empty() && !many && !NAMED_BY_OPERATORS.contains(&path)
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

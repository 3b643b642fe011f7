//! The text of one file, and the way from a byte to its line and column.
//!
//! Places are asked for mostly in the order of the text, so the last line visited is remembered: finding all places of
//! a file then takes one pass over it, even if the whole file is a single line.

use std::cell::RefCell;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::mistake::Mistake;
use super::place::Place;

/// How much of a line a [`Place`] keeps.
const PLACE_TEXT_CHARS_MAX: usize = 200;

/// One file's text.
pub(super) struct Source {
    file: Arc<Path>,
    text: String,
    /// The byte at which each line begins.
    line_starts: Vec<usize>,
    visited: RefCell<Option<Visited>>,
}

/// The line visited last, and how far its characters have been counted.
struct Visited {
    line: usize,
    text: Arc<str>,
    offset: usize,
    column: usize,
}

// === impl Source ===

impl Source {
    /// Takes a file's bytes. A byte order mark is dropped; bytes that are not UTF-8 are a mistake with its place.
    pub(super) fn new(file: Arc<Path>, bytes: Vec<u8>) -> Result<Self, Mistake> {
        let mut valid = None;
        let text = String::from_utf8(bytes).unwrap_or_else(|error| {
            valid = Some(error.utf8_error().valid_up_to());
            String::from_utf8_lossy(error.as_bytes()).into_owned()
        });
        const MARK: char = '\u{feff}';
        let mark_bytes = if text.starts_with(MARK) {
            MARK.len_utf8()
        } else {
            0
        };
        let text = text.get(mark_bytes..).map(String::from).unwrap_or_default();
        let after_breaks = text.match_indices('\n').map(|(at, _)| at.saturating_add(1));
        let source = Self {
            file,
            line_starts: std::iter::once(0).chain(after_breaks).collect(),
            visited: RefCell::new(None),
            text,
        };
        match valid {
            // The lossy text is the file's up to its first bad byte, so the offset holds in it.
            Some(offset) => {
                let offset = offset.saturating_sub(mark_bytes);
                let message = "not UTF-8: a configuration file must be";
                Err(Mistake::new(source.place(offset..offset), message))
            }
            None => Ok(source),
        }
    }

    pub(super) fn file(&self) -> &Arc<Path> {
        &self.file
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The place of a span of bytes; of its first line, if it has several.
    pub(super) fn place(&self, span: Range<usize>) -> Place {
        let start = span.start.min(self.text.len());
        let line = self
            .line_starts
            .partition_point(|first| *first <= start)
            .saturating_sub(1);
        let line_start = self.line_starts.get(line).copied().unwrap_or_default();
        let mut visited = self.visited.borrow_mut();
        let visited = match &mut *visited {
            Some(visited) if visited.line == line && visited.offset <= start => visited,
            visited => visited.insert(Visited {
                line,
                text: self
                    .line_text(line_start)
                    .chars()
                    .take(PLACE_TEXT_CHARS_MAX)
                    .collect::<String>()
                    .into(),
                offset: line_start,
                column: 0,
            }),
        };
        let passed = self.text.get(visited.offset..start).unwrap_or_default();
        visited.column = visited.column.saturating_add(passed.chars().count());
        visited.offset = start;
        // At most the shown part is underlined, so no more is counted.
        let meant = self
            .text
            .get(start..span.end.min(self.text.len()))
            .unwrap_or_default();
        let meant = meant
            .chars()
            .take(PLACE_TEXT_CHARS_MAX)
            .take_while(|c| !matches!(c, '\r' | '\n'));
        Place {
            file: Arc::clone(&self.file),
            line: one_based(line),
            column: one_based(visited.column),
            text: Arc::clone(&visited.text),
            width: u32::try_from(meant.count()).unwrap_or(u32::MAX).max(1),
        }
    }

    /// The line, from 1, in which a byte is.
    pub(super) fn line(&self, offset: usize) -> u32 {
        one_based(self.line_index(offset))
    }

    fn line_index(&self, offset: usize) -> usize {
        self.line_starts
            .partition_point(|first| *first <= offset)
            .saturating_sub(1)
    }

    fn line_text(&self, line_start: usize) -> &str {
        let rest = self.text.get(line_start..).unwrap_or_default();
        let line = rest.split('\n').next().unwrap_or_default();
        line.strip_suffix('\r').unwrap_or(line)
    }
}

// === impl Place ===

impl Place {
    /// A file as a whole, where no line can be named.
    pub(super) fn of_file(file: Arc<Path>) -> Self {
        Self {
            file,
            line: 1,
            column: 1,
            text: Arc::from(""),
            width: 1,
        }
    }
}

fn one_based(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1)
}

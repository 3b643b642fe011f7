//! Where in which file a value stands, so that every error can name its place.
//!
//! Line, column and the offending line are taken when the file is read: whoever finds fault with a value later (the
//! compiler of snapshots, `tollgate explain`) needs neither the file nor its text again.

use std::fmt::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

use super::mistake::printable;

/// A place in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, as the operator named it.
    pub file: Arc<Path>,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// The line's text, without its line break, at most 200 characters of it.
    pub text: Arc<str>,
    /// How many characters of the line are meant, at least 1, at most to the end of the line.
    pub width: u32,
}

/// A value and the place where it was written.
#[derive(Debug, Clone)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub place: Place,
}

// === impl Place ===

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Of an `include` the operator's file chooses the name, and a terminal shows it.
        for c in self.file.display().to_string().chars() {
            f.write_char(printable(c))?;
        }
        write!(f, ":{}:{}", self.line, self.column)
    }
}

// === impl Located ===

impl<T> Located<T> {
    /// The same place, another value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Located<U> {
        Located {
            value: f(self.value),
            place: self.place,
        }
    }
}

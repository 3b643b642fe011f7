//! From the main file to everything it includes, in one pass that nothing stops.
//!
//! Files come in by the front door: this module decides which are read and in what order, [`Files`] reads them. What a
//! file's place in the order is for: mistakes are shown in it, and the main file is always first.

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::decode::Draft;
use super::mistake::{Mistake, Mistakes, quoted};
use super::place::{Located, Place};
use super::schema::Config;
use super::source::Source;
use super::syntax::Syntax;
use super::value::Sheet;

/// The largest file that is taken: ten thousand subscriptions in words are about 1 MiB.
pub const FILE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The most files that one configuration may have, the main file included: a pattern that matches more was hardly
/// meant.
pub const FILES_MAX: usize = 1000;

/// Where files come from.
pub trait Files {
    /// All bytes of a file. An implementation may stop after [`FILE_BYTES_MAX`] and one more.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The same of a file that holds a secret: an error if others than its owner can use it. Where there are no owners,
    /// every file is private.
    fn read_private(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.read(path)
    }

    /// What is in a directory; only the last component of each path is looked at. Order does not matter.
    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>>;

    /// A variable of the process's environment. Where there is no process there is none.
    fn variable(&self, _name: &str) -> Option<String> {
        None
    }
}

/// Reads a configuration: the main file and all that it includes.
///
/// # Errors
///
/// Every mistake of every file, if there is one.
pub fn parse(main: &Path, files: &dyn Files) -> Result<Config, Mistakes> {
    let mut reading = Reading {
        files,
        mistakes: Mistakes::default(),
        draft: Draft::default(),
        seen: HashSet::from([plain(main)]),
    };
    reading.file(main, None);
    let directory = main.parent().unwrap_or_else(|| Path::new(""));
    for pattern in reading.draft.take_includes() {
        for path in reading.matches(directory, &pattern) {
            if !reading.seen.insert(plain(&path)) {
                continue; // matched by an earlier pattern, too
            }
            if reading.seen.len() > FILES_MAX {
                let message = format!("more than {FILES_MAX} files");
                reading
                    .mistakes
                    .push(Mistake::new(pattern.place.clone(), message));
                break;
            }
            reading.file(&path, Some(&pattern.place));
        }
    }
    reading.unwritten();
    if reading.mistakes.is_empty() {
        Ok(reading.draft.finish())
    } else {
        Err(reading.mistakes)
    }
}

struct Reading<'f> {
    files: &'f dyn Files,
    mistakes: Mistakes,
    draft: Draft,
    /// Every file so far: none is read twice.
    seen: HashSet<PathBuf>,
}

// === impl Reading ===

impl Reading<'_> {
    /// Reads and decodes one file; `named_at` is the place that includes it.
    fn file(&mut self, path: &Path, named_at: Option<&Place>) {
        let file: Arc<Path> = Arc::from(path);
        self.mistakes.expect_file(&file);
        let bytes = match self.files.read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                let place = named_at.cloned().unwrap_or_else(|| Place::of_file(file));
                let message = format!("cannot read {}: {error}", quoted(&path.to_string_lossy()));
                return self.mistakes.push(Mistake::new(place, message));
            }
        };
        self.draft.note_file(path);
        if bytes.len() > FILE_BYTES_MAX {
            let message = format!("a configuration file may have at most {FILE_BYTES_MAX} bytes");
            return self.mistakes.push(Mistake::new(Place::of_file(file), message));
        }
        match Source::new(file, bytes) {
            Ok(source) => self.source(&source, named_at.is_none()),
            Err(mistake) => self.mistakes.push(mistake),
        }
    }

    fn source(&mut self, source: &Source, main: bool) {
        let syntax = Syntax::read(source.text());
        let (document, errors) = syntax.parse();
        let end = source.text().trim_end().len();
        let mut broken = BTreeSet::new();
        for (span, message) in errors {
            let place = source.place(span.unwrap_or(end..end));
            // What follows in the same line is mostly its consequence.
            if broken.insert(place.line) {
                self.mistakes.push(Mistake::new(place, message));
            }
        }
        let sheet = Sheet::new(source, broken, std::mem::take(&mut self.mistakes));
        self.draft.decode(&sheet, document.get_ref(), main);
        let (mistakes, written) = sheet.into_parts();
        self.mistakes = mistakes;
        self.draft.note_places(written);
    }

    /// Tables that nobody wrote and whose defaults are in force all the same: they are decoded as if they stood in a file
    /// without a name and without a key, so that what is shown of them is what holds.
    fn unwritten(&mut self) {
        let text = self.draft.unwritten_tables();
        if let Ok(source) = Source::new(Arc::from(Path::new("")), text.into_bytes()) {
            self.source(&source, false);
        }
    }

    /// The files that a pattern means, sorted by name.
    fn matches(&mut self, directory: &Path, pattern: &Located<String>) -> Vec<PathBuf> {
        let wrong = |message: &str, help: &str| Mistake::new(pattern.place.clone(), message).help(help);
        let path = directory.join(&pattern.value);
        let (Some(parent), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str()))
        else {
            self.mistakes
                .push(wrong("`include` names files", "such as \"apis.d/*.toml\""));
            return Vec::new();
        };
        let named_parent = Path::new(&pattern.value).parent();
        if named_parent.is_some_and(|parent| parent.to_string_lossy().contains('*')) {
            let message = "`*` may stand for parts of a file's name only, not of a directory's";
            self.mistakes.push(wrong(message, "name each directory"));
            return Vec::new();
        }
        if !name.contains('*') {
            return vec![path];
        }
        let listed = match parent.as_os_str().is_empty() {
            true => self.files.list(Path::new(".")),
            false => self.files.list(parent),
        };
        let mut found: Vec<PathBuf> = match listed {
            Ok(paths) => paths,
            // Nothing there is no match, like an empty directory.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                let message = format!("cannot list {}: {error}", quoted(&parent.to_string_lossy()));
                self.mistakes.push(Mistake::new(pattern.place.clone(), message));
                Vec::new()
            }
        };
        found.retain(|path| {
            path.file_name()
                .and_then(|found| found.to_str())
                .is_some_and(|found| matches(name, found))
        });
        let mut found: Vec<PathBuf> = found
            .iter()
            .filter_map(|path| Some(parent.join(path.file_name()?)))
            .collect();
        found.sort();
        found
    }
}

/// Whether a name fits a pattern in which `*` stands for any characters. As in a shell, names that begin with a dot
/// must be asked for with one: editors and Kubernetes keep unfinished files under such names.
fn matches(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut name) = name.strip_prefix(first) else {
        return false;
    };
    // Between stars the earliest fit is as good as any; after the last, the end must fit.
    let mut rest = rest;
    while let Some((part, after)) = rest.split_once('*') {
        let Some(at) = name.find(part) else {
            return false;
        };
        name = name.get(at.saturating_add(part.len())..).unwrap_or_default();
        rest = after;
    }
    name.ends_with(rest)
}

/// The path without `.` components, to tell whether two mean the same file.
fn plain(path: &Path) -> PathBuf {
    path.components()
        .filter(|part| *part != Component::CurDir)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_stand_for_any_characters() {
        for (pattern, name, fits) in [
            ("*.toml", "a.toml", true),
            ("*.toml", ".toml", false),
            ("*.toml", ".a.toml", false),
            (".*.toml", ".a.toml", true),
            ("*.toml", "a.toml~", false),
            ("a*b*c", "a12b34c", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "acb", false),
            ("a*a", "a", false),
            ("*", "anything", true),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }
}

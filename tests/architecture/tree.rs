//! The files of this repository, as text.
//!
//! What the build makes and what begins with a dot is left out, and so are links: every file is read under one name.

use std::io;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// One file.
#[derive(Debug)]
pub(crate) struct File {
    /// Below the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Where the repository is: where cargo says, so that the test also runs when it was built elsewhere.
pub(crate) fn root() -> PathBuf {
    let built_in = || option_env!("CARGO_MANIFEST_DIR").map(PathBuf::from);
    env::var_os("CARGO_MANIFEST_DIR")
        .map(PathBuf::from)
        .or_else(built_in)
        .unwrap_or_else(|| PathBuf::from("."))
}

/// All files with one of these extensions, in the order of their paths.
pub(crate) fn files(extensions: &[&str]) -> io::Result<Vec<File>> {
    let root = root();
    let mut files = Vec::new();
    let mut directories = vec![root.clone()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let kind = entry.file_type()?;
            if name.starts_with('.') || name == "target" {
                continue;
            }
            if kind.is_dir() {
                directories.push(entry.path());
            } else if kind.is_file() && extensions.iter().any(|extension| has_extension(&name, extension)) {
                let path = below(&root, &entry.path());
                files.push(File {
                    path,
                    text: fs::read_to_string(entry.path())?,
                });
            }
        }
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

impl File {
    /// The module below the crate's root that a file of `src` belongs to; `lib.rs` belongs to none.
    pub(crate) fn module(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        let first = inside.split('/').next().unwrap_or(inside);
        Some(first.strip_suffix(".rs").unwrap_or(first)).filter(|module| *module != "lib")
    }

    /// How many modules deep a file of `src` is: 1 for `src/access.rs`.
    pub(crate) fn depth(&self) -> usize {
        self.path.matches('/').count()
    }

    /// Whether a file of `src` holds nothing but tests.
    pub(crate) fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }
}

fn has_extension(name: &str, extension: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|found| found == extension)
}

fn below(root: &Path, path: &Path) -> String {
    path.strip_prefix(root)
        .unwrap_or(path)
        .to_string_lossy()
        .replace('\\', "/")
}

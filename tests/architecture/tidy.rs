//! Every file in the shape that a reader may rely on.
//!
//! It begins with why it exists, it can be read in one sitting, and nothing in it waits to be finished. What may panic
//! in the field is listed here with the reason why it cannot.

use std::fs;
use std::io;

use crate::{report, scan, tree};

/// Longer files are looked at for a seam.
const CODE_LINES_MAX: usize = 600;

/// Files that are longer, and why: `(path, reason)`.
const LONG: [(&str, &str); 0] = [];

/// Files of `src` that may panic outside of tests, and why they do not: `(path, pattern, reason)`.
const PANICS: [(&str, &str, &str); 0] = [];

/// Spelled so that this file does not report itself.
const UNFINISHED: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];

const LEFT_OVER: [&str; 3] = ["dbg!", "todo!", "unimplemented!"];

const PANICKING: [&str; 6] = [
    ".unwrap(",
    ".expect(",
    ".unwrap_err(",
    ".expect_err(",
    "panic!",
    "unreachable!",
];

#[test]
fn every_file_begins_with_why() -> io::Result<()> {
    let mut wrong = Vec::new();
    for file in tree::files(&["rs"])? {
        let lines = file
            .text
            .lines()
            .take_while(|line| line.starts_with("//!"))
            .count();
        if lines < 2 {
            wrong.push(format!(
                "{}:1: {lines} lines of `//!`; say in two what it is for and why",
                file.path
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", report(&wrong));
    Ok(())
}

#[test]
fn no_file_is_too_long_to_read() -> io::Result<()> {
    let mut wrong = Vec::new();
    for file in tree::files(&["rs"])? {
        let lines = scan::code(&file.text)
            .lines()
            .filter(|line| !line.trim().is_empty())
            .count();
        let excepted = LONG.iter().any(|(path, _)| *path == file.path);
        match (lines > CODE_LINES_MAX, excepted) {
            (true, false) => wrong.push(format!("{}: {lines} lines of code; find the seam", file.path)),
            (false, true) => wrong.push(format!("{}: no longer too long; take it off the list", file.path)),
            (true, true) | (false, false) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", report(&wrong));
    Ok(())
}

#[test]
fn nothing_waits_to_be_finished() -> io::Result<()> {
    let mut wrong = Vec::new();
    for file in tree::files(&["rs"])? {
        for (index, line) in file.text.lines().enumerate() {
            let words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            for word in words.filter(|word| UNFINISHED.contains(word)) {
                wrong.push(format!(
                    "{}:{}: {word}: do it, or write an issue",
                    file.path,
                    index + 1
                ));
            }
        }
        let code = scan::code(&file.text);
        let tokens = scan::tokens(&code);
        for pattern in LEFT_OVER {
            for line in scan::lines_with(pattern, &tokens, &[]) {
                wrong.push(format!("{}:{line}: `{pattern}` is left over", file.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", report(&wrong));
    Ok(())
}

#[test]
fn nothing_in_the_field_panics() -> io::Result<()> {
    let mut wrong = Vec::new();
    let mut unused: Vec<_> = PANICS
        .iter()
        .map(|(path, pattern, _)| (*path, *pattern))
        .collect();
    for file in tree::files(&["rs"])?
        .iter()
        .filter(|file| file.path.starts_with("src/") && !file.is_test())
    {
        let code = scan::without_tests(&scan::code(&file.text));
        let tokens = scan::tokens(&code);
        for pattern in PANICKING {
            let lines = scan::lines_with(pattern, &tokens, &[]);
            let excepted = PANICS
                .iter()
                .any(|(path, may, _)| *path == file.path && *may == pattern);
            if excepted && !lines.is_empty() {
                unused.retain(|entry| *entry != (file.path.as_str(), pattern));
            } else {
                let found = lines.iter().map(|line| {
                    format!(
                        "{}:{line}: `{pattern}`: strangers decide what comes in; return an error",
                        file.path
                    )
                });
                wrong.extend(found);
            }
        }
    }
    wrong.extend(
        unused
            .iter()
            .map(|(path, pattern)| format!("{path}: no {pattern} any more; take it off the list")),
    );
    assert!(wrong.is_empty(), "{}", report(&wrong));
    Ok(())
}

#[test]
fn a_module_stands_beside_its_directory() -> io::Result<()> {
    let files = tree::files(&["rs"])?;
    let inside = files.iter().filter(|file| file.path.ends_with("/mod.rs"));
    let wrong: Vec<String> = inside
        .map(|file| format!("{}: write foo.rs beside foo/, so that tabs have names", file.path))
        .collect();
    assert!(wrong.is_empty(), "{}", report(&wrong));
    Ok(())
}

#[test]
fn no_line_ends_in_blanks_or_holds_tabs() -> io::Result<()> {
    let mut wrong = Vec::new();
    for file in tree::files(&["rs", "md", "toml"])? {
        for (index, line) in file.text.lines().enumerate() {
            let place = format!("{}:{}", file.path, index + 1);
            if line.ends_with([' ', '\r', '\t']) {
                wrong.push(format!("{place}: blanks at the end"));
            } else if line.contains('\t') {
                wrong.push(format!("{place}: a tab"));
            }
        }
        if !file.text.is_empty() && (!file.text.ends_with('\n') || file.text.ends_with("\n\n")) {
            wrong.push(format!("{}: a file ends with one line break", file.path));
        }
    }
    assert!(wrong.is_empty(), "{}", report(&wrong));
    Ok(())
}

#[test]
fn every_dependency_says_what_it_is_for() -> io::Result<()> {
    let mut wrong = Vec::new();
    for manifest in ["Cargo.toml", "loadtest/Cargo.toml"] {
        let found = unexplained(&fs::read_to_string(tree::root().join(manifest))?);
        wrong.extend(
            found
                .into_iter()
                .map(|line| line.replacen("Cargo.toml", manifest, 1)),
        );
    }
    assert!(wrong.is_empty(), "{}", report(&wrong));
    Ok(())
}

#[test]
fn a_dependency_is_explained_by_the_line_above_it() {
    for (manifest, expected) in [
        ("[dependencies]\n# Bodies.\nbytes = \"1\"\n", &[][..]),
        ("[dependencies]\nbytes = \"1\"\n", &["Cargo.toml:2: `bytes`"]),
        (
            "[dependencies]\n# Bodies.\nbytes = \"1\"\nhttp = \"1\"\n",
            &["Cargo.toml:4: `http`"],
        ),
        (
            "[dev-dependencies]\n\nbytes.version = \"1\"\n",
            &["Cargo.toml:3: `bytes`"],
        ),
        ("[target.'cfg(unix)'.dependencies]\nlibc = \"1\"\n", &["`libc`"]),
        (
            "[dependencies]\n# One.\none = { features = [\n    \"two\",\n] }\n[features]\nx = []\n",
            &[],
        ),
    ] {
        let found = unexplained(manifest);
        let matches = found.len() == expected.len()
            && found
                .iter()
                .zip(expected)
                .all(|(found, expected)| found.contains(expected));
        assert!(
            matches,
            "{manifest}\n  expected {expected:?}\n  found    {found:?}"
        );
    }
}

/// The direct dependencies of a manifest that have no comment right above them.
fn unexplained(manifest: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut among_dependencies = false;
    let mut previous = "";
    for (index, line) in manifest.lines().enumerate() {
        if line.starts_with('[') {
            among_dependencies = line.trim_end().ends_with("dependencies]");
        } else if among_dependencies && line.starts_with(char::is_alphanumeric) && !previous.starts_with('#')
        {
            let name = line.split(['=', '.', ' ']).next().unwrap_or(line);
            wrong.push(format!(
                "Cargo.toml:{}: `{name}` has no comment above that says what it is for",
                index + 1
            ));
        }
        previous = line;
    }
    wrong
}

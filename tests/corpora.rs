//! Every input that a fuzz target ever stumbled over, and the seeds it began with, replayed on every change.
//!
//! The bodies are those of the fuzz targets; libFuzzer is not needed. The bound on time is for the input that makes
//! something quadratic: it is far above what a slow machine needs for an honest one.

#[cfg(test)]
#[expect(
    unreachable_pub,
    reason = "public for the fuzz targets, which are another crate"
)]
#[path = "../fuzz/src/lib.rs"]
mod bodies;
#[cfg(test)]
#[path = "corpora/differential.rs"]
mod differential;

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// A debug build on a busy machine included.
const INPUT_TIME_MAX: Duration = Duration::from_secs(10);
/// The repository is no place for gigabytes.
const CORPUS_BYTES_MAX: usize = 200 * 1024;

#[test]
fn jws() -> io::Result<()> {
    replay("jws", bodies::jws::run)
}

#[test]
fn jwk_set() -> io::Result<()> {
    replay("jwk_set", bodies::jwk_set::run)
}

#[test]
fn config() -> io::Result<()> {
    replay("config", bodies::config::run)
}

#[test]
fn path() -> io::Result<()> {
    replay("path", bodies::path::run)
}

#[test]
fn credential() -> io::Result<()> {
    replay("credential", bodies::credential::run)
}

/// A corpus that is not replayed would be forgotten.
#[test]
fn every_corpus_has_its_test() -> io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut found = Vec::new();
    for entry in fs::read_dir(corpus)? {
        found.push(entry?.file_name().to_string_lossy().into_owned());
    }
    found.sort();
    assert_eq!(found, ["config", "credential", "jwk_set", "jws", "path"]);
    Ok(())
}

#[cfg(test)]
fn replay(target: &str, run: impl Fn(&[u8])) -> io::Result<()> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let (mut count, mut total) = (0, 0);
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let input = fs::read(&path)?;
        let begin = Instant::now();
        // Shown by the test runner if the input fails.
        println!("{}", path.display());
        run(&input);
        assert!(
            begin.elapsed() < INPUT_TIME_MAX,
            "{} takes {:?}",
            path.display(),
            begin.elapsed()
        );
        count += 1;
        total += input.len();
    }
    assert!(count >= 10, "the corpus of {target} is gone");
    assert!(
        total <= CORPUS_BYTES_MAX,
        "the corpus of {target} has {total} bytes"
    );
    Ok(())
}

//! From files on disk to a compiled snapshot, remembering everything that was looked at.
//!
//! What a load looked at is what a watcher must watch, also when the load failed: the file that was missing is the one
//! that an operator is about to write.

use std::cell::RefCell;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::private_file;
use super::watch::{Fingerprint, WatchSet, fingerprint};
use crate::api::Stages;
use crate::config::{self, FILE_BYTES_MAX, Files, Mistake, Mistakes, Place};
use crate::issuer::KeyRing;
use crate::issuing::OwnKey;
use crate::limit::Counters;
use crate::snapshot::{Inputs, MissingKey, Snapshot, compile};
use crate::time::Clock;

/// A change between reading and fingerprinting is read again, this often at most: then whatever was read stands, and
/// the watcher reports the change.
const ATTEMPTS_MAX: usize = 4;

/// The result of a load.
pub struct Loaded {
    /// The snapshot, or every mistake.
    pub snapshot: Result<Snapshot, Mistakes>,
    /// What it was made of.
    pub watch: WatchSet,
    /// The state of the files when it was made.
    pub baseline: Fingerprint,
}

/// The disk, with a memory.
#[derive(Default)]
struct Disk {
    looked_at: RefCell<WatchSet>,
}

/// Reads and compiles the configuration in `main`, and makes key files that are to be made. Blocks on the disk.
pub fn load_and_make(
    main: &Path,
    key_ring: &KeyRing,
    stages: &Stages,
    counters: &dyn Counters,
    generation: u64,
) -> Loaded {
    let mut loaded = load(main, key_ring, stages, counters, generation);
    let missing = match &loaded.snapshot {
        Ok(snapshot) if !snapshot.missing_keys.is_empty() => snapshot.missing_keys.clone(),
        Ok(_) | Err(_) => return loaded,
    };
    for key in missing {
        if let Err(error) = make(&key) {
            // What is wrong with it is found once more by whoever reads it, with its place.
            tracing::error!(event = "signing_key_not_made", path = %key.path.display(), %error, "a key was not made");
        }
    }
    let made = load(main, key_ring, stages, counters, generation);
    if let Ok(snapshot) = &made.snapshot
        && let Some(key) = snapshot.missing_keys.first()
    {
        loaded.snapshot = Err(no_key(key));
        return loaded;
    }
    made
}

fn no_key(key: &MissingKey) -> Mistakes {
    let place = Place {
        file: key.path.as_path().into(),
        line: 1,
        column: 1,
        text: "".into(),
        width: 1,
    };
    let mut mistakes = Mistakes::default();
    mistakes.push(Mistake::new(
        place,
        "the key file is not here and could not be made; the log says why",
    ));
    mistakes
}

fn make(key: &MissingKey) -> Result<(), String> {
    let text = OwnKey::generate(key.algorithm).map_err(|error| error.to_string())?;
    private_file::write(&key.path, &text).map_err(|error| error.to_string())?;
    tracing::info!(event = "signing_key_made", path = %key.path.display(), "a signing key was made");
    Ok(())
}

/// Reads and compiles the configuration in `main`. Blocks on the disk.
pub fn load(
    main: &Path,
    key_ring: &KeyRing,
    stages: &Stages,
    counters: &dyn Counters,
    generation: u64,
) -> Loaded {
    let mut watch = WatchSet {
        files: vec![main.to_owned()],
        directories: Vec::new(),
    };
    let mut attempt = 1;
    loop {
        // Taken before reading, so that what changes while we read counts as a change.
        let baseline = fingerprint(&watch);
        let disk = Disk::default();
        let snapshot = config::parse(main, &disk).and_then(|config| {
            let inputs = Inputs {
                files: &disk,
                key_ring,
                stages,
                counters,
                now: Clock.now(),
                generation,
            };
            compile(config, inputs)
        });
        let looked_at = disk.looked_at.into_inner();
        if looked_at == watch || attempt == ATTEMPTS_MAX {
            return Loaded {
                snapshot,
                watch: looked_at,
                baseline,
            };
        }
        watch = looked_at;
        attempt += 1;
    }
}

/// What a configuration says of the admin API; the rest of it need not be right, so that an operator can act while
/// somebody else is writing. Blocks on the disk.
///
/// # Errors
/// Every mistake of its language.
pub fn admin(main: &Path) -> Result<Option<config::Admin>, Mistakes> {
    Ok(config::parse(main, &Disk::default())?.admin)
}

// === impl Disk ===

impl Disk {
    fn note(list: &mut Vec<PathBuf>, path: &Path) {
        if !list.iter().any(|known| known == path) {
            list.push(path.to_owned());
        }
    }
}

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        Self::note(&mut self.looked_at.borrow_mut().files, path);
        let mut bytes = Vec::new();
        let bound = u64::try_from(FILE_BYTES_MAX)
            .unwrap_or(u64::MAX)
            .saturating_add(1);
        // Opening a pipe would wait for somebody to write into it.
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        std::fs::File::open(path)?.take(bound).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn read_private(&self, path: &Path) -> io::Result<Vec<u8>> {
        Self::note(&mut self.looked_at.borrow_mut().files, path);
        private_file::read_bytes(path, FILE_BYTES_MAX)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        Self::note(&mut self.looked_at.borrow_mut().directories, directory);
        std::fs::read_dir(directory)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect()
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

//! What a set of files says, in 32 bytes.
//!
//! Two fingerprints are equal if the same names hold the same contents: times, owners and inodes do not count, so
//! `touch` changes nothing and swapping one link for another with equal contents changes nothing either. Names and
//! contents go in with their lengths or as digests of fixed length, so no two different sets run into the same
//! bytes.

use std::{
    collections::BTreeSet,
    fmt,
    fs::{self, File, Metadata},
    io::{self, Read},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use aws_lc_rs::digest::{Context, SHA256, SHA256_OUTPUT_LEN};

use super::WatchSet;

/// A larger file is known by its length and modification time: configurations are a few KiB, and whoever names a
/// disk image here should not have it read every 30 s.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A directory with more `*.toml` files is known by its modification time: one file per API of a very large
/// installation still fits ten times over.
const LISTED_FILES_MAX: usize = 10_000;

/// Bytes read at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// What the files of a [`WatchSet`] contained at one time. Compare, nothing else.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; SHA256_OUTPUT_LEN]);

/// The `*.toml` files of one directory.
pub(super) enum Listing {
    Files(BTreeSet<PathBuf>),
    TooMany,
    Unreadable(io::Error),
}

/// Reads all files of `set`, also those that its directories hold, and says what they contain.
///
/// Blocks on the file system. Take it *before* reading the files to load them and hand it to
/// [`super::Watcher::watch`]: what changes in between is then reported.
#[must_use]
pub fn fingerprint(set: &WatchSet) -> Fingerprint {
    let mut sum = Sum(Context::new(&SHA256));
    let mut files: BTreeSet<PathBuf> = set.files.iter().cloned().collect();
    for directory in &set.directories {
        sum.tag(Tag::Directory);
        sum.name(directory);
        match Listing::of(directory) {
            Listing::Files(listed) => {
                sum.tag(Tag::Listed);
                files.extend(listed);
            }
            Listing::TooMany => match fs::metadata(directory) {
                Ok(metadata) => sum.metadata(&metadata),
                Err(error) => sum.error(&error),
            },
            Listing::Unreadable(error) => sum.error(&error),
        }
    }
    for file in &files {
        sum.tag(Tag::File);
        sum.name(file);
        match contents(file) {
            Ok(Contents::Digest(digest)) => {
                sum.tag(Tag::Contents);
                sum.0.update(&digest);
            }
            Ok(Contents::Unread(metadata)) => sum.metadata(&metadata),
            Err(error) => sum.error(&error),
        }
    }
    Fingerprint(finish(sum.0))
}

/// What there is to say about one file.
enum Contents {
    Digest([u8; SHA256_OUTPUT_LEN]),
    /// Too large, or not a regular file: reading a pipe would wait for its writer.
    Unread(Metadata),
}

fn contents(path: &Path) -> io::Result<Contents> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() || metadata.len() > FILE_BYTES_MAX {
        return Ok(Contents::Unread(metadata));
    }
    // It may grow while it is read; what is beyond the bound is then seen at the next look.
    let mut file = File::open(path)?.take(FILE_BYTES_MAX);
    let mut digest = Context::new(&SHA256);
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = match file.read(&mut chunk) {
            Ok(0) => return Ok(Contents::Digest(finish(digest))),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        digest.update(chunk.get(..read).unwrap_or_default());
    }
}

fn finish(context: Context) -> [u8; SHA256_OUTPUT_LEN] {
    let mut bytes = [0; SHA256_OUTPUT_LEN];
    for (to, from) in bytes.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    bytes
}

// === impl Fingerprint ===

/// Enough to tell two apart in a log.
impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.0;
        write!(f, "Fingerprint({a:02x}{b:02x}{c:02x}{d:02x}..)")
    }
}

// === impl Listing ===

impl Listing {
    /// Lists `directory`. Only `*.toml` counts: backups and swap files come and go beside it.
    pub(super) fn of(directory: &Path) -> Self {
        match Self::read(directory) {
            Ok(listing) => listing,
            Err(error) => Self::Unreadable(error),
        }
    }

    fn read(directory: &Path) -> io::Result<Self> {
        let mut files = BTreeSet::new();
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                files.insert(path);
            }
            if files.len() > LISTED_FILES_MAX {
                return Ok(Self::TooMany);
            }
        }
        Ok(Self::Files(files))
    }
}

/// The digest over everything, fed so that it can be read in one way only.
struct Sum(Context);

/// What comes next.
#[derive(Clone, Copy)]
enum Tag {
    Directory,
    File,
    Listed,
    Contents,
    Metadata,
    Error,
}

// === impl Sum ===

impl Sum {
    fn name(&mut self, path: &Path) {
        let name = path.as_os_str().as_encoded_bytes();
        self.0.update(&(name.len() as u64).to_be_bytes());
        self.0.update(name);
    }

    fn tag(&mut self, tag: Tag) {
        self.0.update(&[tag as u8]);
    }

    fn metadata(&mut self, metadata: &Metadata) {
        self.tag(Tag::Metadata);
        self.0.update(&metadata.len().to_be_bytes());
        // Before 1970, or on a file system that keeps no times, the length must do.
        let modified = metadata
            .modified()
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        self.0
            .update(&modified.map_or(0, |time| time.as_nanos()).to_be_bytes());
    }

    fn error(&mut self, error: &io::Error) {
        self.tag(Tag::Error);
        self.0.update(&error.raw_os_error().unwrap_or(0).to_be_bytes());
    }
}

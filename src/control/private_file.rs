//! Files that hold one secret: made by us, readable by their owner alone, and refused when they are not.
//!
//! A secret that others can read is no secret, whatever is encrypted with it; and one that was made again because its file
//! could not be read would lock everybody out. So a file is made only where there is none, and read only if it is private.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::secret::Secret;

/// 256 bits cannot be guessed.
const SECRET_BYTES: usize = 32;
/// A file that is longer is no secret of ours.
const FILE_BYTES_MAX: u64 = 4096;
/// The fewest characters of a secret that an operator has chosen: 128 bits in base64url.
const CHARACTERS_MIN: usize = 22;
/// Bits of the mode that let others in.
const OTHERS: u32 = 0o077;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PrivateFileError {
    /// The system says so.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: String,
        /// What it says.
        source: io::Error,
    },
    /// It can be read, but must not be used.
    #[error("{path} {rule}")]
    Rule {
        /// Which file.
        path: String,
        /// What is wrong with it; completes the sentence.
        rule: &'static str,
    },
    /// There is no randomness.
    #[error("no random bytes can be had")]
    Random,
}

/// A text of 256 random bits, in base64url.
///
/// # Errors
/// When the system has none.
pub fn random_text() -> Result<Secret<String>, PrivateFileError> {
    let mut bytes = [0; SECRET_BYTES];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| PrivateFileError::Random)?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes)))
}

/// The secret in a file, without the end of its line; nothing if there is no such file.
///
/// # Errors
/// When it cannot be read, others can read it, or it holds none.
pub fn read(path: &Path) -> Result<Option<Secret<String>>, PrivateFileError> {
    let rule = |rule| PrivateFileError::Rule {
        path: path.display().to_string(),
        rule,
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(path)(error)),
    };
    // Asked of the open file: what is read is what was judged.
    let metadata = file.metadata().map_err(failed(path))?;
    if !metadata.is_file() {
        return Err(rule("is no regular file"));
    }
    if metadata.mode() & OTHERS != 0 {
        return Err(rule("can be used by others than its owner; chmod 600 it"));
    }
    let mut text = String::new();
    file.take(FILE_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(failed(path))?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.len() < CHARACTERS_MIN {
        return Err(rule("holds fewer than 22 characters: too few for a secret"));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(rule("holds other characters than visible ones on one line"));
    }
    Ok(Some(Secret::new(text.to_owned())))
}

/// Makes the file with a new secret; there must be none yet.
///
/// # Errors
/// When it cannot be written.
pub fn make(path: &Path) -> Result<Secret<String>, PrivateFileError> {
    let secret = random_text()?;
    write(path, &secret)?;
    Ok(secret)
}

/// Makes the file with this in it; there must be none yet.
///
/// # Errors
/// When it cannot be written.
pub fn write(path: &Path, secret: &Secret<String>) -> Result<(), PrivateFileError> {
    make_directory_of(path)?;
    // Under its name only when it is whole: a crash leaves no half of a secret.
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = Path::new(&draft);
    let _ = std::fs::remove_file(draft);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(draft).map_err(failed(draft))?;
    writeln!(file, "{}", secret.expose()).map_err(failed(draft))?;
    file.sync_all().map_err(failed(draft))?;
    std::fs::rename(draft, path).map_err(failed(path))?;
    if let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        File::open(directory)
            .and_then(|directory| directory.sync_all())
            .map_err(failed(directory))?;
    }
    Ok(())
}

/// All bytes of a file that holds a secret of any kind, at most one more than `bound`.
///
/// # Errors
/// When it cannot be read, or others than its owner can use it.
pub fn read_bytes(path: &Path, bound: usize) -> io::Result<Vec<u8>> {
    // Opening a pipe would wait for somebody to write into it.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let file = File::open(path)?;
    // Asked of the open file: what is read is what was judged.
    if file.metadata()?.mode() & OTHERS != 0 {
        return Err(io::Error::other(
            "can be used by others than its owner; chmod 600 it",
        ));
    }
    let mut bytes = Vec::new();
    let bound = u64::try_from(bound).unwrap_or(u64::MAX).saturating_add(1);
    file.take(bound).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Makes the directory of a file, for its owner alone, where there is none.
///
/// # Errors
/// When it cannot be made.
pub fn make_directory_of(path: &Path) -> Result<(), PrivateFileError> {
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(directory) => DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(failed(directory)),
        None => Ok(()),
    }
}

fn failed(path: &Path) -> impl Fn(io::Error) -> PrivateFileError {
    let path = path.display().to_string();
    move |source| PrivateFileError::Io {
        path: path.clone(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_secret_is_made_once_and_refused_when_others_can_read_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state/secret");
        assert!(read(&path).unwrap().is_none());
        let made = make(&path).unwrap();
        assert_eq!(made.expose().len(), 43);
        let mode = std::fs::metadata(&path).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
        let found = read(&path).unwrap().unwrap();
        assert_eq!(found.expose(), made.expose());
        for (mode, good) in [
            (0o400, true),
            (0o640, false),
            (0o604, false),
            (0o620, false),
            (0o600, true),
        ] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(read(&path).is_ok(), good, "{mode:o}");
        }
        for (text, good) in [
            ("", false),
            ("short\n", false),
            ("two words that are long enough\n", false),
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(read(&path).is_ok(), good, "{text:?}");
        }
    }
}

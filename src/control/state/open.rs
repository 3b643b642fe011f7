//! The store together with its secret: both are there, or neither is.
//!
//! Hashes of API keys are worth nothing without the secret that they were made under, and a secret without its store means
//! that the store is gone. Either is an error that a person must look at; a gateway that began anew would have forgotten
//! every application, and say that all is well.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Embedded, Revision, Store as _, StoreError};
use crate::control::private_file::{self, PrivateFileError};
use crate::secret::Secret;
use crate::subscription::ApiKeySecret;

/// A store, and the secret under which its API keys are hashed.
pub struct OpenState {
    /// The store.
    pub store: Embedded,
    /// The secret.
    pub key_secret: Secret<String>,
    /// It was made just now.
    pub is_new: bool,
}

/// Why the state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// See [`StoreError`].
    #[error(transparent)]
    Store(#[from] StoreError),
    /// See [`PrivateFileError`].
    #[error("{0}")]
    Secret(#[from] PrivateFileError),
    /// There is a store and no secret.
    #[error(
        "the store {} is here, but its secret {} is not; restore both from the same backup",
        store.display(), secret.display()
    )]
    NoSecret {
        /// The store.
        store: PathBuf,
        /// Where its secret should be.
        secret: PathBuf,
    },
    /// The secret is not the 256 bits in base64url that were written there.
    #[error("the secret of the store has been changed; restore it from the backup of its store")]
    SecretChanged,
    /// There is a secret and no store.
    #[error(
        "the secret {} is here, but its store {} is not; restore both from the same backup, or remove the secret \
         to begin with nothing",
        secret.display(), store.display()
    )]
    NoStore {
        /// Where the store should be.
        store: PathBuf,
        /// The secret.
        secret: PathBuf,
    },
}

// === impl OpenState ===

impl OpenState {
    /// The secret under which API keys are hashed.
    ///
    /// # Errors
    /// [`StateError::SecretChanged`].
    pub fn api_key_secret(&self) -> Result<ApiKeySecret, StateError> {
        let bytes = URL_SAFE_NO_PAD.decode(self.key_secret.expose());
        let bytes = bytes.ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        bytes
            .map(|bytes| ApiKeySecret::new(&bytes))
            .ok_or(StateError::SecretChanged)
    }
}

/// Opens the store at `path` with its secret beside it, or makes both where neither is.
///
/// # Errors
/// See [`StateError`].
pub fn open(path: &Path) -> Result<OpenState, StateError> {
    let secret_path = secret_path(path);
    let secret = private_file::read(&secret_path)?;
    let is_new = match path.try_exists() {
        Ok(exists) => !exists,
        Err(source) => {
            return Err(StateError::Secret(PrivateFileError::Io {
                path: path.display().to_string(),
                source,
            }));
        }
    };
    if is_new && secret.is_some() {
        return Err(StateError::NoStore {
            store: path.to_owned(),
            secret: secret_path,
        });
    }
    private_file::make_directory_of(path)?;
    let store = Embedded::open(path)?;
    let key_secret = match secret {
        Some(secret) => secret,
        // Nothing was ever kept in it: a first start that was cut short.
        None if store.revision()? == Revision::default() => private_file::make(&secret_path)?,
        None => {
            return Err(StateError::NoSecret {
                store: path.to_owned(),
                secret: secret_path,
            });
        }
    };
    Ok(OpenState {
        store,
        key_secret,
        is_new,
    })
}

fn secret_path(store: &Path) -> PathBuf {
    let mut path = store.as_os_str().to_owned();
    path.push(".secret");
    PathBuf::from(path)
}

#[cfg(test)]
mod tests {
    use super::super::{Batch, Key, Kind, Write};
    use super::*;

    #[test]
    fn a_store_and_its_secret_are_both_there_or_neither() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state/t.redb");
        let secret = directory.path().join("state/t.redb.secret");
        let first = open(&path).unwrap();
        assert!(first.is_new);
        let made = first.key_secret.expose().clone();
        drop(first);
        // A first start that was cut short between the two.
        std::fs::remove_file(&secret).unwrap();
        let again = open(&path).unwrap();
        assert!(!again.is_new && *again.key_secret.expose() != made);
        let batch = Batch {
            based_on: Revision(0),
            writes: vec![Write {
                key: Key::new(Kind::Application, "a"),
                value: Some(b"{}".to_vec()),
            }],
            note: Vec::new(),
        };
        again.store.commit(batch).unwrap();
        drop(again);
        let kept = std::fs::read(&secret).unwrap();
        std::fs::remove_file(&secret).unwrap();
        assert!(matches!(open(&path), Err(StateError::NoSecret { .. })));
        assert!(!secret.exists());
        private_file::make(&secret).unwrap();
        std::fs::write(&secret, kept).unwrap();
        assert!(open(&path).is_ok());
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(open(&path), Err(StateError::NoStore { .. })));
        assert!(!path.exists());
    }
}

//! Issuers with which the gateway shares a secret.
//!
//! Whoever can verify such a token can also make one, so this is for issuers that have no key pair. It is kept apart: an
//! issuer has either secrets and algorithms that use one, or public keys and algorithms that use those. Were both in
//! reach of one token, a public key could be taken for a secret.

use super::{Inputs, mistake};
use crate::config::{self, Located, Mistake, Mistakes};
use crate::issuer::{KeyFile, KeyFileKind};
use crate::token::{
    Algorithm, AlgorithmSet, JWKS_BYTES_MAX, JWKS_KEYS_MAX, KID_BYTES_MAX, Key, KeyKind, KeySet,
    SecretEncoding,
};

/// The key id, among an issuer's own secrets, of the one for tokens that name none.
const DEFAULT_KID: &str = "default";

/// Whether the algorithms go with where the keys come from; says so if not.
pub(super) fn judge_algorithms(
    algorithms: &Located<Vec<Located<String>>>,
    secrets: bool,
    mistakes: &mut Mistakes,
) {
    for name in &algorithms.value {
        let shared = Algorithm::parse(&name.value).map(|algorithm| algorithm.key_kind() == KeyKind::Secret);
        match (shared, secrets) {
            (Some(true), false) => mistakes.push(
                mistake(
                    name,
                    "the algorithm",
                    "needs a shared secret, and this issuer has public keys",
                )
                .help("public keys and secrets never go together: an issuer has `secrets`, or keys"),
            ),
            (Some(false), true) => mistakes.push(
                mistake(
                    name,
                    "the algorithm",
                    "needs a public key, and this issuer has `secrets`",
                )
                .help("with secrets go HS256, HS384 and HS512"),
            ),
            _ => {}
        }
    }
}

/// Reads and judges the secrets of one issuer.
pub(super) fn compile(
    entries: Vec<config::IssuerSecret>,
    algorithms: AlgorithmSet,
    inputs: Inputs<'_>,
    mistakes: &mut Mistakes,
) -> Option<(KeySet, Vec<KeyFile>)> {
    let count = entries.len();
    if let Some(first_too_many) = entries.get(JWKS_KEYS_MAX) {
        let message = format!("an issuer has at most {JWKS_KEYS_MAX} secrets");
        mistakes.push(Mistake::new(first_too_many.kid.place.clone(), message));
        return None;
    }
    // Which algorithms go with secrets is judged elsewhere; without any there is no secret to judge.
    if !Algorithm::ALL
        .into_iter()
        .any(|algorithm| algorithm.key_kind() == KeyKind::Secret && algorithms.contains(algorithm))
    {
        return None;
    }
    let mut keys = Vec::new();
    let mut files = Vec::new();
    for config::IssuerSecret { kid, file, encoding } in entries {
        if kid.value.len() > KID_BYTES_MAX {
            mistakes.push(mistake(&kid, "the key id", "is longer than 256 bytes"));
            continue;
        }
        let encoding = match encoding {
            config::SecretEncoding::Text => SecretEncoding::Text,
            config::SecretEncoding::Base64 => SecretEncoding::Base64,
            config::SecretEncoding::Base64Url => SecretEncoding::Base64Url,
            config::SecretEncoding::Hex => SecretEncoding::Hex,
        };
        let read = || {
            let text = inputs
                .files
                .read(&file.value)
                .map_err(|error| error.to_string())?;
            if text.len() > JWKS_BYTES_MAX {
                return Err("the file is larger than 1 MiB".to_owned());
            }
            let secret = encoding.decode(&text).map_err(|error| error.to_string())?;
            Key::from_secret(&kid.value, &secret, algorithms).map_err(|error| error.to_string())
        };
        match read() {
            Ok(key) => {
                keys.push(key);
                files.push(KeyFile {
                    holds: KeyFileKind::Secret(kid.value.into()),
                    path: file.value,
                });
            }
            Err(error) => {
                let message = format!("the secret in {} cannot be used: {error}", file.value.display());
                mistakes.push(Mistake::new(file.place.clone(), message));
            }
        }
    }
    (keys.len() == count).then(|| (KeySet::new(keys, Some(DEFAULT_KID)), files))
}

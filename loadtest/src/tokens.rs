//! Keys and tokens of the load, made once and kept: fifty thousand RSA signatures take half a minute.
//!
//! They open nothing but gateways that a run starts, and yet are private to their owner: nobody should have to think
//! about which keys on a machine matter. A file of tokens is made anew when the key has changed or its tokens are about
//! to run out.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use aws_lc_rs::signature::{self, ParsedPublicKey, VerificationAlgorithm};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use tollgate::mint::SigningKey;
use tollgate::token::Algorithm;

use crate::failure::{Failure, Result, While as _};
use crate::places;
use crate::terminal::progress;

pub(crate) const ISSUER: &str = "https://issuer.test/";
pub(crate) const AUDIENCE: &str = "https://api.test";
pub(crate) const CLIENT_ID: &str = "load-client";
pub(crate) const KID: &str = "k1";

/// Days ahead, so that one file serves the runs of some days.
const LIFETIME_SECONDS: i64 = 7 * 24 * 3600;
/// A run is shorter.
const LEFT_SECONDS_MIN: i64 = 3600;
/// How long the bare check is measured each time.
const VERIFICATION_TIME: Duration = Duration::from_millis(150);

/// A key pair and the files in which proxies read its public half.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) algorithm: Algorithm,
    pub(crate) directory: PathBuf,
    signing: SigningKey,
}

/// Whose tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Of one client id, with a subject each.
    Subjects,
    /// Of a client id each.
    Callers,
    /// As `Subjects`, with random signatures.
    Forged,
}

/// Checks signatures with a parsed key and nothing else: the least that a new token can cost.
pub(crate) struct BareCheck {
    key: ParsedPublicKey,
    /// What is signed, and the signature.
    signed: Vec<(Vec<u8>, Vec<u8>)>,
}

// === impl Keys ===

impl Keys {
    /// Those of the run before, or new ones.
    pub(crate) fn of(algorithm: Algorithm) -> Result<Self> {
        let directory = places::kept(&format!("keys/{}", algorithm.name()))?;
        let private = directory.join("key.pem");
        let signing = match fs::read_to_string(&private) {
            Ok(text) => SigningKey::from_pem(algorithm, &text).during(private.display())?,
            Err(_) => {
                let made = SigningKey::generate(algorithm).during("a new key")?;
                write_private(&private, made.to_pem().expose())?;
                made
            }
        };
        let keys = Self {
            algorithm,
            directory,
            signing,
        };
        let jwks = json!({ "keys": [keys.signing.public_jwk(KID)] }).to_string();
        fs::write(keys.public_pem(), keys.signing.public_pem()).during("public.pem")?;
        fs::write(keys.directory.join("jwks.json"), jwks).during("jwks.json")?;
        Ok(keys)
    }

    pub(crate) fn public_pem(&self) -> PathBuf {
        self.directory.join("public.pem")
    }

    pub(crate) fn jwks(&self) -> Result<String> {
        let path = self.directory.join("jwks.json");
        fs::read_to_string(&path).during(path.display())
    }

    /// So many different tokens, from the file of a run before if they last.
    pub(crate) fn tokens(&self, kind: Kind, count: usize) -> Result<Vec<String>> {
        let name = match kind {
            Kind::Subjects => "subjects",
            Kind::Callers => "callers",
            Kind::Forged => "forged",
        };
        let path = self.directory.join(format!("{name}-{count}.txt"));
        let now = jiff::Timestamp::now().as_second();
        if let Some(tokens) = self.kept(&path, count, now + LEFT_SECONDS_MIN) {
            return Ok(tokens);
        }
        let expires = now + LIFETIME_SECONDS;
        let tokens = self.made(kind, count, now, expires)?;
        let head = self.head(expires);
        write_private(&path, &format!("{head}\n{}\n", tokens.join("\n")))?;
        Ok(tokens)
    }

    /// What a file of tokens begins with: when they run out, and whose they are.
    fn head(&self, expires: i64) -> String {
        let key: String = self.signing.public_pem().split_whitespace().collect();
        format!("{expires} {key}")
    }

    fn kept(&self, path: &Path, count: usize, needed_until: i64) -> Option<Vec<String>> {
        let text = fs::read_to_string(path).ok()?;
        let mut lines = text.lines();
        let head = lines.next()?;
        let expires: i64 = head.split(' ').next()?.parse().ok()?;
        let tokens: Vec<String> = lines.map(str::to_owned).collect();
        (expires > needed_until && head == self.head(expires) && tokens.len() == count).then_some(tokens)
    }

    /// Signs on all cores.
    fn made(&self, kind: Kind, count: usize, now: i64, expires: i64) -> Result<Vec<String>> {
        let what = format!("{count} {} tokens", self.algorithm.name());
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let done = AtomicUsize::new(0);
        let one = |number: usize| {
            let token = self.mint(kind, number, now, expires)?;
            let made = done.fetch_add(1, Ordering::Relaxed) + 1;
            if made.is_multiple_of(1_000) {
                progress(&format!("{what}: {made}"));
            }
            Ok(token)
        };
        let part = count.div_ceil(threads).max(1);
        let parts: Vec<Result<Vec<String>>> = thread::scope(|scope| {
            let starts = (0..count).step_by(part);
            #[expect(
                clippy::needless_collect,
                reason = "all threads begin before the first one is waited for"
            )]
            let workers: Vec<_> = starts
                .map(|start| scope.spawn(move || (start..count.min(start + part)).map(one).collect()))
                .collect();
            let joined = workers.into_iter().map(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|_| Err(Failure::new("a thread that signs has died")))
            });
            joined.collect()
        });
        let parts: Result<Vec<Vec<String>>> = parts.into_iter().collect();
        Ok(parts?.concat())
    }

    fn mint(&self, kind: Kind, number: usize, now: i64, expires: i64) -> Result<String> {
        let client_id = match kind {
            Kind::Subjects | Kind::Forged => CLIENT_ID.to_owned(),
            Kind::Callers => caller(number),
        };
        let claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": format!("subject-{number}"), "azp": client_id,
            "iat": now, "exp": expires,
        });
        if kind == Kind::Forged {
            let header = json!({ "alg": self.algorithm.name(), "typ": "JWT", "kid": KID });
            let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
            return Ok(format!("{header}.{claims}.{}", self.random_signature()?));
        }
        self.signing.mint(Some(KID), &claims).during("a token")
    }

    /// Of the right length, and in the range of real ones: a number beyond it would be refused before the costly part.
    fn random_signature(&self) -> Result<String> {
        let mut bytes = vec![
            0;
            if self.algorithm == Algorithm::Rs256 {
                256
            } else {
                64
            }
        ];
        aws_lc_rs::rand::fill(&mut bytes).during("random bytes")?;
        let limited = match self.algorithm {
            Algorithm::Rs256 => bytes.first_mut().map(|most| *most &= 0x3f),
            // The second half is a number below 2^252, least byte first.
            Algorithm::Ed25519 => bytes.last_mut().map(|most| *most &= 0x0f),
            _ => Some(()),
        };
        limited.ok_or_else(|| Failure::new("a signature has bytes"))?;
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Over these tokens, which must be good ones.
    pub(crate) fn bare_check(&self, tokens: &[String]) -> Result<BareCheck> {
        let algorithm: &'static dyn VerificationAlgorithm = match self.algorithm {
            Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
            Algorithm::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
            Algorithm::Ed25519 => &signature::ED25519,
            other => return Err(Failure::new(format!("{} is in no scenario", other.name()))),
        };
        let pem = self.signing.public_pem();
        let base64: String = pem
            .lines()
            .map(str::trim)
            .filter(|line| !line.starts_with('-'))
            .collect();
        let der = base64::engine::general_purpose::STANDARD
            .decode(base64)
            .during("public.pem")?;
        let key = ParsedPublicKey::new(algorithm, &der).during("the public key")?;
        let signed = tokens.iter().map(|token| {
            let (message, signature) = token
                .rsplit_once('.')
                .ok_or_else(|| Failure::new("a token has three parts"))?;
            let signature = URL_SAFE_NO_PAD.decode(signature).during("a signature")?;
            Ok((message.as_bytes().to_vec(), signature))
        });
        let signed = signed.collect::<Result<_>>()?;
        Ok(BareCheck { key, signed })
    }
}

// === impl BareCheck ===

impl BareCheck {
    /// CPU time of one check on the core that this thread is on, in microseconds.
    pub(crate) fn cpu_us(&self) -> Result<f64> {
        let begun = Instant::now();
        let before = thread_cpu();
        let mut checks = 0_u32;
        for (message, signature) in self.signed.iter().cycle() {
            if self.key.verify_sig(message, signature).is_err() {
                return Err(Failure::new("a token of ours does not verify"));
            }
            checks += 1;
            if checks.is_multiple_of(64) && begun.elapsed() > VERIFICATION_TIME {
                break;
            }
        }
        let taken = thread_cpu().saturating_sub(before);
        Ok(taken.as_secs_f64() * 1e6 / f64::from(checks.max(1)))
    }
}

/// The client id of a caller among many.
pub(crate) fn caller(number: usize) -> String {
    format!("client-{number}")
}

/// The same token with another signature of the same form.
pub(crate) fn forged(token: &str) -> String {
    let (head, signature) = token.rsplit_once('.').unwrap_or((token, ""));
    let other = if signature.starts_with('A') { 'B' } else { 'A' };
    let rest: String = signature.chars().skip(1).collect();
    format!("{head}.{other}{rest}")
}

fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// A file that only its owner may read.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<()> {
    // A file that is there keeps its mode, so it is made anew.
    let _ = fs::remove_file(path);
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .during(path.display())?;
    file.write_all(text.as_bytes()).during(path.display())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use tollgate::mint::SigningKey;
    use tollgate::token::Algorithm;

    use super::{Keys, Kind, forged, fs};

    fn keys(algorithm: Algorithm, directory: &std::path::Path) -> Keys {
        Keys {
            algorithm,
            directory: directory.to_owned(),
            signing: SigningKey::generate(algorithm).unwrap(),
        }
    }

    #[test]
    fn tokens_are_kept_until_they_run_out_or_the_key_changes() {
        let directory = tempfile::tempdir().unwrap();
        let first = keys(Algorithm::Es256, directory.path());
        let tokens = first.tokens(Kind::Subjects, 5).unwrap();
        assert_eq!(tokens.len(), 5);
        assert_ne!(tokens[0], tokens[1], "each is another");
        assert_eq!(first.tokens(Kind::Subjects, 5).unwrap(), tokens, "kept");
        let path = directory.path().join("subjects-5.txt");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = fs::read_to_string(&path).unwrap();
        let (_, rest) = text.split_once(' ').unwrap();
        fs::write(&path, format!("1 {rest}")).unwrap();
        assert_ne!(first.tokens(Kind::Subjects, 5).unwrap(), tokens, "run out");
        let other = keys(Algorithm::Es256, directory.path());
        let fresh = first.tokens(Kind::Subjects, 5).unwrap();
        assert_ne!(other.tokens(Kind::Subjects, 5).unwrap(), fresh, "of another key");
    }

    #[test]
    fn good_tokens_pass_the_bare_check_and_forged_ones_do_not() {
        let directory = tempfile::tempdir().unwrap();
        for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::Ed25519] {
            let keys = keys(algorithm, directory.path());
            let good = keys.tokens(Kind::Callers, 2).unwrap();
            assert!(keys.bare_check(&good).unwrap().cpu_us().unwrap() > 0.0);
            let random = keys.tokens(Kind::Forged, 2).unwrap();
            let signature = |token: &str| token.rsplit_once('.').unwrap().1.len();
            assert_eq!(signature(&random[0]), signature(&good[0]), "of the same length");
            for bad in [random[0].clone(), forged(&good[0])] {
                assert!(
                    keys.bare_check(&[bad]).unwrap().cpu_us().is_err(),
                    "{}",
                    algorithm.name()
                );
            }
        }
    }
}

//! What a million revocations cost: memory, loading, looking, and how soon one more is obeyed.
//!
//! A program of its own, as the bench of the index is: resident memory can only be told of a process that holds nothing
//! else. A look is the whole question that a decision asks (`Marks::judge`): of a token that was found clean before, of
//! one that was not asked about, and of one that is revoked. Tokens are spread over memory as they are in a busy gateway.

#![expect(clippy::print_stdout, reason = "its output is what it is for")]
#![expect(
    clippy::unwrap_used,
    reason = "a bench that cannot be set up says so and ends"
)]

mod compiled;

use std::hint::black_box;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

use compiled::{NOW, SECONDS};
use serde_json::json;
use tollgate::api::Stages;
use tollgate::control::Publish;
use tollgate::control::registrar::{Actor, NewRevocation, Registrar, revocation_key};
use tollgate::control::state::records::{self, RevocationRecord, RevokedName};
use tollgate::control::state::{Batch, Key, Kind, OpenState, Store as _, Write, open};
use tollgate::mint::SigningKey;
use tollgate::revocation::{Holder, Marks, Named, Revocations};
use tollgate::snapshot::Snapshot;
use tollgate::subscription::Index;
use tollgate::token::Algorithm;

const ISSUER: &str = "https://login.example.com/";
/// Tokens that are asked about.
const TOKENS: usize = 100_000;
const ROUNDS: usize = 10;
const CHANGES: usize = 200;
const BATCH: usize = 20_000;
/// No factor in common with the sizes: neighbours in time are no neighbours in memory.
const STRIDE: usize = 7_919;

const CONFIGURATION: &str = r#"
[[listener]]
address = "127.0.0.1:0"
[[issuer]]
name = "https://login.example.com/"
algorithms = ["ES256"]
audiences = ["https://api.example.com"]
jwks.file = "jwks.json"
"#;

struct Fixed(Arc<Snapshot>);

impl Publish for Fixed {
    fn publish(&self, _: Arc<Snapshot>) {}

    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.0)
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // Cargo passes `--bench`; only children are told what to do.
    match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["fill", count, directory] => fill(count.parse().unwrap(), Path::new(directory)),
        ["measure", count, directory] => measure(count.parse().unwrap(), Path::new(directory)),
        _ => return everything(),
    }
    ExitCode::SUCCESS
}

fn everything() -> ExitCode {
    let own = std::env::current_exe().unwrap();
    println!("revocations  load    bytes each  remembered  first look  revoked  change: median, longest");
    for count in ["0", "1000", "1000000"] {
        let directory = tempfile::tempdir().unwrap();
        for task in ["fill", "measure"] {
            let mut child = Command::new(&own);
            let status = child.args([task, count]).arg(directory.path()).status();
            if !status.is_ok_and(|status| status.success()) {
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn jti(number: usize) -> String {
    format!("0d9c8b7a-1234-4cde-8f01-{number:012}")
}

/// Writes the store: so many tokens, by their ids.
fn fill(count: usize, directory: &Path) {
    let state = open(&directory.join("tollgate.redb")).unwrap();
    let key = revocation_key(&state.api_key_secret().unwrap());
    let writes: Vec<Write> = (0..count)
        .map(|number| {
            let jti = jti(number);
            let record = RevocationRecord {
                issuer: ISSUER.to_owned(),
                named: RevokedName::Jti(jti.clone()),
                issued_before: None,
                expires_at: (SECONDS + 3600) * 1000,
                revoked_at: SECONDS * 1000,
            };
            let id = key.digest(Named::Token, ISSUER, &jti).to_string();
            Write {
                key: Key::new(Kind::Revocation, id),
                value: Some(records::write(&record).unwrap()),
            }
        })
        .collect();
    for writes in writes.chunks(BATCH) {
        let batch = Batch {
            based_on: state.store.revision().unwrap(),
            writes: writes.to_vec(),
            note: Vec::new(),
        };
        state.store.commit(batch).unwrap();
    }
}

fn measure(count: usize, directory: &Path) {
    let signer = SigningKey::generate(Algorithm::Es256).unwrap();
    let jwks = json!({ "keys": [signer.public_jwk("k1")] }).to_string();
    let snapshot = Arc::new(compiled::compiled(CONFIGURATION, &jwks));
    let index = Arc::new(Index::default());
    let empty = resident_bytes();
    let begun = Instant::now();
    let state = open(&directory.join("tollgate.redb")).unwrap();
    let secret = state.api_key_secret().unwrap();
    let revocations = Arc::new(Revocations::new(revocation_key(&secret)));
    index.set_key_secret(secret);
    let OpenState { store, .. } = state;
    let registrar = Registrar::begin(
        Box::new(store),
        index,
        Arc::new(Fixed(snapshot)),
        Arc::new(Stages::default()),
        Arc::clone(&revocations),
    )
    .unwrap();
    let load = begun.elapsed();
    assert_eq!(revocations.len(), count, "all of it is there");
    let each = resident_bytes().saturating_sub(empty) / count.max(1);

    let clean = marks(&revocations, |number| format!("clean-{number}"));
    let first = time(&clean, &revocations, true, 1);
    let remembered = time(&clean, &revocations, true, ROUNDS);
    let named = marks(&revocations, |number| jti(number * STRIDE % count.max(1)));
    let revoked = time(&named, &revocations, count == 0, 1);

    let mut changes: Vec<Duration> = (0..CHANGES)
        .map(|number| {
            let new = json!({ "issuer": ISSUER, "jti": format!("one-more-{number}") });
            let new: NewRevocation = serde_json::from_value(new).unwrap();
            let begun = Instant::now();
            registrar.revoke(&Actor("bench".to_owned()), &new, None).unwrap();
            begun.elapsed()
        })
        .collect();
    changes.sort_unstable();
    let (median, longest) = (changes.get(CHANGES / 2).unwrap(), changes.last().unwrap());
    println!(
        "{count:<11}  {load:<6.1?}  {each:<10}  {remembered:<10.1?}  {first:<10.1?}  {revoked:<7.1?}  {median:.1?}, {longest:.1?}"
    );
}

fn marks(revocations: &Revocations, jti: impl Fn(usize) -> String) -> Vec<Marks> {
    let of = |number| Marks::new(revocations.key(), ISSUER, Some(&jti(number)), None, Some(NOW));
    (0..TOKENS).map(of).collect()
}

/// The time of one look, over all of these in turn, so often; each must be clean, or none.
fn time(tokens: &[Marks], revocations: &Revocations, clean: bool, rounds: usize) -> Duration {
    let holder = || Holder {
        issuer: ISSUER,
        subject: Some("5f0c2b7e-6b1f-4a7e-9c1d-0a2b3c4d5e6f"),
        client: Some("mobile-app"),
        key_id: Some("k1"),
    };
    let begun = Instant::now();
    for _ in 0..rounds {
        for token in tokens {
            assert_eq!(black_box(token).judge(revocations, holder).is_ok(), clean);
        }
    }
    begun.elapsed() / u32::try_from(rounds * tokens.len()).unwrap()
}

/// What the process holds in memory (Linux, `proc(5)`); 0 elsewhere.
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: usize = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .unwrap_or_default();
    pages * 4096
}

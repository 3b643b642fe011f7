//! Configurations: whatever the files hold, there is an answer in bounded time, the same each time, and every mistake can
//! be shown.
//!
//! Files are divided by lines of `%%`: the first is the main one, `t.toml`, the others are `d/0.toml`, `d/1.toml` and so
//! on. Any other file that is asked for holds a key.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::json;
use tollgate::api::Stages;
use tollgate::config::{Files, Mistakes, parse};
use tollgate::issuer::KeyRing;
use tollgate::snapshot::{Inputs, Snapshot, compile};
use tollgate::time::UnixTime;

use super::keys;

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);
const MAIN: &str = "t.toml";
/// What is shown of all mistakes together: a thousand at most, each of a bounded length.
const SHOWN_BYTES_MAX: usize = 4 << 20;

static PEM: LazyLock<String> = LazyLock::new(|| keys::ALL[0].public_pem());
static JWKS: LazyLock<String> = LazyLock::new(|| json!({ "keys": [keys::ALL[0].jwk] }).to_string());

struct Memory<'b>(Vec<&'b [u8]>);

/// One input.
pub fn run(bytes: &[u8]) {
    let memory = Memory::of(bytes);
    let ring = KeyRing::default();
    let once = memory.compiled(&ring);
    // A second time costs as much as the first, so not every input gets one.
    if bytes.len().is_multiple_of(8) {
        match (&once, memory.compiled(&ring)) {
            (Ok(_), Ok(_)) => {}
            (Err(once), Err(again)) => assert_eq!(once.to_string(), again.to_string()),
            _ => panic!("judged differently the second time"),
        }
    }
    match once {
        Ok(snapshot) => sound(&snapshot),
        Err(mistakes) => shown(&mistakes),
    }
}

/// What holds of every snapshot.
fn sound(snapshot: &Snapshot) {
    assert_eq!(snapshot.generation, 7);
    assert_eq!(snapshot.plans.len(), snapshot.plan_apis.len());
    for (index, plan) in snapshot.plans.iter().enumerate() {
        assert_eq!(plan.index, index);
    }
    for (index, api) in snapshot.apis.iter().enumerate() {
        assert_eq!(api.index, index);
    }
    for issuer in &snapshot.issuers {
        assert!(
            !issuer.rules.algorithms.is_empty(),
            "an issuer without algorithms"
        );
        assert!(issuer.rules.leeway.as_secs() <= 300);
    }
    for path in ["/", "/orders", "/orders/menu/1"] {
        let _ = snapshot.routes.find("any.example", path, "GET");
    }
}

/// What holds of every list of mistakes.
fn shown(mistakes: &Mistakes) {
    assert!(!mistakes.is_empty() && mistakes.len() >= mistakes.iter().count());
    let text = mistakes.to_string();
    assert!(text.len() <= SHOWN_BYTES_MAX, "{} bytes of mistakes", text.len());
    assert!(
        text.chars().all(|c| c == '\n' || !c.is_control()),
        "control characters in {text:?}"
    );
    for mistake in mistakes.iter() {
        let line = mistake.one_line();
        assert!(!line.contains('\n') && line.len() <= 1 << 14, "{line:?}");
        assert!(mistake.place.line >= 1 && mistake.place.column >= 1 && mistake.place.width >= 1);
    }
}

// === impl Memory ===

impl<'b> Memory<'b> {
    fn of(bytes: &'b [u8]) -> Self {
        let mut files = Vec::new();
        let mut rest = bytes;
        while let Some(at) = rest.windows(4).position(|four| four == b"\n%%\n") {
            files.push(&rest[..=at]);
            rest = &rest[at + 4..];
        }
        files.push(rest);
        files.truncate(16);
        Self(files)
    }

    fn compiled(&self, key_ring: &KeyRing) -> Result<Snapshot, Mistakes> {
        let inputs = Inputs {
            files: self,
            key_ring,
            stages: &Stages::default(),
            counters: &tollgate::limit::LocalCounters::default(),
            now: NOW,
            generation: 7,
        };
        compile(parse(Path::new(MAIN), self)?, inputs)
    }

    fn included(index: usize) -> PathBuf {
        PathBuf::from(format!("d/{index}.toml"))
    }
}

impl Files for Memory<'_> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        if path == Path::new(MAIN) {
            return Ok(self.0.first().map(|file| file.to_vec()).unwrap_or_default());
        }
        let included = self.0.iter().skip(1).enumerate();
        for (index, file) in included {
            if path == Self::included(index) {
                return Ok(file.to_vec());
            }
        }
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("pem") => Ok(PEM.clone().into_bytes()),
            Some("json") => Ok(JWKS.clone().into_bytes()),
            _ => Err(io::Error::new(io::ErrorKind::NotFound, "no such file")),
        }
    }

    fn list(&self, _: &Path) -> io::Result<Vec<PathBuf>> {
        Ok((0..self.0.len().saturating_sub(1)).map(Self::included).collect())
    }
}

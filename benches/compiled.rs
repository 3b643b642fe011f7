//! A snapshot from the text of a configuration, for every bench: what they decide by is compiled as the gateway does it,
//! so that no bench measures a shape that no gateway has.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use tollgate::api::Stages;
use tollgate::config::{Files, parse};
use tollgate::issuer::KeyRing;
use tollgate::snapshot::{Inputs, Snapshot, compile};
use tollgate::time::UnixTime;

/// The moment at which every bench decides, in seconds.
pub(crate) const SECONDS: i64 = 1_800_000_000;
/// The same moment.
pub(crate) const NOW: UnixTime = UnixTime::from_seconds(SECONDS);

struct Memory(BTreeMap<PathBuf, String>);

// === impl Memory ===

impl Files for Memory {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let text = self.0.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(text.clone().into_bytes())
    }

    fn list(&self, _: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }
}

/// The configuration compiled, with this key set in `jwks.json`.
pub(crate) fn compiled(configuration: &str, jwks: &str) -> Snapshot {
    let files = [("t.toml", configuration), ("jwks.json", jwks)];
    let files = Memory(files.map(|(path, text)| (path.into(), text.to_owned())).into());
    let inputs = Inputs {
        files: &files,
        key_ring: &KeyRing::default(),
        stages: &Stages::default(),
        counters: &tollgate::limit::LocalCounters::default(),
        now: NOW,
        generation: 1,
    };
    let config = parse(Path::new("t.toml"), &files).map_err(|mistakes| mistakes.to_string());
    let snapshot = compile(config.unwrap(), inputs).map_err(|mistakes| mistakes.to_string());
    snapshot.unwrap()
}

//! Every configuration that this repository shows must be one that Tollgate takes.
//!
//! The examples are what people copy, so they are held to the same parser and the same compiler, and
//! `conf/tollgate.toml` to the decoder's own list of keys: a key that is added without being explained there fails here.
//! Key files that an example names are made up.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;
use tollgate::api::Stages;
use tollgate::config::{Config, Files, Mistakes, known_keys, parse};
use tollgate::issuer::KeyRing;
use tollgate::mint::{SharedSecret, SigningKey};
use tollgate::secret::Secret;
use tollgate::snapshot::{Inputs, Snapshot, compile};
use tollgate::time::UnixTime;
use tollgate::token::Algorithm;

type Outcome = Result<(), Box<dyn Error>>;

#[test]
fn every_file_in_conf_is_a_configuration() -> Outcome {
    let files = found("conf", "toml")?;
    assert!(files.len() >= 5, "the examples are gone: {files:?}");
    let keys = Keys::new()?;
    for file in files {
        let snapshot = compiled(parse(&file, &Disk), &keys).map_err(|mistakes| mistakes.to_string())?;
        assert!(
            !snapshot.plans.is_empty(),
            "{}: nothing is on offer",
            file.display()
        );
    }
    Ok(())
}

#[test]
fn the_reference_has_every_key() -> Outcome {
    let mentioned = mentioned_keys(&uncommented(&fs::read_to_string("conf/tollgate.toml")?));
    let missing: Vec<_> = known_keys()
        .into_iter()
        .filter(|(table, key)| !mentioned.contains(&join(table, key)))
        .collect();
    assert_eq!(
        missing,
        [],
        "keys that conf/tollgate.toml does not mention, as (table, key)"
    );
    Ok(())
}

#[test]
fn the_reference_is_right_in_its_comments_too() -> Outcome {
    let text = uncommented(&fs::read_to_string("conf/tollgate.toml")?);
    let config = parse(Path::new("tollgate.toml"), &Text(text));
    compiled(config, &Keys::new()?).map_err(|mistakes| mistakes.to_string())?;
    Ok(())
}

#[test]
fn every_toml_block_of_the_documents_is_a_configuration() -> Outcome {
    let mut documents = found("docs", "md")?;
    documents.push(PathBuf::from("README.md"));
    let keys = Keys::new()?;
    let mut whole = 0;
    for document in documents {
        for block in toml_blocks(&fs::read_to_string(&document)?) {
            // What listens is a whole configuration, everything else a part of one.
            let is_whole = block.contains("[[listener]]");
            let config = parse(&document, &Text(block));
            if is_whole {
                compiled(config, &keys).map_err(|mistakes| mistakes.to_string())?;
                whole += 1;
            } else {
                config.map_err(|mistakes| mistakes.to_string())?;
            }
        }
    }
    assert!(whole >= 1, "the README shows no configuration");
    Ok(())
}

/// The file system.
struct Disk;

/// One text, whatever file is asked for first; it includes nothing.
struct Text(String);

/// A key set for every `*.json` that is asked for, a secret for every `*.txt`, a certificate for every `*.crt`, its
/// private key for every `*.key`, no approvals, a public key for every other file, and the secret for every variable.
struct Keys {
    jwks: String,
    secret: Secret<String>,
    certificate: String,
    private: String,
    pem: String,
    /// What the token service would sign with.
    own: Secret<String>,
}

// === impl Disk ===

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect()
    }
}

// === impl Text ===

impl Files for Text {
    fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
        Ok(self.0.clone().into_bytes())
    }

    fn list(&self, _: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }
}

// === impl Keys ===

impl Keys {
    fn new() -> Result<Self, Box<dyn Error>> {
        let key = SigningKey::generate(Algorithm::Es256)?;
        let (certificate, private) = certificate()?;
        Ok(Self {
            jwks: json!({ "keys": [key.public_jwk("k1")] }).to_string(),
            secret: SharedSecret::generate(Algorithm::Hs512)?,
            certificate,
            private,
            pem: key.public_pem(),
            own: key.to_pem(),
        })
    }
}

impl Files for Keys {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let text = match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => &self.jwks,
            Some("txt") => self.secret.expose(),
            Some("crt") => &self.certificate,
            Some("key") => &self.private,
            Some("approvals") => return Err(io::ErrorKind::NotFound.into()),
            _ => &self.pem,
        };
        Ok(text.clone().into_bytes())
    }

    fn read_private(&self, _: &Path) -> io::Result<Vec<u8>> {
        Ok(self.own.expose().clone().into_bytes())
    }

    fn list(&self, _: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }

    fn variable(&self, _: &str) -> Option<String> {
        Some(self.secret.expose().clone())
    }
}

fn certificate() -> Result<(String, String), Box<dyn Error>> {
    let key = rcgen::KeyPair::generate()?;
    let certificate = rcgen::CertificateParams::default().self_signed(&key)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

/// What the gateway would run.
fn compiled(config: Result<Config, Mistakes>, keys: &Keys) -> Result<Snapshot, Mistakes> {
    let inputs = Inputs {
        files: keys,
        key_ring: &KeyRing::default(),
        stages: &Stages::default(),
        counters: &tollgate::limit::LocalCounters::default(),
        now: UnixTime::from_seconds(0),
        generation: 1,
    };
    compile(config?, inputs)
}

/// Files below a directory, by extension; none if there is no such directory.
fn found(directory: &str, extension: &str) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut directories = vec![PathBuf::from(directory)];
    while let Some(directory) = directories.pop().filter(|directory| directory.exists()) {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The fenced blocks marked `toml`. Empty lines stand in for what is before, so that places are the document's.
fn toml_blocks(document: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut block: Option<String> = None;
    for (index, line) in document.lines().enumerate() {
        match (&mut block, line.trim()) {
            (None, "```toml") => block = Some("\n".repeat(index + 1)),
            (None, _) => {}
            (Some(_), "```") => blocks.extend(block.take()),
            (Some(block), _) => {
                block.push_str(line);
                block.push('\n');
            }
        }
    }
    blocks
}

/// The text with keys and tables behind a single `#` set.
fn uncommented(text: &str) -> String {
    let mut set = String::new();
    for line in text.lines() {
        let code = line.strip_prefix("# ").filter(|code| {
            let key = code.split(" = ").next().unwrap_or_default();
            let is_key = key
                .chars()
                .all(|c| c.is_ascii_lowercase() || c == '_' || c == '.');
            code.starts_with('[') || (code.contains(" = ") && is_key)
        });
        set.push_str(code.unwrap_or(line));
        set.push('\n');
    }
    set
}

/// Every key of a document, with the tables that it is in; names in `keys`, `secrets` and `claim_headers` are the operator's.
fn mentioned_keys(text: &str) -> BTreeSet<String> {
    let mut mentioned = BTreeSet::new();
    match text.parse::<toml::Table>() {
        Ok(table) => mention(&toml::Value::Table(table), "", &mut mentioned),
        Err(error) => assert_eq!(error.to_string(), ""),
    }
    mentioned
}

fn mention(value: &toml::Value, path: &str, mentioned: &mut BTreeSet<String>) {
    match value {
        toml::Value::Table(table) => {
            for (key, below) in table {
                let named_by_operator = ["issuer.keys", "issuer.secrets"].contains(&path) && below.is_table();
                let key = if named_by_operator {
                    path.to_owned()
                } else {
                    join(path, key)
                };
                mention(below, &key, mentioned);
                mentioned.insert(key);
            }
        }
        toml::Value::Array(members) => members.iter().for_each(|member| mention(member, path, mentioned)),
        _ => {}
    }
}

fn join(table: &str, key: &str) -> String {
    if table.is_empty() {
        key.to_owned()
    } else {
        format!("{table}.{key}")
    }
}

//! `tollgate explain`: what would become of a request, every stage of it, and the lines of the configuration that
//! decided. It serves nothing, and asks nobody but the token's issuer for its keys, and only where none were given.
//!
//! The exit code says what was decided: 0 permitted, 1 denied. So everything else that may go wrong has another one.

use std::io::Read as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::{ConfigFile, fail};
use crate::access::{Counting, DataPlane};
use crate::api::Stages;
use crate::control::load::load;
use crate::control::once::fetch_keys;
use crate::exit;
use crate::explain::{Explanation, Question, explain};
use crate::issuer::{Issuer, KeyRing, KeySource};
use crate::limit::{Forgeries, LocalCounters};
use crate::revocation::{Revocations, Table};
use crate::secret::Secret;
use crate::snapshot::Snapshot;
use crate::subscription::Index;
use crate::time::{Clock, UnixTime};
use crate::token::{Cache, JWKS_BYTES_MAX, Jwks, Skipped, TOKEN_BYTES_MAX, parse_jwks};

/// Says what would become of a request, stage by stage, and which lines of the configuration decided it. Ends with 0 if
/// the request would be permitted and with 1 if it would be denied.
#[derive(Debug, Args)]
pub(super) struct Explain {
    #[command(flatten)]
    config: ConfigFile,
    /// The bearer token; `-` reads it from standard input, which keeps it out of the shell's history.
    #[arg(long, value_name = "TOKEN|-", value_parser = secret, conflicts_with = "token_file")]
    token: Option<Secret<String>>,
    /// A file with the bearer token.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// A header field; may be given several times.
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = field)]
    headers: Vec<(String, Secret<String>)>,
    /// `Host`; default: that of the URL, else `localhost`.
    #[arg(long)]
    host: Option<String>,
    /// The method.
    #[arg(long, default_value = "GET")]
    method: String,
    /// Path and query, or a whole URL.
    #[arg(long)]
    url: String,
    /// The address of the caller.
    #[arg(long, value_name = "ADDRESS")]
    client_ip: Option<IpAddr>,
    /// When the request comes: as RFC 3339 writes it, or in Unix seconds; default: now.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    at: Option<UnixTime>,
    /// A key set for the token's issuer, or for the one that is named; may be given several times.
    #[arg(long, value_name = "[ISSUER=]FILE")]
    jwks: Vec<String>,
    /// Fetch no keys.
    #[arg(long)]
    offline: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// The key sets that were given.
#[derive(Default)]
struct Given {
    /// For the token's issuer, whoever that is.
    any: Option<(String, Jwks)>,
    notes: Vec<String>,
}

// === impl Explain ===

impl Explain {
    pub(super) fn run(self) -> ExitCode {
        let counters = LocalCounters::default();
        let (key_ring, stages) = (KeyRing::default(), Stages::default());
        let snapshot = match load(&self.config.config, &key_ring, &stages, &counters, 0).snapshot {
            Ok(snapshot) => snapshot,
            Err(mistakes) => return fail(exit::BAD_CONFIGURATION, &mistakes.to_string()),
        };
        let now = self.at.unwrap_or_else(|| Clock.now());
        match self.explanation(&snapshot, &counters, now) {
            Ok(explanation) => {
                let text = match self.json {
                    true => explanation.to_json_text(),
                    false => explanation.to_text(),
                };
                super::say(text.trim_end());
                match explanation.is_permitted() {
                    true => ExitCode::SUCCESS,
                    false => ExitCode::from(exit::DENIED),
                }
            }
            Err(message) => fail(exit::BAD_USAGE, &message),
        }
    }

    fn explanation(
        &self,
        snapshot: &Snapshot,
        counters: &LocalCounters,
        now: UnixTime,
    ) -> Result<Explanation, String> {
        let question = self.question()?;
        let mut given = self.given(snapshot, now)?;
        let index = Index::default();
        index.admit(&snapshot.declared);
        // Whether a token was taken back is for the running gateway to say.
        for source in snapshot
            .issuers
            .iter()
            .filter_map(|issuer| issuer.revocations.as_deref())
        {
            source.list.replace(Table::default(), now);
        }
        // Every token is verified: what is remembered would tell less.
        let verdicts = Cache::new(0);
        let plane = DataPlane {
            snapshot,
            index: &index,
            verdicts: &verdicts,
            forgeries: &Forgeries::default(),
            counting: Counting::Asks(counters),
            revocations: &Revocations::default(),
        };
        let ask = || explain(&plane, &question, self.client_ip, now);
        let mut explanation = ask();
        let named = explanation.issuer.clone();
        let issuer = snapshot
            .issuers
            .iter()
            .find(|issuer| Some(&issuer.name) == named.as_ref());
        match (given.any.take(), issuer) {
            (Some((file, jwks)), Some(issuer)) => {
                given.note_keys(&file, issuer, &jwks.skipped);
                issuer.ring.install(jwks.keys, now);
                explanation = ask();
            }
            (Some((file, _)), None) => given
                .notes
                .push(format!("{file} was not used: no issuer was found")),
            (None, Some(issuer)) if explanation.lacks_keys() => {
                given.notes.push(self.fetch(issuer, now));
                explanation = ask();
            }
            (None, _) => {}
        }
        if let Some(issuer) = issuer.filter(|issuer| issuer.revocations.is_some()) {
            given.notes.push(format!(
                "the revocation list of {} was not looked at: a running gateway has it (POST /v1/explain)",
                issuer.name
            ));
        }
        explanation.notes = given.notes;
        Ok(explanation)
    }

    /// Fetches the keys of this issuer, if that may be; says what came of it.
    fn fetch(&self, issuer: &Issuer, now: UnixTime) -> String {
        let name = &issuer.name;
        let KeySource::Jwks(schedule) = &issuer.source else {
            return format!("the keys of {name} are files");
        };
        if self.offline {
            return format!("the keys of {name} were not fetched (--offline); --jwks takes them from a file");
        }
        let fetched = fetch_keys(name, schedule).and_then(|jwks| {
            let count = jwks.keys.keys().len();
            let offered = issuer.ring.offer(jwks, &schedule.terms, now);
            offered.map_err(|refused| refused.suspicion.to_string())?;
            Ok(count)
        });
        match fetched {
            Ok(count) => format!(
                "the keys of {name} were fetched from {}: {count}",
                schedule.address.url()
            ),
            Err(error) => format!("the keys of {name} could not be fetched: {error}"),
        }
    }

    fn question(&self) -> Result<Question, String> {
        let token = self.read_token()?;
        let host = self.host.as_deref();
        Question::written(&self.method, &self.url, host, &self.headers, token.as_ref())
            .map_err(|error| format!("this is no request: {error}"))
    }

    fn read_token(&self) -> Result<Option<Secret<String>>, String> {
        let text = match (&self.token, &self.token_file) {
            (Some(token), _) if token.expose() == "-" => read_text(std::io::stdin(), "standard input")?,
            (Some(token), _) => token.clone(),
            (None, Some(file)) => {
                let name = file.display().to_string();
                let opened = std::fs::File::open(file).map_err(|error| format!("{name}: {error}"))?;
                read_text(opened, &name)?
            }
            (None, None) => return Ok(None),
        };
        Ok(Some(Secret::new(text.expose().trim().to_owned())))
    }

    /// Puts the key sets in place that name their issuer.
    fn given(&self, snapshot: &Snapshot, now: UnixTime) -> Result<Given, String> {
        let mut given = Given::default();
        for text in &self.jwks {
            // Issuers' names are URLs, which may have a `=`.
            let named = snapshot.issuers.iter().filter_map(|issuer| {
                let file = text.strip_prefix(issuer.name.as_str())?.strip_prefix('=')?;
                Some((issuer, file))
            });
            match named.max_by_key(|(issuer, _)| issuer.name.as_str().len()) {
                Some((issuer, file)) => {
                    let jwks = read_jwks(Path::new(file))?;
                    given.note_keys(file, issuer, &jwks.skipped);
                    issuer.ring.install(jwks.keys, now);
                }
                None if given.any.is_some() => {
                    return Err(format!(
                        "--jwks {text}: there is one already for the token's issuer; write ISSUER=FILE with a name of \
                         the configuration"
                    ));
                }
                None => given.any = Some((text.clone(), read_jwks(Path::new(text))?)),
            }
        }
        Ok(given)
    }
}

// === impl Given ===

impl Given {
    fn note_keys(&mut self, file: &str, issuer: &Issuer, skipped: &[Skipped]) {
        let name = &issuer.name;
        self.notes.push(format!("the keys of {name} are those of {file}"));
        for skipped in skipped {
            let kid = skipped.kid.as_deref().unwrap_or("without kid");
            self.notes.push(format!(
                "key {} ({kid}) of {file} is not used: {}",
                skipped.index, skipped.error
            ));
        }
    }
}

/// At most what a token may have, and a little more, so that one that is too long is refused as such.
fn read_text(from: impl std::io::Read, name: &str) -> Result<Secret<String>, String> {
    let mut text = String::new();
    let bound = u64::try_from(TOKEN_BYTES_MAX)
        .unwrap_or(u64::MAX)
        .saturating_add(4096);
    match from.take(bound).read_to_string(&mut text) {
        Ok(_) => Ok(Secret::new(text)),
        Err(error) => Err(format!("{name}: {error}")),
    }
}

fn read_jwks(file: &Path) -> Result<Jwks, String> {
    let say = |error: String| format!("{}: {error}", file.display());
    let opened = std::fs::File::open(file).map_err(|error| say(error.to_string()))?;
    let bound = u64::try_from(JWKS_BYTES_MAX)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    let mut text = Vec::new();
    opened
        .take(bound)
        .read_to_end(&mut text)
        .map_err(|error| say(error.to_string()))?;
    parse_jwks(&text).map_err(|error| say(error.to_string()))
}

#[expect(clippy::unnecessary_wraps, reason = "the form of a value parser")]
fn secret(text: &str) -> Result<Secret<String>, String> {
    Ok(Secret::new(text.to_owned()))
}

/// `Name: value`; white space around the value is not part of it (RFC 9110 section 5.5).
fn field(text: &str) -> Result<(String, Secret<String>), String> {
    let (name, value) = text.split_once(':').ok_or("a header field is `Name: value`")?;
    Ok((name.to_owned(), Secret::new(value.trim().to_owned())))
}

fn moment(text: &str) -> Result<UnixTime, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(UnixTime::from_seconds(seconds));
    }
    let time: Result<jiff::Timestamp, _> = text.parse();
    time.map(|time| UnixTime::from_millis(time.as_millisecond()))
        .map_err(|_| "a time is 2026-01-31T12:00:00Z, or a number of Unix seconds".to_owned())
}

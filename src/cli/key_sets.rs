//! `tollgate keys`: the key sets of issuers, as an operator looks at them when the gateway has put one aside.
//!
//! `show` fetches a set by the way the gateway would, and prints what names it. `approve` writes that name into the file
//! of approvals, which the running gateway watches. Neither talks to the gateway, so both work whatever state it is in.

use std::fs::{OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{fail, say};
use crate::api::Stages;
use crate::control::load::load;
use crate::control::once::fetch_keys;
use crate::exit;
use crate::id::IssuerName;
use crate::issuer::{APPROVAL_LIFETIME, Approval, Approvals, Issuer, JwksSchedule, KeyRing, KeySource};
use crate::limit::LocalCounters;
use crate::snapshot::Snapshot;
use crate::time::Clock;
use crate::token::{Fingerprint, Jwks, KeySet};

/// Key sets of issuers.
#[derive(Debug, Args)]
#[command(
    after_help = "A key set that looks hijacked is put aside, and the log says `keys_quarantined` with its \
                        fingerprint. Ask the issuer, by another way, whether these keys are theirs; `show` lists \
                        them. If they are, `approve` the fingerprint, and the gateway takes that set and no other."
)]
pub(super) struct Keys {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Fetch the key sets that issuers show now, and print them.
    Show(Show),
    /// Let in one key set although it looks hijacked.
    Approve(Approve),
}

#[derive(Debug, Args)]
struct Show {
    #[command(flatten)]
    config: super::ConfigFile,
    /// The issuer's name; without it, all issuers whose keys are fetched.
    #[arg(long, value_name = "NAME")]
    issuer: Option<String>,
}

#[derive(Debug, Args)]
struct Approve {
    #[command(flatten)]
    config: super::ConfigFile,
    /// The issuer's name.
    #[arg(long, value_name = "NAME")]
    issuer: String,
    /// What names the set: `fingerprint` in the gateway's log and in what `show` prints.
    #[arg(long, value_name = "SHA256")]
    fingerprint: Fingerprint,
}

// === impl Keys ===

impl Keys {
    pub(super) fn run(self) -> ExitCode {
        match self.action {
            Action::Show(show) => show.run(),
            Action::Approve(approve) => approve.run(),
        }
    }
}

/// The configuration, or the exit code with everything said.
fn configured(config: &Path) -> Result<Snapshot, ExitCode> {
    load(
        config,
        &KeyRing::default(),
        &Stages::default(),
        &LocalCounters::default(),
        0,
    )
    .snapshot
    .map_err(|mistakes| fail(exit::BAD_CONFIGURATION, &mistakes.to_string()))
}

/// The issuers whose keys are fetched; one of them, if it is named.
fn fetched<'s>(
    snapshot: &'s Snapshot,
    named: Option<&str>,
) -> Result<Vec<(&'s Issuer, &'s JwksSchedule)>, ExitCode> {
    let fetched = snapshot.issuers.iter().filter_map(|issuer| match &issuer.source {
        KeySource::Jwks(schedule) => Some((issuer.as_ref(), schedule.as_ref())),
        KeySource::Files(_) => None,
    });
    let wanted: Vec<_> = fetched
        .filter(|(issuer, _)| named.is_none_or(|named| issuer.name.as_str() == named))
        .collect();
    match named {
        Some(named) if wanted.is_empty() => Err(fail(
            exit::FAILED,
            &format!("there is no issuer `{named}` whose keys are fetched"),
        )),
        _ => Ok(wanted),
    }
}

// === impl Show ===

impl Show {
    fn run(self) -> ExitCode {
        let snapshot = match configured(&self.config.config) {
            Ok(snapshot) => snapshot,
            Err(code) => return code,
        };
        let issuers = match fetched(&snapshot, self.issuer.as_deref()) {
            Ok(issuers) => issuers,
            Err(code) => return code,
        };
        let mut code = ExitCode::SUCCESS;
        for (issuer, schedule) in issuers {
            match fetch_keys(&issuer.name, schedule) {
                Ok(jwks) => say(&described(&issuer.name, schedule, &jwks)),
                Err(error) => code = fail(exit::FAILED, &format!("{}: {error}", issuer.name)),
            }
        }
        code
    }
}

fn described(issuer: &IssuerName, schedule: &JwksSchedule, jwks: &Jwks) -> String {
    let Jwks { keys, skipped } = jwks;
    let mut lines = vec![
        format!("issuer       {issuer}"),
        format!("from         {}", schedule.address.url()),
        format!("fingerprint  {}", keys.fingerprint()),
    ];
    if let Some(approval) = schedule.terms.approval {
        let until = approval.at.plus(APPROVAL_LIFETIME);
        let until = jiff::Timestamp::from_second(until.seconds()).unwrap_or_default();
        let which = if approval.fingerprint == keys.fingerprint() {
            "this set".to_owned()
        } else {
            format!("another set, {}", approval.fingerprint)
        };
        lines.push(format!("approved     {which}, to be taken until {until}"));
    }
    for key in keys.keys() {
        let algorithms: Vec<&str> = key.algorithms().map(|algorithm| algorithm.name()).collect();
        let kid = key.kid().unwrap_or("(without kid)");
        lines.push(format!(
            "key          {}: {}, {}",
            printable(kid),
            algorithms.join(" "),
            key.material()
        ));
    }
    for bad in skipped {
        let kid = bad.kid.as_deref().unwrap_or("(without kid)");
        let verdict = if bad.is_suspicious() {
            "; a gateway that holds keys puts the set aside unless it has seen this one before"
        } else {
            ""
        };
        lines.push(format!("not used     {}: {}{verdict}", printable(kid), bad.error));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// What an issuer wrote, for a terminal.
fn printable(text: &str) -> String {
    text.escape_debug().to_string()
}

// === impl Approve ===

impl Approve {
    fn run(self) -> ExitCode {
        let Self {
            config: super::ConfigFile { config },
            issuer,
            fingerprint,
        } = self;
        let snapshot = match configured(&config) {
            Ok(snapshot) => snapshot,
            Err(code) => return code,
        };
        if let Err(code) = fetched(&snapshot, Some(&issuer)) {
            return code;
        }
        if fingerprint == KeySet::default().fingerprint() {
            return fail(exit::FAILED, "a set without any usable key cannot be approved");
        }
        if issuer.contains(char::is_control) {
            return fail(
                exit::FAILED,
                "an issuer whose name has control characters cannot be approved",
            );
        }
        let path = &snapshot.approvals;
        match approve(path, &IssuerName::new(issuer.as_str()), fingerprint) {
            Ok(()) => {
                say(&format!(
                    "{}: the set {fingerprint} of {issuer} is approved; a running gateway takes it at once if the \
                     issuer shows it, within a day, and once",
                    path.display()
                ));
                ExitCode::SUCCESS
            }
            Err(error) => fail(exit::FAILED, &format!("{}: {error}", path.display())),
        }
    }
}

/// Adds an approval to the file, in one step: a gateway that looks meanwhile sees the old file or the new one.
fn approve(path: &Path, issuer: &IssuerName, fingerprint: Fingerprint) -> io::Result<()> {
    let mut approvals = match std::fs::read(path) {
        // What cannot be read approves nothing now, and need not be kept.
        Ok(text) => Approvals::parse(&text).unwrap_or_default(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Approvals::default(),
        Err(error) => return Err(error),
    };
    let at = Clock.now();
    approvals.approve(issuer, Approval { fingerprint, at });
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let new = path.with_file_name(name);
    let written = write_new(&new, &approvals.to_text()).and_then(|()| std::fs::rename(&new, path));
    if written.is_err() {
        // What was begun; if it is not there, nothing was.
        let _ = std::fs::remove_file(&new);
    }
    written
}

/// Writes a new file that everybody may read and only its owner may write: approvals are no secret, and the gateway must
/// be able to read what root has written.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    // Whatever the umask says.
    file.set_permissions(Permissions::from_mode(0o644))?;
    file.sync_all()
}

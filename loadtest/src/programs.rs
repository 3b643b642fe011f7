//! The programs that are measured: built by one call of cargo, with one profile, from one lock file.
//! A baseline that was compiled otherwise than the gateway would be part of the difference.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::failure::{Failure, Result, While as _};
use crate::places;
use crate::sides::Binaries;
use crate::terminal::note;

/// Builds them, or takes them from where they are.
pub(crate) fn programs(profile: &str, binaries: Option<&Path>, other: Option<&Path>) -> Result<Binaries> {
    let other = other.map(absolute).transpose()?;
    if let Some(directory) = binaries {
        let directory = absolute(directory)?;
        return complete(other, |name| {
            let path = directory.join(name);
            path.is_file().then_some(path)
        });
    }
    note(&format!("building with profile {profile}"));
    let mut command = Command::new("cargo");
    command.args(["build", "--locked", "--profile", profile]);
    command.args(["--package", "tollgate", "--package", "loadtest", "--bins"]);
    command.args(["--message-format", "json-render-diagnostics"]);
    let done = command
        .current_dir(places::repository())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .during("cargo")?;
    if !done.status.success() {
        return Err(Failure::new("the build failed"));
    }
    let text = String::from_utf8_lossy(&done.stdout);
    let built: Vec<PathBuf> = text
        .lines()
        .filter_map(|line| {
            let message: Value = serde_json::from_str(line).ok()?;
            message.get("executable")?.as_str().map(PathBuf::from)
        })
        .collect();
    complete(other, |name| {
        let named = |path: &&PathBuf| path.file_name().is_some_and(|file| file == name);
        built.iter().find(named).cloned()
    })
}

fn complete(other: Option<PathBuf>, found: impl Fn(&str) -> Option<PathBuf>) -> Result<Binaries> {
    let program = |name: &str| {
        found(name)
            .ok_or_else(|| Failure::new(format!("there is no program {name}: cargo build --workspace")))
    };
    Ok(Binaries {
        tollgate: program("tollgate")?,
        bare_proxy: program("bare-proxy")?,
        origin: program("origin")?,
        other,
    })
}

/// Processes start in directories of their own.
fn absolute(path: &Path) -> Result<PathBuf> {
    path.canonicalize().during(path.display())
}

//! `tollgate run` and `tollgate check`: the same compilation, with and without serving.
//! Both end with 78 when the configuration is not acceptable, so that a service manager need not try again.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tracing::level_filters::LevelFilter;

use super::{fail, say};
use crate::api::Stages;
use crate::app::{App, Hangups, StartError, catch_hangups, start_log};
use crate::control::load::load;
use crate::exit;
use crate::issuer::KeyRing;
use crate::limit::LocalCounters;
use crate::time::Clock;

pub(super) fn run(config: PathBuf) -> ExitCode {
    // First of all: SIGHUP's default would kill the process.
    let hangups = match catch_hangups() {
        Ok(hangups) => hangups,
        Err(error) => return fail(exit::FAILED, &format!("signals cannot be caught: {error}")),
    };
    start_log(LevelFilter::INFO);
    match App::prepare(config) {
        Ok(app) => serve(app, hangups),
        Err(error) => refused(&error),
    }
}

/// Serves until a signal ends it.
pub(super) fn serve(app: App, hangups: Hangups) -> ExitCode {
    match app.run(hangups) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refused(&error),
    }
}

/// Says why the gateway does not start.
pub(super) fn refused(error: &StartError) -> ExitCode {
    let code = match error {
        StartError::Configuration(_) | StartError::Conflict(_) => exit::BAD_CONFIGURATION,
        StartError::State(_) => exit::STATE_UNUSABLE,
        StartError::Bind(_) => exit::CANNOT_BIND,
        StartError::Admin(_) | StartError::Log(_) | StartError::Telemetry(_) => exit::FAILED,
    };
    fail(code, &error.to_string())
}

pub(super) fn check(config: &Path) -> ExitCode {
    let now = Clock.now();
    match load(
        config,
        &KeyRing::default(),
        &Stages::default(),
        &LocalCounters::default(),
        0,
    )
    .snapshot
    {
        Ok(snapshot) => {
            for warning in &snapshot.warnings {
                say(&format!("warning: {warning}"));
            }
            say(&format!(
                "{}: valid (APIs: {}, plans on offer: {}, issuers: {}, applications: {}, subscriptions: {})",
                config.display(),
                snapshot.apis.len(),
                snapshot.plans.iter().filter(|plan| plan.is_on_offer(now)).count(),
                snapshot.issuers.len(),
                snapshot.declared.applications.len(),
                snapshot.declared.subscriptions.len(),
            ));
            ExitCode::SUCCESS
        }
        Err(mistakes) => fail(exit::BAD_CONFIGURATION, &mistakes.to_string()),
    }
}

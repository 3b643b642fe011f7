//! What goes on around revocations while the gateway runs: those that are over are removed, and all are counted.
//! Decisions need neither: an entry that stays too long refuses tokens that nobody has any more.

use std::sync::Arc;
use std::time::Duration;

use crate::control::registrar::Registrar;
use crate::issuer::Issuer;
use crate::proxy::Cell;
use crate::revocation::Revocations;
use crate::telemetry::Telemetry;
use crate::time::{Clock, UnixTime};

/// Between two looks for revocations that are over.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Counts them when Prometheus asks, and says how old issuers' lists are.
pub(super) fn watch(telemetry: &Telemetry, cell: &Arc<Cell>, revocations: &Arc<Revocations>) {
    let (cell, revocations) = (Arc::clone(cell), Arc::clone(revocations));
    telemetry.on_scrape(Box::new(move |telemetry| {
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        telemetry.revocations.set(count(revocations.len()));
        let now = Clock.now();
        for issuer in &cell.snapshot().issuers {
            let held = issuer.revocations.as_ref().map(|source| source.list.held());
            let Some(held) = held.as_ref().and_then(|held| held.as_ref()) else {
                continue;
            };
            let name = issuer.name.as_str();
            let age = now.since(held.fetched_at()).as_secs();
            let age = i64::try_from(age).unwrap_or(i64::MAX);
            telemetry.revocation_list_age.child(&[name]).set(age);
            telemetry
                .revocation_list_entries
                .child(&[name])
                .set(count(held.table().len()));
        }
    }));
}

/// What is wrong with an issuer's list, as a line below the word `ready`.
pub(super) fn trouble(issuer: &Issuer, now: UnixTime) -> Option<String> {
    let source = issuer.revocations.as_deref()?;
    let held = source.list.held();
    let refused = match source.when.usable(held.as_deref(), now) {
        Ok(_) => "",
        Err(_) => "; tokens are refused",
    };
    let late = match held.as_ref() {
        None => "no revocation list yet".to_owned(),
        Some(held) if now.since(held.fetched_at()) < source.schedule.refresh_interval.saturating_mul(2) => {
            return None;
        }
        Some(held) => format!(
            "revocation list not refreshed since {}",
            super::moment(held.fetched_at())
        ),
    };
    Some(format!("issuer {}: {late}{refused}\n", issuer.name))
}

/// Removes revocations that are over from the store, and so from memory. The store blocks, so it has a thread that may.
pub(super) async fn sweep(registrar: Option<Arc<Registrar>>) {
    let Some(registrar) = registrar else {
        return;
    };
    let mut ticks = tokio::time::interval(SWEEP_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let registrar = Arc::clone(&registrar);
        let swept = tokio::task::spawn_blocking(move || registrar.sweep_revocations());
        match swept.await {
            Ok(Ok(0)) => {}
            Ok(Ok(count)) => tracing::info!(event = "revocations_swept", count, "revocations are over"),
            Ok(Err(error)) => tracing::warn!(
                event = "revocations_not_swept",
                %error,
                "revocations that are over stay in force until the store can be written"
            ),
            Err(error) => {
                tracing::error!(event = "revocations_not_swept", %error, "sweeping revocations failed")
            }
        }
    }
}

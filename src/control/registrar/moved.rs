//! Subscriptions that were moved to another plan, told as one change.
//!
//! The feed says that one is gone and another is there, in one batch. What the caller has used goes with the agreement, so
//! the two belong together: a plan with a larger quota would otherwise be a plan with a fresh one.

use crate::subscription::Change;

/// The same changes, where one subscription takes another's place.
pub(super) fn told(changes: Vec<Change>) -> Vec<Change> {
    let gone: Vec<_> = changes
        .iter()
        .filter_map(|change| match change {
            Change::Subscription {
                application,
                plan,
                entry: None,
            } => Some((application.clone(), plan.clone())),
            _ => None,
        })
        .collect();
    let told = changes.into_iter().map(|change| match change {
        Change::Subscription {
            application,
            plan: to,
            entry: Some(entry),
        } => {
            let mut former = gone.iter();
            let former = former.find(|(owner, from)| *owner == application && from.api() == to.api());
            match former {
                Some((_, from)) if *from != to => Change::Moved {
                    application,
                    from: from.clone(),
                    to,
                    entry,
                },
                _ => Change::Subscription {
                    application,
                    plan: to,
                    entry: Some(entry),
                },
            }
        }
        other => other,
    });
    told.collect()
}

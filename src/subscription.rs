//! Applications, their subscriptions, and the index in which every request looks them up.
//!
//! The index is a set of lock-free maps whose entries change one at a time while traffic flows; a subscription that is
//! paused stops on the next request. An entry is never replaced for a change of its terms: the terms inside it are
//! swapped. So what an entry carries besides, what was used of its limits, survives every change and every reload.

mod api_key;
mod change;
mod claim_sets;
mod counted;
mod declared;
mod index;

use std::sync::Arc;

use arc_swap::ArcSwap;

pub use api_key::{
    API_KEY_BYTES_MAX, API_KEY_BYTES_MIN, ApiKey, ApiKeyError, ApiKeyHash, ApiKeySecret, is_api_key,
};
pub use change::{ApiKeyEntry, ApplicationEntry, Change, SubscriptionEntry};
pub use claim_sets::{ClaimNames, ClaimSet};
pub use counted::Counted;
pub use declared::{Declared, DeclaredApplication, DeclaredSubscription};
pub use index::{Collision, Index, RefusedKey, Successor};

use crate::id::{ApplicationId, PlanId};
use crate::time::UnixTime;
use crate::token::Audience;

/// A registered caller.
#[derive(Debug)]
pub struct Application {
    /// Its id.
    pub id: ApplicationId,
    /// What it has used, of all APIs together.
    pub counted: Counted,
    standing: ArcSwap<Standing>,
}

/// What may change about an application.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// None of its subscriptions is in force.
    pub suspended: bool,
    /// The audience of its tokens, where that is not its id.
    pub audience: Option<Box<str>>,
}

/// An application's agreement to a plan.
#[derive(Debug)]
pub struct Subscription {
    /// Whose.
    pub application: ApplicationId,
    /// To what.
    pub plan: PlanId,
    /// What was used under it.
    pub counted: Counted,
    terms: ArcSwap<Terms>,
}

/// What may change about a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Where it is in its life.
    pub status: Status,
    /// Not in force before.
    pub from: Option<UnixTime>,
    /// Not in force at or after.
    pub until: Option<UnixTime>,
}

/// Where a subscription is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words of the subscription's life cycle")]
pub enum Status {
    Pending,
    Accepted,
    Rejected,
    Paused,
    Closed,
}

// === impl Status ===

impl Status {
    /// Whether nothing can become of it any more.
    pub const fn is_over(self) -> bool {
        match self {
            Self::Pending | Self::Accepted | Self::Paused => false,
            Self::Rejected | Self::Closed => true,
        }
    }
}

/// Why a caller has no subscription in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SubscriptionError {
    /// The token names no client, or the client no application, or the application has no subscription to the plan.
    NotFound,
    /// It waits for approval.
    Pending,
    /// It is paused.
    Paused,
    /// It is closed.
    Closed,
    /// It was rejected.
    Rejected,
    /// Its first day is to come.
    NotStarted,
    /// Its last day is over.
    Ended,
    /// The application is suspended.
    ApplicationSuspended,
    /// The token stands for more than one application.
    ApplicationAmbiguous,
}

// === impl Application ===

impl Application {
    /// A new application.
    pub fn new(id: ApplicationId, standing: Standing) -> Self {
        Self {
            id,
            counted: Counted::default(),
            standing: ArcSwap::from_pointee(standing),
        }
    }

    /// The same application with another standing, for maps that are not in use yet: all that it carries goes along.
    fn with(&self, standing: Standing) -> Self {
        Self {
            id: self.id.clone(),
            counted: self.counted.again(),
            standing: ArcSwap::from_pointee(standing),
        }
    }

    /// Whether its subscriptions may be in force.
    ///
    /// # Errors
    /// [`SubscriptionError::ApplicationSuspended`].
    pub fn in_good_standing(&self) -> Result<(), SubscriptionError> {
        if self.standing.load().suspended {
            Err(SubscriptionError::ApplicationSuspended)
        } else {
            Ok(())
        }
    }

    /// Whether its own audience is among these.
    pub fn is_named_in(&self, audience: Audience<'_>) -> bool {
        let standing = self.standing.load();
        audience.names(standing.audience.as_deref().unwrap_or(self.id.as_str()))
    }

    /// Whether its standing is this.
    fn has(&self, standing: &Standing) -> bool {
        **self.standing.load() == *standing
    }

    fn change(&self, standing: &Standing) {
        if **self.standing.load() != *standing {
            self.standing.store(Arc::new(standing.clone()));
        }
    }
}

// === impl Subscription ===

impl Subscription {
    /// A new subscription.
    pub fn new(application: ApplicationId, plan: PlanId, terms: Terms) -> Self {
        Self {
            application,
            plan,
            counted: Counted::default(),
            terms: ArcSwap::from_pointee(terms),
        }
    }

    /// Whether it is in force at `now`.
    ///
    /// # Errors
    /// Why it is not.
    pub fn in_force(&self, now: UnixTime) -> Result<(), SubscriptionError> {
        let terms = self.terms.load();
        match terms.status {
            Status::Pending => return Err(SubscriptionError::Pending),
            Status::Rejected => return Err(SubscriptionError::Rejected),
            Status::Paused => return Err(SubscriptionError::Paused),
            Status::Closed => return Err(SubscriptionError::Closed),
            Status::Accepted => {}
        }
        if terms.from.is_some_and(|from| now < from) {
            return Err(SubscriptionError::NotStarted);
        }
        if terms.until.is_some_and(|until| now >= until) {
            return Err(SubscriptionError::Ended);
        }
        Ok(())
    }

    /// Its terms at this moment: for people, never for a decision.
    pub fn terms(&self) -> Terms {
        **self.terms.load()
    }

    /// Whether it is the same application's, to another plan of the same API.
    fn is_moved_to(&self, application: &ApplicationId, plan: &PlanId) -> bool {
        self.application == *application && self.plan != *plan && self.plan.api() == plan.api()
    }

    /// A new agreement of an application that had one to another plan of the API until now: what was used goes on.
    fn after(self, former: &Self) -> Self {
        Self {
            counted: former.counted.again(),
            ..self
        }
    }

    /// The same agreement under other terms, for maps that are not in use yet: all that it carries goes along.
    fn under(&self, terms: Terms) -> Self {
        Self {
            application: self.application.clone(),
            plan: self.plan.clone(),
            counted: self.counted.again(),
            terms: ArcSwap::from_pointee(terms),
        }
    }

    fn change(&self, terms: Terms) {
        if **self.terms.load() != terms {
            self.terms.store(Arc::new(terms));
        }
    }
}

// === impl SubscriptionError ===

impl SubscriptionError {
    /// Every reason there is.
    pub const ALL: [Self; 9] = [
        Self::NotFound,
        Self::Pending,
        Self::Paused,
        Self::Closed,
        Self::Rejected,
        Self::NotStarted,
        Self::Ended,
        Self::ApplicationSuspended,
        Self::ApplicationAmbiguous,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_is_in_force_from_its_first_moment_until_its_last() {
        let terms = |status| Terms {
            status,
            from: Some(UnixTime::from_seconds(100)),
            until: Some(UnixTime::from_seconds(200)),
        };
        for (status, now, expected) in [
            (Status::Accepted, 99, Err(SubscriptionError::NotStarted)),
            (Status::Accepted, 100, Ok(())),
            (Status::Accepted, 199, Ok(())),
            (Status::Accepted, 200, Err(SubscriptionError::Ended)),
            (Status::Pending, 150, Err(SubscriptionError::Pending)),
            (Status::Rejected, 150, Err(SubscriptionError::Rejected)),
            (Status::Paused, 150, Err(SubscriptionError::Paused)),
            (Status::Closed, 150, Err(SubscriptionError::Closed)),
        ] {
            let subscription =
                Subscription::new(ApplicationId::new("a"), PlanId::of("api", "gold"), terms(status));
            assert_eq!(
                subscription.in_force(UnixTime::from_seconds(now)),
                expected,
                "{status:?} at {now}"
            );
        }
    }
}

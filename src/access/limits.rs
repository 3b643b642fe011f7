//! The last stage: what the caller may use is left, at every level at once, and is taken.
//!
//! It is the last so that whoever is refused for another reason has used nothing. All levels are asked before any gives:
//! a request that one of them refuses consumes nothing at the others. Who only asks what would become of a request
//! ([`Counting::Asks`]) goes the same way, and takes nothing.

use std::borrow::Cow;
use std::net::IpAddr;
use std::num::NonZeroU64;
use std::sync::Arc;

use arrayvec::ArrayVec;

use super::{Caller, Cause, DataPlane, Denial, Fact, Found, Observer};
use crate::api::{Limited, Part, Plan};
use crate::limit::{Counters, LEVELS_MAX, Level, LevelName, TallyRef, Usage, ask};
use crate::token::json::Value;

/// What becomes of the counts of those limits that a request comes by.
#[derive(Debug, Clone, Copy)]
pub enum Counting<'p> {
    /// What passes is counted.
    Takes(&'p dyn Counters),
    /// Nothing is: somebody wants to know what would become of a request.
    Asks(&'p dyn Counters),
}

/// Why a claim that a limit asks says nothing that could be counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitClaimError {
    /// `key_from`: it is a list or an object.
    Key,
    /// `requests_from`: it is no positive integer.
    Requests,
}

/// Every level of limits that a request comes by.
type Levels<'l> = ArrayVec<Level<'l>, LEVELS_MAX>;

/// Takes what the request uses of every limit, or says which has nothing left.
pub(super) fn take(
    plane: &DataPlane<'_>,
    found: &Found<'_>,
    plan: &Arc<Plan>,
    caller: Option<&Caller>,
    client: Option<IpAddr>,
    observer: &mut impl Observer,
) -> Result<Usage, Box<Denial>> {
    let denied = |cause| Denial::new(cause).at(found.api).known(plan, caller);
    let mut levels = Levels::new();
    let who = Who {
        caller,
        client,
        counters: plane.counting.counters(),
    };
    let limits = [
        (LevelName::Api, &found.api.limits),
        (LevelName::Route, &found.route.limits),
    ];
    for (name, limited) in limits {
        if let Some(Limited { limits, tally }) = limited {
            let tally = TallyRef::Own(tally);
            push(
                &mut levels,
                Level {
                    name,
                    limits,
                    tally,
                    requests: None,
                },
            );
        }
    }
    for part in &plan.limits {
        let level = who
            .level(part)
            .map_err(|error| denied(Cause::LimitClaim(error)))?;
        push(&mut levels, level);
    }
    if let Some(application) = caller.and_then(|caller| caller.application.as_ref())
        && let Some(limits) = plane.snapshot.application_limits.get(&application.id)
    {
        let (name, tally) = (LevelName::Application, TallyRef::Own(&application.counted.tally));
        push(
            &mut levels,
            Level {
                name,
                limits,
                tally,
                requests: None,
            },
        );
    }
    if levels.is_empty() {
        return Ok(Usage::default());
    }
    let taken = match plane.counting {
        Counting::Takes(counters) => counters.acquire(&levels, found.now),
        Counting::Asks(_) => {
            let mut told = |standing| observer.found(Fact::Limit(&standing));
            ask(&levels, found.now, &mut told).map(|()| Usage::default())
        }
    };
    taken.map_err(|exceeded| denied(Cause::Limit(exceeded)))
}

/// Whoever compiled the snapshot has seen to it that there are no more than fit.
fn push<'l>(levels: &mut Levels<'l>, level: Level<'l>) {
    debug_assert!(!levels.is_full(), "a plan has too many parts");
    let _ = levels.try_push(level);
}

/// Who is counted, under a plan.
#[derive(Clone, Copy)]
struct Who<'w> {
    caller: Option<&'w Caller>,
    client: Option<IpAddr>,
    counters: &'w dyn Counters,
}

// === impl Counting ===

impl<'p> Counting<'p> {
    fn counters(self) -> &'p dyn Counters {
        match self {
            Self::Takes(counters) | Self::Asks(counters) => counters,
        }
    }
}

// === impl LimitClaimError ===

impl LimitClaimError {
    /// Every reason there is.
    pub const ALL: [Self; 2] = [Self::Key, Self::Requests];

    /// The stable word for logs.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Key => "limit_key_malformed",
            Self::Requests => "limit_requests_malformed",
        }
    }
}

// === impl Who ===

impl<'w> Who<'w> {
    /// One part of the plan's limits.
    fn level(self, part: &'w Part) -> Result<Level<'w>, LimitClaimError> {
        let key = part
            .key
            .and_then(|place| self.claim(place))
            .map(key_text)
            .transpose()?;
        let (name, tally) = match key {
            Some(value) => {
                let keyed = self.counters.keyed();
                let key = keyed.values(&part.scope, &["claim", &value]);
                (LevelName::Claim, TallyRef::Keyed(keyed, key))
            }
            None => self.plan(part),
        };
        let requests = part.requests.and_then(|place| self.claim(place));
        Ok(Level {
            name,
            limits: &part.limits,
            tally,
            requests: requests.map(count).transpose()?,
        })
    }

    /// A claim of the caller; `null` is none.
    fn claim(self, place: usize) -> Option<&'w Value<'static>> {
        let claim = self.caller?.identity()?.claim(place)?;
        (!matches!(claim, Value::Null)).then_some(claim)
    }

    /// What stands for the caller under this plan: the subscription, or else the application, what the token calls the
    /// caller, or the address.
    fn plan(self, part: &Part) -> (LevelName, TallyRef<'w>) {
        if let Some(subscription) = self.caller.and_then(|caller| caller.subscription.as_ref()) {
            return (LevelName::Plan, TallyRef::Own(&subscription.counted.tally));
        }
        // It is made when it is first asked for.
        let keyed = self.counters.keyed();
        let Some(caller) = self.caller else {
            let key = keyed.client(&part.scope, self.client);
            return (LevelName::Client, TallyRef::Keyed(keyed, key));
        };
        let key = match (&caller.application, caller.identity()) {
            (Some(application), _) => keyed.values(&part.scope, &["application", application.id.as_str()]),
            (None, Some(identity)) => {
                let issuer = identity.issuer.as_str();
                match (&identity.client_id, &identity.subject) {
                    (Some(client), _) => keyed.values(&part.scope, &["client_id", issuer, client]),
                    (None, Some(subject)) => keyed.values(&part.scope, &["subject", issuer, subject]),
                    // All who have no name are one.
                    (None, None) => keyed.values(&part.scope, &["issuer", issuer]),
                }
            }
            (None, None) => keyed.values(&part.scope, &[]),
        };
        (LevelName::Plan, TallyRef::Keyed(keyed, key))
    }
}

/// A claim's value as a key: what is no text is the text that JSON has for it.
fn key_text<'v>(value: &'v Value<'_>) -> Result<Cow<'v, str>, LimitClaimError> {
    match value {
        Value::String(text) => Ok(Cow::Borrowed(text)),
        Value::Bool(value) => Ok(Cow::Borrowed(if *value { "true" } else { "false" })),
        Value::Number(number) => Ok(Cow::Owned(number.to_string())),
        Value::Null | Value::Array(_) | Value::Object(_) => Err(LimitClaimError::Key),
    }
}

/// A claim's value as a number of requests.
fn count(value: &Value<'_>) -> Result<NonZeroU64, LimitClaimError> {
    let count = match value {
        Value::Number(number) => number.as_u64().and_then(NonZeroU64::new),
        _ => None,
    };
    count.ok_or(LimitClaimError::Requests)
}

//! Limits: what is written at APIs, plans, routes and applications, with what their tiers say where they say nothing.
//!
//! A limit that cannot be kept is a mistake here and not a surprise later: a time zone that nobody knows, a claim where
//! callers have none, a rolling quota where each key has a place of fixed size.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::sync::Arc;

use super::apis::judge_name;
use super::{KeptClaims, Names, refused, unknown};
use crate::api::{Limited, Part, Security};
use crate::config::{self, Located, Mistake, Mistakes, Place};
use crate::id::PlanId;
use crate::limit::{
    Alignment, Bandwidth, Counters, LEVELS_MAX, Limits, LimitsError, OnExceed, Period, Quota, Rate,
    SpikeArrest, Subject, Terms, Zone,
};

/// Each part is one more count on every request.
const PARTS_MAX: usize = 4;
/// With those of the API, the route and the application there are no more levels than are counted.
const _: () = assert!(PARTS_MAX + 3 <= LEVELS_MAX);

/// Limits under names.
#[derive(Debug)]
pub(super) struct Tiers<'c> {
    written: Vec<config::Tier>,
    /// Where it is known what was used.
    counters: &'c dyn Counters,
    /// Something is counted that a restart should not forget.
    keeps: Cell<bool>,
}

/// Whose limits they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// Those of all callers of an API or a route together, or of an application.
    All,
    /// Those of each subscription to a plan.
    Subscriptions(Security),
    /// Those of each caller of a plan that asks for no subscription.
    Callers(Security),
    /// Those of whoever refers to a tier.
    Tier,
}

/// The claims that a limit asks: whose values are counted apart, and which says how many there are.
type Asked = (Option<usize>, Option<usize>);

/// What asks no claim.
const PLAIN: Asked = (None, None);

/// The limits that ask the same claims.
struct Group {
    /// The name of the claim whose values are counted apart; a place may be another's after a reload.
    scope: String,
    key: Option<usize>,
    requests: Option<usize>,
    terms: Terms,
    place: Place,
    rolling: Option<Place>,
}

// === impl Tiers ===

impl<'c> Tiers<'c> {
    /// Every tier, used or not.
    pub(super) fn compile(
        written: Vec<config::Tier>,
        counters: &'c dyn Counters,
        mistakes: &mut Mistakes,
    ) -> Self {
        let mut names = Names::default();
        for tier in &written {
            judge_name("the tier", &tier.name, mistakes);
            names.claim("the tier", &tier.name.value, &tier.name.place, mistakes);
            parts(&tier.limits, Of::Tier, &mut KeptClaims::default(), mistakes);
        }
        Self {
            written,
            counters,
            keeps: Cell::new(false),
        }
    }

    /// The limits of all callers together.
    pub(super) fn limits(&self, own: config::Limits, mistakes: &mut Mistakes) -> Option<Arc<Limits>> {
        let own = self.with(own, mistakes);
        let mut parts = parts(&own, Of::All, &mut KeptClaims::default(), mistakes);
        let limits = parts.pop()?.limits;
        self.note(&limits);
        Some(limits)
    }

    /// The same, with what they have used so far.
    pub(super) fn limited(
        &self,
        own: config::Limits,
        subject: impl FnOnce() -> Subject,
        mistakes: &mut Mistakes,
    ) -> Option<Limited> {
        let limits = self.limits(own, mistakes)?;
        let tally = self.counters.tally(&subject());
        Some(Limited { limits, tally })
    }

    /// The limits of a plan.
    pub(super) fn of_plan(
        &self,
        own: config::Limits,
        (plan, of): (&PlanId, Of),
        kept: &mut KeptClaims,
        mistakes: &mut Mistakes,
    ) -> Box<[Part]> {
        let own = self.with(own, mistakes);
        let mut parts = parts(&own, of, kept, mistakes);
        for part in &mut parts {
            part.scope = format!("{plan} {}", part.scope).into();
            // Where each caller has a place in a table, nothing is kept.
            if part.key.is_none() && matches!(of, Of::Subscriptions(_)) {
                self.note(&part.limits);
            }
        }
        parts.into()
    }

    fn note(&self, limits: &Limits) {
        self.keeps.set(self.keeps.get() || limits.has_quota());
    }

    /// Whether something is counted that a restart should not forget.
    pub(super) fn keep_counts(&self) -> bool {
        self.keeps.get()
    }

    /// What holds: their own, and the tier's where there are none.
    fn with(&self, own: config::Limits, mistakes: &mut Mistakes) -> config::Limits {
        let Some(name) = &own.tier else { return own };
        let Some(tier) = self.written.iter().find(|tier| tier.name.value == name.value) else {
            let names = self.written.iter().map(|tier| tier.name.value.as_str());
            mistakes.push(unknown(name, "tier", names));
            return own;
        };
        let config::Limits {
            tier: name,
            rate,
            quotas,
            spike_arrest,
            bandwidth,
            concurrency,
            on_exceed,
        } = own;
        let tier = tier.limits.clone();
        config::Limits {
            tier: name,
            rate: rate.or(tier.rate),
            quotas: match quotas.is_empty() {
                true => tier.quotas,
                false => quotas,
            },
            spike_arrest: spike_arrest.or(tier.spike_arrest),
            bandwidth: bandwidth.or(tier.bandwidth),
            concurrency: concurrency.or(tier.concurrency),
            on_exceed: on_exceed.or(tier.on_exceed),
        }
    }
}

/// The limits, one part for those that ask the same claims.
fn parts(written: &config::Limits, of: Of, kept: &mut KeptClaims, mistakes: &mut Mistakes) -> Vec<Part> {
    let config::Limits {
        tier,
        rate,
        quotas,
        spike_arrest,
        bandwidth,
        concurrency,
        on_exceed,
    } = written;
    let mut groups = Groups {
        on_exceed: match on_exceed.as_ref().map(|word| word.value).unwrap_or_default() {
            config::OnExceed::Deny => OnExceed::Deny,
            config::OnExceed::Report => OnExceed::Report,
        },
        of,
        all: Vec::new(),
    };
    if let Some(Located { value, place }) = rate {
        let config::Rate {
            requests,
            per,
            burst,
            from,
        } = value;
        let burst = burst.as_ref().map_or(*requests, |burst| burst.value);
        let rate = Rate::new(requests.get(), *per, burst.get());
        let rate = judged(rate, "rate", place, mistakes);
        let asked = groups.asked(from, tier.as_ref(), kept, mistakes);
        groups.add(asked, place, |group| {
            group.scope = scope(from);
            group.terms.rate = rate;
        });
    }
    let same =
        |one: &config::Period, other: &config::Period| (one.per, one.rolling) == (other.per, other.rolling);
    for (number, Located { value, place }) in quotas.iter().enumerate() {
        let config::Quota {
            requests,
            period,
            from,
        } = value;
        let config::Period {
            per,
            timezone,
            rolling,
        } = period;
        let alignment = match rolling {
            true => Alignment::Rolling,
            false => Alignment::Calendar(zone(timezone.as_ref(), mistakes)),
        };
        let quota = Quota::new(requests.get(), period_of(*per), alignment);
        let mut quota = judged(quota, "quota", place, mistakes);
        // Whatever claims they ask: a token that has none of them is counted by what stands for the caller, and so are all
        // quotas. Two of the same period would count every request twice.
        let mut before = quotas.iter().take(number);
        if let Some(first) = before.find(|other| same(&other.value.period, period)) {
            let message = format!("`quota` {}", LimitsError::Twice);
            let help = format!("the first is at {}", first.place);
            say(mistakes, Mistake::new(place.clone(), message).help(help));
            quota = None;
        }
        let asked = groups.asked(from, tier.as_ref(), kept, mistakes);
        groups.add(asked, place, |group| {
            group.scope = scope(from);
            if *rolling {
                group.rolling.get_or_insert_with(|| place.clone());
            }
            group.terms.quotas.extend(quota);
        });
    }
    if let Some(Located { value, place }) = spike_arrest {
        let config::SpikeArrest {
            requests,
            per,
            slices,
        } = *value;
        let spike_arrest = SpikeArrest::new(requests.get(), per, slices);
        let spike_arrest = judged(spike_arrest, "spike_arrest", place, mistakes);
        groups.add(PLAIN, place, |group| group.terms.spike_arrest = spike_arrest);
    }
    if let Some(Located { value, place }) = bandwidth {
        let config::Bandwidth { bytes, per, timezone } = value;
        let zone = zone(timezone.as_ref(), mistakes);
        let bandwidth = Bandwidth::new(bytes.get(), period_of(*per), zone);
        let bandwidth = judged(bandwidth, "bandwidth", place, mistakes);
        groups.add(PLAIN, place, |group| group.terms.bandwidth = bandwidth);
    }
    if let Some(Located { value, place }) = concurrency {
        groups.add(PLAIN, place, |group| {
            group.terms.concurrency = NonZeroU32::new(*value)
        });
    }
    if let Some(on_exceed) = on_exceed
        && groups.all.is_empty()
        && of != Of::Tier
    {
        let message = "`on_exceed` is for limits, and there are none here";
        say(mistakes, Mistake::new(on_exceed.place.clone(), message));
    }
    groups.finish(mistakes)
}

fn scope(from: &config::FromClaims) -> String {
    from.key
        .as_ref()
        .map(|claim| claim.value.clone())
        .unwrap_or_default()
}

/// Limits, by the claims that they ask.
struct Groups {
    on_exceed: OnExceed,
    of: Of,
    all: Vec<Group>,
}

// === impl Groups ===

impl Groups {
    /// What a limit asks, where callers have claims.
    fn asked(
        &self,
        from: &config::FromClaims,
        tier: Option<&Located<String>>,
        kept: &mut KeptClaims,
        mistakes: &mut Mistakes,
    ) -> Asked {
        let config::FromClaims { requests, key } = from;
        let has_claims = match self.of {
            Of::Tier => true,
            Of::Subscriptions(security) | Of::Callers(security) => security.takes_bearer(),
            Of::All => false,
        };
        for (name, claim) in [("requests_from", requests), ("key_from", key)] {
            if let Some(claim) = claim.as_ref().filter(|_| !has_claims) {
                let rule = format!(
                    "`{name}` is for plans with `security = \"jwt\"` or \"oauth2\": other callers have no claims"
                );
                let mistake = refused(claim, "the claim", rule);
                say(
                    mistakes,
                    match tier {
                        Some(tier) => mistake.help(format!("a tier is referred to at {}", tier.place)),
                        None => mistake,
                    },
                );
            }
        }
        let mut place_of = |claim: &Option<Located<String>>| {
            let claim = claim.as_ref().filter(|_| has_claims)?;
            Some(kept.place(&claim.value))
        };
        (place_of(key), place_of(requests))
    }

    /// Puts a limit among those that ask the same.
    fn add(&mut self, asked: Asked, place: &Place, put: impl FnOnce(&mut Group)) {
        let (key, requests) = asked;
        let mut all = self.all.iter_mut();
        if let Some(known) = all.find(|group| (group.key, group.requests) == asked) {
            return put(known);
        }
        let terms = Terms {
            on_exceed: self.on_exceed,
            ..Terms::default()
        };
        let mut group = Group {
            scope: String::new(),
            key,
            requests,
            terms,
            place: place.clone(),
            rolling: None,
        };
        put(&mut group);
        self.all.push(group);
    }

    fn finish(self, mistakes: &mut Mistakes) -> Vec<Part> {
        let Self { of, all, .. } = self;
        if let Some(group) = all.get(PARTS_MAX) {
            let message = format!("the limits ask more than {PARTS_MAX} different claims");
            say(mistakes, Mistake::new(group.place.clone(), message));
        }
        let keyed = |group: &Group| group.key.is_some() || matches!(of, Of::Callers(_));
        let parts = all.into_iter().filter_map(|group| {
            if let Some(place) = group.rolling.as_ref().filter(|_| keyed(&group)) {
                let because = match group.key {
                    Some(_) => "each value of a claim",
                    None => "each caller of a plan without subscriptions",
                };
                let message =
                    format!("{because} has a place of fixed size, which a rolling quota does not fit into");
                say(
                    mistakes,
                    Mistake::new(place.clone(), message).help("leave `rolling` out"),
                );
            }
            let limits = judged(Limits::new(group.terms), "quota", &group.place, mistakes)?;
            Some(Part {
                limits: Arc::new(limits),
                scope: group.scope.into(),
                key: group.key,
                requests: group.requests,
            })
        });
        parts.collect()
    }
}

fn judged<T, E: std::fmt::Display>(
    made: Result<T, E>,
    what: &str,
    place: &Place,
    mistakes: &mut Mistakes,
) -> Option<T> {
    made.map_err(|error| say(mistakes, Mistake::new(place.clone(), format!("`{what}` {error}"))))
        .ok()
}

/// What a tier gets wrong is said once, however many refer to it.
fn say(mistakes: &mut Mistakes, mistake: Mistake) {
    if mistakes.iter().all(|said| *said != mistake) {
        mistakes.push(mistake);
    }
}

fn zone(written: Option<&Located<String>>, mistakes: &mut Mistakes) -> Zone {
    let Some(written) = written else {
        return Zone::utc();
    };
    Zone::named(&written.value).unwrap_or_else(|_| {
        let names = Zone::names();
        say(
            mistakes,
            unknown(written, "time zone", names.iter().map(String::as_str)),
        );
        Zone::utc()
    })
}

const fn period_of(per: config::Per) -> Period {
    match per {
        config::Per::Hour => Period::Hour,
        config::Per::Day => Period::Day,
        config::Per::Week => Period::Week,
        config::Per::Month => Period::Month,
    }
}

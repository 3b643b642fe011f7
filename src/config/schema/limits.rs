//! Limits as they are written: at an API, a plan, a route, an application, or in a tier that these refer to.
//!
//! All of them have the same keys, so that what is learnt in one place holds in the others; only claims are asked at
//! plans alone, where somebody may have some.

use std::num::NonZeroU64;
use std::time::Duration;

use crate::config::place::Located;

/// The limits of one level; nothing is limited that is not written.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    /// `tier`: the name of a [`Tier`], whose limits hold where no own ones are written.
    pub tier: Option<Located<String>>,
    /// `rate`
    pub rate: Option<Located<Rate>>,
    /// `quota`: one table or a list, at most 4; empty: none is written.
    pub quotas: Vec<Located<Quota>>,
    /// `spike_arrest`
    pub spike_arrest: Option<Located<SpikeArrest>>,
    /// `bandwidth`
    pub bandwidth: Option<Located<Bandwidth>>,
    /// `concurrency`: requests in flight, 1..=1,000,000.
    pub concurrency: Option<Located<u32>>,
    /// `on_exceed`. Default deny.
    pub on_exceed: Option<Located<OnExceed>>,
}

/// `[[tier]]`: limits under a name.
#[derive(Debug, Clone)]
pub struct Tier {
    /// `name`, required.
    pub name: Located<String>,
    /// What it limits.
    pub limits: Limits,
}

/// `rate`: requests in a time, refilled steadily.
#[derive(Debug, Clone)]
pub struct Rate {
    /// `requests`, required: 1..=1,000,000.
    pub requests: NonZeroU64,
    /// `per`, required: 1 s..=1 min.
    pub per: Duration,
    /// `burst`: how many of them may come at once, 1..=`requests`. Default `requests`.
    pub burst: Option<Located<NonZeroU64>>,
    /// Claims in place of fixed values.
    pub from: FromClaims,
}

/// `quota`: requests in a period of the calendar, or in any stretch of its length.
#[derive(Debug, Clone)]
pub struct Quota {
    /// `requests`, required: 1..=10^12.
    pub requests: NonZeroU64,
    /// When it begins anew.
    pub period: Period,
    /// Claims in place of fixed values.
    pub from: FromClaims,
}

/// `bandwidth`: bytes of bodies, both ways, in a period of the calendar.
#[derive(Debug, Clone)]
pub struct Bandwidth {
    /// `bytes`, required: 1..=10^12.
    pub bytes: NonZeroU64,
    /// `per`, required.
    pub per: Per,
    /// `timezone`: an IANA name. Default UTC.
    pub timezone: Option<Located<String>>,
}

/// `spike_arrest`: requests in a time, in even slices.
#[derive(Debug, Clone, Copy)]
pub struct SpikeArrest {
    /// `requests`, required: 1..=1,000,000.
    pub requests: NonZeroU64,
    /// `per`, required: 100 ms..=1 min.
    pub per: Duration,
    /// `slices`: into how many parts `per` is cut, 1..=100, at most `requests`. Default 10, or `requests` if these are
    /// fewer.
    pub slices: u32,
}

/// `per`, `timezone` and `rolling` of a quota.
#[derive(Debug, Clone)]
pub struct Period {
    /// `per`, required.
    pub per: Per,
    /// `timezone`: an IANA name. Default UTC.
    pub timezone: Option<Located<String>>,
    /// `rolling`: any stretch of this length, not those of the calendar. Default false.
    pub rolling: bool,
}

/// How long a quota is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// `"hour"`
    Hour,
    /// `"day"`
    Day,
    /// `"week"`, from Monday on.
    Week,
    /// `"month"`
    Month,
}

/// Claims that say how much there is, and for whom.
#[derive(Debug, Clone, Default)]
pub struct FromClaims {
    /// `requests_from`: a local claim, a positive integer, at most `requests`. Default `requests`.
    pub requests: Option<Located<String>>,
    /// `key_from`: a local claim; each of its values is counted for itself. Default the subscription.
    pub key: Option<Located<String>>,
}

/// What happens to what exceeds a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnExceed {
    /// `"deny"`: 429.
    #[default]
    Deny,
    /// `"report"`: it is counted, told, and allowed.
    Report,
}

/// `[counters]`: where is counted.
#[derive(Debug, Clone, Default)]
pub struct Counters {
    /// `kind`. Default local.
    pub kind: CountersKind,
}

/// Who counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CountersKind {
    /// `"local"`: this gateway for itself.
    #[default]
    Local,
}

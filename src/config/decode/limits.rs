//! `rate`, `quota`, `spike_arrest`, `bandwidth`, `concurrency` and `on_exceed`: the same at APIs, plans, routes,
//! applications and in tiers.
//!
//! Each level has shapes of its own, because a mistake is told with the place in the language where it was made; the
//! decoder is one. Bounds are those of what counts: a window's word has 46 bits, and a rate is spaced in nanoseconds. What
//! holds fewer, as the word of an hour does, says so when the limit is compiled.

use std::num::NonZeroU64;
use std::time::Duration;

use super::{MINUTE, SECOND};
use crate::config::place::Located;
use crate::config::schema::{
    Bandwidth, Counters, CountersKind, FromClaims, Limits, OnExceed, Per, Period, Quota, Rate, SpikeArrest,
    Tier,
};
use crate::config::table::{Key, Shape, TableReader};
use crate::config::value::Value;

/// More of a rate than any gateway serves.
const RATE_REQUESTS_MAX: u64 = 1_000_000;
/// More requests than any gateway serves in a month.
const QUOTA_MAX: u64 = 1_000_000_000_000;
/// 64 TiB, which is what fits into the 46 bits of a window's count.
const BANDWIDTH_MAX: u64 = (1 << 46) - 1;
/// Requests in flight: more than a process has connections.
const CONCURRENCY_MAX: u32 = 1_000_000;
/// Each quota is asked on every request.
const QUOTAS_MAX: usize = 4;
/// Into how many parts the period of a spike arrest is cut, where nothing is written.
const SLICES: u32 = 10;
const SLICES_MAX: u32 = 100;
/// A shorter period has slices that are shorter than a request takes.
const SPIKE_PERIOD_MIN: Duration = Duration::from_millis(100);

/// The tables of limits at one level.
pub(super) struct Shapes {
    pub(super) rate: Shape,
    pub(super) quota: Shape,
    pub(super) spike_arrest: Shape,
    pub(super) bandwidth: Shape,
    /// Whether claims may be asked here.
    claims: bool,
}

const SPIKE_ARREST: &[Key] = &[Key::Value("requests"), Key::Value("per"), Key::Value("slices")];
const BANDWIDTH: &[Key] = &[Key::Value("bytes"), Key::Value("per"), Key::Value("timezone")];

/// The keys without those that ask claims.
macro_rules! keys {
    (rate $($claims:expr),*) => {
        &[Key::Value("requests"), Key::Value("per"), Key::Value("burst"), $($claims),*]
    };
    (quota $($claims:expr),*) => {
        &[
            Key::Value("requests"),
            Key::Value("per"),
            Key::Value("timezone"),
            Key::Value("rolling"),
            $($claims),*
        ]
    };
}

macro_rules! shapes {
    ($path:literal, $title:literal, $asks:literal, $($claims:expr),*) => {
        Shapes {
            rate: Shape {
                path: concat!($path, ".rate"),
                title: concat!("in `rate` of ", $title),
                keys: keys!(rate $($claims),*),
            },
            quota: Shape {
                path: concat!($path, ".quota"),
                title: concat!("in `quota` of ", $title),
                keys: keys!(quota $($claims),*),
            },
            spike_arrest: Shape {
                path: concat!($path, ".spike_arrest"),
                title: concat!("in `spike_arrest` of ", $title),
                keys: SPIKE_ARREST,
            },
            bandwidth: Shape {
                path: concat!($path, ".bandwidth"),
                title: concat!("in `bandwidth` of ", $title),
                keys: BANDWIDTH,
            },
            claims: $asks,
        }
    };
}

pub(super) static OF_API: Shapes = shapes!("api", "[[api]]", false,);
pub(super) static OF_ROUTE: Shapes = shapes!("api.route", "[[api.route]]", false,);
pub(super) static OF_APPLICATION: Shapes = shapes!("application", "[[application]]", false,);
pub(super) static OF_PLAN: Shapes = shapes!(
    "api.plan",
    "[[api.plan]]",
    true,
    Key::Value("requests_from"),
    Key::Value("key_from")
);
static OF_TIER: Shapes = shapes!(
    "tier",
    "[[tier]]",
    true,
    Key::Value("requests_from"),
    Key::Value("key_from")
);

pub(super) static TIER: Shape = Shape {
    path: "tier",
    title: "in [[tier]]",
    keys: &[
        Key::Value("name"),
        Key::Table("rate", &OF_TIER.rate),
        Key::Table("quota", &OF_TIER.quota),
        Key::Table("spike_arrest", &OF_TIER.spike_arrest),
        Key::Table("bandwidth", &OF_TIER.bandwidth),
        Key::Value("concurrency"),
        Key::Value("on_exceed"),
    ],
};

pub(super) static COUNTERS: Shape = Shape {
    path: "counters",
    title: "in [counters]",
    keys: &[Key::Value("kind"), Key::Later("url")],
};

pub(super) fn tier(value: Value<'_>) -> Option<Tier> {
    let table = value.table(&TIER)?;
    let name = table.required("name", Value::text);
    let limits = own(&table, &OF_TIER);
    Some(Tier { name: name?, limits })
}

pub(super) fn counters(value: Value<'_>) -> Option<Counters> {
    let table = value.table(&COUNTERS)?;
    let kinds = [("local", Some(CountersKind::Local)), ("redis", None)];
    Some(Counters {
        kind: table.word("kind", &kinds),
    })
}

/// The limits of a level that may name a tier.
pub(super) fn limits(table: &TableReader<'_>, shapes: &'static Shapes) -> Limits {
    Limits {
        tier: table.optional("tier", Value::text),
        ..own(table, shapes)
    }
}

fn own(table: &TableReader<'_>, shapes: &'static Shapes) -> Limits {
    Limits {
        tier: None,
        rate: table.optional("rate", |value| Some(value.located(rate(value, shapes)?))),
        quotas: table
            .optional("quota", |value| quotas(value, shapes))
            .unwrap_or_default(),
        spike_arrest: table.optional("spike_arrest", |value| {
            Some(value.located(spike_arrest(value, shapes)?))
        }),
        bandwidth: table.optional("bandwidth", |value| {
            Some(value.located(bandwidth(value, shapes)?))
        }),
        concurrency: table.optional("concurrency", |value| {
            Some(value.located(value.integer(1..=CONCURRENCY_MAX)?))
        }),
        on_exceed: table.optional("on_exceed", |value| Some(value.located(on_exceed(value)?))),
    }
}

fn rate(value: Value<'_>, shapes: &'static Shapes) -> Option<Rate> {
    let table = value.table(&shapes.rate)?;
    let requests = table.required("requests", |value| count(value, RATE_REQUESTS_MAX));
    let per = table.required("per", |value| value.duration(SECOND..=MINUTE));
    let burst = table.optional("burst", |value| {
        let most = requests.map_or(RATE_REQUESTS_MAX, NonZeroU64::get);
        Some(value.located(count(value, most)?))
    });
    let from = from_claims(&table, shapes);
    Some(Rate {
        requests: requests?,
        per: per?,
        burst,
        from,
    })
}

/// One table, or a list of them.
fn quotas(value: Value<'_>, shapes: &'static Shapes) -> Option<Vec<Located<Quota>>> {
    if value.is_table() {
        return Some(vec![value.located(quota(value, shapes)?)]);
    }
    if !value.is_list() {
        return value.expected("a table, or a list of tables");
    }
    let quotas = value.list_not_empty(|member| Some(member.located(quota(member, shapes)?)))?;
    if quotas.len() > QUOTAS_MAX {
        return value.wrong(format!("at most {QUOTAS_MAX} quotas, not {}", quotas.len()));
    }
    Some(quotas)
}

fn quota(value: Value<'_>, shapes: &'static Shapes) -> Option<Quota> {
    let table = value.table(&shapes.quota)?;
    let requests = table.required("requests", |value| count(value, QUOTA_MAX));
    let period = period(&table);
    let from = from_claims(&table, shapes);
    Some(Quota {
        requests: requests?,
        period: period?,
        from,
    })
}

fn bandwidth(value: Value<'_>, shapes: &'static Shapes) -> Option<Bandwidth> {
    let table = value.table(&shapes.bandwidth)?;
    let bytes = table.required("bytes", |value| count(value, BANDWIDTH_MAX));
    let per = table.required("per", per);
    let timezone = table.optional("timezone", Value::text);
    Some(Bandwidth {
        bytes: bytes?,
        per: per?,
        timezone,
    })
}

fn spike_arrest(value: Value<'_>, shapes: &'static Shapes) -> Option<SpikeArrest> {
    let table = value.table(&shapes.spike_arrest)?;
    let requests = table.required("requests", |value| count(value, RATE_REQUESTS_MAX));
    let per = table.required("per", |value| value.duration(SPIKE_PERIOD_MIN..=MINUTE));
    // A slice brings one request at the least.
    let requests_max = requests.map_or(SLICES_MAX, |requests| {
        u32::try_from(requests.get()).unwrap_or(SLICES_MAX)
    });
    let slices = table.or(
        "slices",
        |value| value.integer(1..=SLICES_MAX.min(requests_max)),
        SLICES.min(requests_max),
    );
    Some(SpikeArrest {
        requests: requests?,
        per: per?,
        slices,
    })
}

/// A rolling period begins at every moment, in every time zone.
fn period(table: &TableReader<'_>) -> Option<Period> {
    let per = table.required("per", per);
    let rolling = table.or_default("rolling", Value::boolean);
    let timezone = table.optional("timezone", |value| match rolling {
        true => value.wrong_but(
            "a rolling quota takes no `timezone`",
            "it is for any stretch of its length, wherever that begins",
        ),
        false => value.text(),
    });
    Some(Period {
        per: per?,
        timezone,
        rolling,
    })
}

fn per(value: Value<'_>) -> Option<Per> {
    value.word(&[
        ("hour", Some(Per::Hour)),
        ("day", Some(Per::Day)),
        ("week", Some(Per::Week)),
        ("month", Some(Per::Month)),
    ])
}

fn on_exceed(value: Value<'_>) -> Option<OnExceed> {
    value.word(&[("deny", Some(OnExceed::Deny)), ("report", Some(OnExceed::Report))])
}

fn from_claims(table: &TableReader<'_>, shapes: &'static Shapes) -> FromClaims {
    match shapes.claims {
        true => FromClaims {
            requests: table.optional("requests_from", Value::text),
            key: table.optional("key_from", Value::text),
        },
        false => FromClaims::default(),
    }
}

fn count(value: Value<'_>, most: u64) -> Option<NonZeroU64> {
    NonZeroU64::new(value.integer(1..=most)?)
}

//! One request against all limits that apply to it: all of them have room, or nothing is taken.
//!
//! First everybody is asked, and nothing is taken; that alone decides for a request that comes alone. Then it is taken,
//! limit by limit. If another request was faster at one of them, what was taken is given back: places in flight and quotas
//! first, which is exact, rates last, so that one rate alone never has anything to give back. Of two rates of which the
//! second is lost, the first gets back what it gave if nobody has taken from it meanwhile; else it is short of one request
//! until that is paid for, which no rate is longer than its period.
//!
//! A third request may come between the taking and the giving back, and find nothing. It is refused then, as if it had come
//! a moment later than the one that was faster: what is promised is never exceeded for anybody.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::calendar::Period;
use super::keyed::Pin;
use super::rate::{Filled, Rate, Wait};
use super::rolling::Room;
use super::tally::{Tally, TallyRef};
use super::terms::{Bandwidth, LimitKind, Limits, OnExceed, Quota, Span};
use super::usage::{Exceeded, Held, LevelName, Owner, Standing, Tightest, Usage};
use super::word;
use crate::time::UnixTime;

/// The most levels that can apply to one request. What is beyond them would not be asked; an edge that gives more has a
/// mistake, and everything is refused.
pub const LEVELS_MAX: usize = 8;

/// The limits of one level, and who uses them.
#[derive(Debug, Clone, Copy)]
pub struct Level<'l> {
    /// Which level.
    pub name: LevelName,
    /// What is promised.
    pub limits: &'l Arc<Limits>,
    /// What was used.
    pub tally: TallyRef<'l>,
    /// What this caller's claims say of the number of requests, of rates (whose burst goes with it) and quotas; never more
    /// than the limits do.
    pub requests: Option<NonZeroU64>,
}

/// A level whose tally was found.
#[derive(Debug)]
struct Reached<'l> {
    level: &'l Level<'l>,
    tally: Found<'l>,
}

#[derive(Debug)]
enum Found<'l> {
    Own(&'l Tally),
    Place(Pin<'l>),
}

/// How a limit stands: before something is taken where it is asked, afterwards where it is taken.
#[derive(Debug, Clone, Copy)]
struct Measure {
    kind: LimitKind,
    period: Option<Period>,
    limit: u64,
    remaining: u64,
    reset: Duration,
    /// Nothing is left, for so long.
    wait: Option<Duration>,
}

/// What was taken so far, by the place of its level.
#[derive(Debug, Default)]
struct Taken {
    entered: [bool; LEVELS_MAX],
    /// A bit for each.
    quotas: [u8; LEVELS_MAX],
    /// What the buckets were left with, by their place in [`Level::rates`]; 0: nothing was taken.
    rates: [[u64; 2]; LEVELS_MAX],
}

/// Nothing where there was no place for it.
type All<'l> = [Option<Reached<'l>>];

/// Takes one request from each limit, or nothing from any.
///
/// # Errors
/// If a limit that denies has no room: of several, the one for which the request would have to wait longest.
pub fn acquire(levels: &[Level<'_>], now: UnixTime) -> Result<Usage, Exceeded> {
    let mut all: [Option<Reached<'_>>; LEVELS_MAX] = Default::default();
    for (reached, level) in all.iter_mut().zip(levels) {
        *reached = Reached::of(level, now);
    }
    let all = all.get(..levels.len()).unwrap_or(&all);
    let mut worst = too_many(levels);
    for reached in all.iter().flatten() {
        let level = reached.level;
        level.heed_clock(reached.tally(), now);
        level.measure(reached.tally(), now, &mut |measure| {
            worst = level.worse(worst, &measure)
        });
    }
    if let Some(exceeded) = worst {
        return Err(exceeded);
    }
    let (mut usage, mut taken) = (Usage::default(), Taken::default());
    if let Err(exceeded) = take(all, now, &mut usage, &mut taken) {
        give_back(all, now, &taken);
        return Err(exceeded);
    }
    for held in all.iter().flatten().filter_map(Reached::hold) {
        usage.hold(held);
    }
    Ok(usage)
}

/// Whether one request would pass; takes nothing, and tells how each limit stands.
///
/// # Errors
/// As [`acquire`].
pub fn ask(levels: &[Level<'_>], now: UnixTime, told: &mut impl FnMut(Standing)) -> Result<(), Exceeded> {
    let mut worst = too_many(levels);
    for level in levels {
        let mut measured = |measure: Measure| {
            worst = level.worse(worst, &measure);
            told(level.standing(&measure));
        };
        match level.tally {
            TallyRef::Own(tally) => level.measure(tally, now, &mut measured),
            TallyRef::Keyed(table, key) => match table.find(key) {
                Some(pin) => level.measure(pin.tally(), now, &mut measured),
                None => level.measure(&Tally::default(), now, &mut measured),
            },
        }
    }
    worst.map_or(Ok(()), Err)
}

/// More levels than there can be are a mistake, and nothing passes.
fn too_many(levels: &[Level<'_>]) -> Option<Exceeded> {
    levels.get(LEVELS_MAX).map(|level| Exceeded {
        level: level.name,
        kind: LimitKind::Concurrency,
        limit: 0,
        reset: Duration::ZERO,
        wait: Duration::ZERO,
    })
}

/// Takes from every limit: first from those that can give back exactly.
fn take(all: &All<'_>, now: UnixTime, usage: &mut Usage, taken: &mut Taken) -> Result<(), Exceeded> {
    for (reached, entered) in all.iter().zip(&mut taken.entered) {
        if let Some(Reached { level, tally }) = reached
            && let Some(most) = level.limits.concurrency
        {
            let measure = level.enter(tally.get(), most.get());
            *entered = measure.wait.is_none() || level.reports();
            settle(level, tally, &measure, now, usage)?;
        }
    }
    for (reached, quotas) in all.iter().zip(&mut taken.quotas) {
        let Some(Reached { level, tally }) = reached else {
            continue;
        };
        if let Some(bandwidth) = &level.limits.bandwidth {
            // Nothing is taken before it has passed.
            let measure = level.bandwidth(bandwidth, tally.get(), now);
            settle(level, tally, &measure, now, usage)?;
        }
        for (number, quota) in level.limits.quotas.iter().enumerate() {
            let measure = level.take_quota(quota, tally.get(), now);
            settle(level, tally, &measure, now, usage)?;
            *quotas |= 1 << number;
        }
        if *quotas != 0 {
            tally.get().mark_changed();
        }
    }
    for (reached, rates) in all.iter().zip(&mut taken.rates) {
        let Some(Reached { level, tally }) = reached else {
            continue;
        };
        for ((kind, rate, bucket), left) in level.rates(tally.get()).zip(rates) {
            let took = rate.take(bucket, now);
            *left = took.map_or(0, |filled| filled.until);
            settle(level, tally, &Measure::rate(kind, rate, took), now, usage)?;
        }
    }
    Ok(())
}

/// What was asked for is taken, or exceeded.
fn settle(
    level: &Level<'_>,
    tally: &Found<'_>,
    measure: &Measure,
    now: UnixTime,
    usage: &mut Usage,
) -> Result<(), Exceeded> {
    let marks = match measure.wait {
        None => &mut usage.admitted,
        Some(_) if level.reports() => &mut usage.reported,
        Some(_) => return Err(level.exceeded(measure)),
    };
    marks.add(level.name, measure.kind);
    if let Found::Place(pin) = tally
        && !measure.reset.is_zero()
    {
        let used = measure.limit.saturating_sub(measure.remaining);
        pin.worth(now.plus(measure.reset), used, measure.limit);
    }
    let counts_requests = !matches!(measure.kind, LimitKind::Bandwidth | LimitKind::Concurrency);
    let nearer = usage
        .tightest
        .is_none_or(|tightest| (measure.remaining, tightest.reset) < (tightest.remaining, measure.reset));
    if counts_requests && nearer {
        usage.tightest = Some(Tightest {
            limit: measure.limit,
            remaining: measure.remaining,
            reset: measure.reset,
        });
    }
    Ok(())
}

/// Another request was faster: as if this one had never come.
fn give_back(all: &All<'_>, now: UnixTime, taken: &Taken) {
    for (reached, entered) in all.iter().zip(taken.entered) {
        if let Some(Reached { tally, .. }) = reached
            && entered
        {
            tally.get().leave();
        }
    }
    for (reached, quotas) in all.iter().zip(taken.quotas) {
        let Some(Reached { level, tally }) = reached else {
            continue;
        };
        for (number, quota) in level.limits.quotas.iter().enumerate() {
            if quotas & 1 << number != 0 {
                give_back_quota(quota, tally.get(), now);
            }
        }
        if quotas != 0 {
            tally.get().mark_changed();
        }
    }
    for (reached, rates) in all.iter().zip(taken.rates) {
        let Some(Reached { level, tally }) = reached else {
            continue;
        };
        for ((_, rate, bucket), until) in level.rates(tally.get()).zip(rates) {
            if until != 0 {
                rate.give_back(bucket, until);
            }
        }
    }
}

fn give_back_quota(quota: &Quota, tally: &Tally, now: UnixTime) {
    match &quota.span {
        Span::Calendar(calendar) => {
            let word = tally.quota(calendar.period);
            word::give_back(word, calendar.period, calendar.window(now), 1);
        }
        Span::Rolling(period) => {
            if let Some(rolling) = tally.rolling(*period) {
                rolling.give_back(*period, now);
            }
        }
    }
}

// === impl Level ===

impl Level<'_> {
    fn reports(&self) -> bool {
        self.limits.on_exceed == OnExceed::Report
    }

    /// No more than the caller's claims say.
    fn bounded(&self, requests: u64) -> u64 {
        self.requests.map_or(requests, |most| requests.min(most.get()))
    }

    /// Both rates, and their buckets.
    fn rates<'t>(&self, tally: &'t Tally) -> impl Iterator<Item = (LimitKind, Rate, &'t AtomicU64)> {
        let Limits {
            rate, spike_arrest, ..
        } = &**self.limits;
        let requests = self.requests.map(NonZeroU64::get);
        let rate = rate.map(|rate| (LimitKind::Rate, rate.lowered(requests), &tally.rate));
        let spike = spike_arrest.map(|spike| {
            let rate = spike.rate().lowered(requests);
            (LimitKind::SpikeArrest, rate, &tally.spike_arrest)
        });
        rate.into_iter().chain(spike)
    }

    /// Where the clock was set back far, time goes on from now on: also for a request that is refused, or all that follow
    /// would be as well.
    fn heed_clock(&self, tally: &Tally, now: UnixTime) {
        for (_, rate, bucket) in self.rates(tally) {
            rate.heed_clock(bucket, now);
        }
        for quota in &self.limits.quotas {
            if let Span::Rolling(period) = quota.span
                && let Some(rolling) = tally.rolling(period)
            {
                rolling.heed_clock(period, now);
            }
        }
    }

    /// How each limit stands. Nothing is written, so that a question changes nothing, of whatever moment it is.
    fn measure(&self, tally: &Tally, now: UnixTime, told: &mut impl FnMut(Measure)) {
        for (kind, rate, bucket) in self.rates(tally) {
            told(Measure::rate(kind, rate, rate.fits(bucket, now)));
        }
        for quota in &self.limits.quotas {
            told(self.quota(quota, tally, now));
        }
        if let Some(bandwidth) = &self.limits.bandwidth {
            told(self.bandwidth(bandwidth, tally, now));
        }
        if let Some(most) = self.limits.concurrency {
            told(Measure::concurrency(most.get(), tally.in_flight()));
        }
    }

    fn quota(&self, quota: &Quota, tally: &Tally, now: UnixTime) -> Measure {
        let requests = self.bounded(quota.requests);
        match &quota.span {
            Span::Calendar(calendar) => {
                let window = calendar.window(now);
                let word = tally.quota(calendar.period).load(Ordering::Relaxed);
                let used = word::used(word, calendar.period, window);
                let ends = calendar.ends(window, used.tag);
                Measure::counted(
                    LimitKind::Quota,
                    calendar.period,
                    requests,
                    used.count,
                    ends.since(now),
                )
            }
            Span::Rolling(period) => match tally.rolling(*period) {
                Some(rolling) => Measure::rolling(*period, requests, rolling.room(*period, now, requests)),
                None => Measure::counted(LimitKind::Quota, *period, requests, 0, Duration::ZERO),
            },
        }
    }

    /// Takes one request, or one beyond the quota where that is reported.
    fn take_quota(&self, quota: &Quota, tally: &Tally, now: UnixTime) -> Measure {
        let requests = self.bounded(quota.requests);
        match &quota.span {
            Span::Calendar(calendar) => {
                let window = calendar.window(now);
                let most = if self.reports() { u64::MAX } else { requests };
                let took = word::take(tally.quota(calendar.period), calendar.period, window, 1, most);
                let (Ok(used) | Err(used)) = took;
                let reset = calendar.ends(window, used.tag).since(now);
                let room = took.is_ok() && used.count <= requests;
                Measure {
                    wait: (!room).then_some(reset),
                    ..Measure::counted(LimitKind::Quota, calendar.period, requests, used.count, reset)
                }
            }
            Span::Rolling(period) => match tally.rolling_begun(*period) {
                Some(rolling) => {
                    let took = rolling.take(*period, now, requests, self.reports());
                    let (Ok(room) | Err(room)) = took;
                    Measure {
                        wait: room.wait,
                        ..Measure::rolling(*period, requests, room)
                    }
                }
                // There is always one.
                None => Measure::counted(LimitKind::Quota, *period, requests, requests, Duration::ZERO),
            },
        }
    }

    fn bandwidth(&self, bandwidth: &Bandwidth, tally: &Tally, now: UnixTime) -> Measure {
        let calendar = &bandwidth.calendar;
        let window = calendar.window(now);
        let used = word::used(tally.bytes.load(Ordering::Relaxed), calendar.period, window);
        let reset = calendar.ends(window, used.tag).since(now);
        Measure::counted(
            LimitKind::Bandwidth,
            calendar.period,
            bandwidth.bytes,
            used.count,
            reset,
        )
    }

    /// Takes a place among those in flight, or one beyond where that is reported.
    fn enter(&self, tally: &Tally, most: u32) -> Measure {
        let entered = tally.enter(most);
        if !entered && self.reports() {
            tally.enter(u32::MAX);
        }
        let in_flight = if entered { most.saturating_sub(1) } else { most };
        Measure::concurrency(most, in_flight)
    }

    fn standing(&self, measure: &Measure) -> Standing {
        let Measure {
            kind,
            period,
            limit,
            remaining,
            reset,
            wait,
        } = *measure;
        Standing {
            level: self.name,
            kind,
            period,
            limit,
            remaining,
            reset,
            wait,
            on_exceed: self.limits.on_exceed,
        }
    }

    fn exceeded(&self, measure: &Measure) -> Exceeded {
        Exceeded {
            level: self.name,
            kind: measure.kind,
            limit: measure.limit,
            reset: measure.reset,
            wait: measure.wait.unwrap_or_default(),
        }
    }

    /// Of two limits that deny, the one for which the wait is longer.
    fn worse(&self, worst: Option<Exceeded>, measure: &Measure) -> Option<Exceeded> {
        let Some(wait) = measure.wait.filter(|_| !self.reports()) else {
            return worst;
        };
        match worst {
            Some(worst) if worst.wait >= wait => Some(worst),
            _ => Some(self.exceeded(measure)),
        }
    }
}

// === impl Measure ===

impl Measure {
    fn rate(kind: LimitKind, rate: Rate, filled: Result<Filled, Wait>) -> Self {
        let measure = Self {
            kind,
            period: None,
            limit: rate.burst(),
            remaining: 0,
            reset: Duration::ZERO,
            wait: None,
        };
        match filled {
            Ok(filled) => Self {
                remaining: filled.remaining,
                reset: filled.reset,
                ..measure
            },
            Err(wait) => Self {
                reset: wait.reset,
                wait: Some(wait.until_one),
                ..measure
            },
        }
    }

    fn counted(kind: LimitKind, period: Period, limit: u64, used: u64, reset: Duration) -> Self {
        Self {
            kind,
            period: Some(period),
            limit,
            remaining: limit.saturating_sub(used),
            reset,
            wait: (used >= limit).then_some(reset),
        }
    }

    fn rolling(period: Period, limit: u64, room: Room) -> Self {
        Self {
            kind: LimitKind::Quota,
            period: Some(period),
            limit,
            remaining: room.remaining,
            reset: room.reset,
            wait: room.wait,
        }
    }

    fn concurrency(most: u32, in_flight: u32) -> Self {
        Self {
            kind: LimitKind::Concurrency,
            period: None,
            limit: most.into(),
            remaining: most.saturating_sub(in_flight).into(),
            reset: Duration::ZERO,
            wait: (in_flight >= most).then_some(Duration::ZERO),
        }
    }
}

// === impl Reached ===

impl<'l> Reached<'l> {
    /// Nothing if there is no place for it: then it is not counted.
    fn of(level: &'l Level<'l>, now: UnixTime) -> Option<Self> {
        let tally = match level.tally {
            TallyRef::Own(tally) => Found::Own(tally),
            TallyRef::Keyed(table, key) => Found::Place(table.find_or_begin(key, now)?),
        };
        Some(Self { level, tally })
    }

    fn tally(&self) -> &Tally {
        self.tally.get()
    }

    /// What is needed of it later.
    fn hold(&self) -> Option<Held> {
        let limits = self.level.limits;
        let in_flight = limits.concurrency.is_some();
        let bytes = limits.bandwidth.is_some().then(|| Arc::clone(limits));
        if !in_flight && bytes.is_none() {
            return None;
        }
        let owner = match (self.level.tally, &self.tally) {
            (TallyRef::Keyed(table, key), Found::Place(pin)) => {
                Owner::Place(Arc::clone(table), pin.number(), key)
            }
            (TallyRef::Own(tally), _) => Owner::Own(Arc::clone(tally)),
            (TallyRef::Keyed(..), Found::Own(_)) => return None,
        };
        Some(Held {
            owner,
            in_flight,
            bytes,
        })
    }
}

// === impl Found ===

impl Found<'_> {
    fn get(&self) -> &Tally {
        match self {
            Self::Own(tally) => tally,
            Self::Place(pin) => pin.tally(),
        }
    }
}

#[cfg(test)]
mod tests;

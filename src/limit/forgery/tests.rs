//! What the two buckets do for one check, in numbers that can be added up by hand.
//! What that means for requests is in `access/tests/forgeries.rs`.

use super::*;

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);
const CHECK: Duration = Duration::from_millis(1);

fn budget(issuer: Option<u32>, source: Option<u32>) -> ForgeryBudget {
    ForgeryBudget {
        issuer: issuer.map(Share::of_core),
        source: source.map(Share::of_core),
        burst: Duration::from_secs(1),
        hold: Duration::from_secs(1),
    }
}

fn address(number: u32) -> Option<IpAddr> {
    let [_, _, a, b] = number.to_be_bytes();
    Some(IpAddr::from([10, a, b, 1]))
}

/// How many checks of a millisecond fail before one is refused, and by which bucket.
fn spend(
    forgeries: &Forgeries,
    budget: &ForgeryBudget,
    client: Option<IpAddr>,
    now: UnixTime,
) -> (u32, Option<Bucket>) {
    let issuer = IssuerName::new("acme");
    for count in 0..1000 {
        match forgeries.charge(budget, &issuer, client, CHECK, now) {
            Ok(failed) => drop(failed),
            Err(overdrawn) => return (count, Some(overdrawn.bucket)),
        }
    }
    (1000, None)
}

#[test]
fn a_network_is_what_one_customer_has() {
    for (address, expected) in [
        ("192.0.2.7", "192.0.2.0"),
        ("::ffff:192.0.2.7", "192.0.2.0"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
    ] {
        assert_eq!(prefix(address.parse().unwrap()).to_string(), expected);
    }
}

#[test]
fn a_bucket_holds_its_share_of_the_burst() {
    let one = Some([192, 0, 2, 1].into());
    for (issuer, source, expected) in [
        (Some(25), Some(5), (50, Some(Bucket::Source))),
        (Some(25), None, (250, Some(Bucket::Issuer))),
        (None, Some(5), (50, Some(Bucket::Source))),
        (None, None, (1000, None)),
        // Two cores.
        (Some(200), Some(40), (400, Some(Bucket::Source))),
    ] {
        let forgeries = Forgeries::default();
        let spent = spend(&forgeries, &budget(issuer, source), one, NOW);
        assert_eq!(spent, expected, "{issuer:?} {source:?}");
        let nanos = u64::from(expected.0) * 1_000_000;
        assert_eq!(forgeries.wasted_nanos(&IssuerName::new("acme")), nanos);
    }
}

#[test]
fn who_is_refused_by_the_issuers_bucket_pays_nothing_to_the_sources() {
    let forgeries = Forgeries::default();
    let budget = budget(Some(10), Some(9));
    let issuer = IssuerName::new("acme");
    let client = address(1);
    let charge = |price| forgeries.charge(&budget, &issuer, client, price, NOW);
    let in_flight = charge(Duration::from_millis(60)).unwrap();
    let refused = charge(Duration::from_millis(29));
    assert!(refused.is_ok(), "89 of 90 ms, and of 100");
    refused.unwrap().refund();
    let other = forgeries.charge(&budget, &issuer, address(200), Duration::from_millis(40), NOW);
    drop(other.unwrap());
    let overdrawn = charge(Duration::from_millis(29)).unwrap_err();
    assert_eq!(overdrawn.bucket, Bucket::Issuer);
    assert_eq!(overdrawn.wait, Duration::from_millis(290));
    in_flight.refund();
    assert_eq!(
        spend(&forgeries, &budget, client, NOW).0,
        10,
        "half is for the clean"
    );
}

#[test]
fn addresses_of_one_network_and_those_that_are_not_known_share_a_bucket() {
    let budget = budget(Some(25), Some(5));
    for (one, other) in [
        (Some("192.0.2.1"), Some("192.0.2.255")),
        (Some("192.0.2.1"), Some("::ffff:192.0.2.9")),
        (Some("2001:db8:1::1"), Some("2001:db8:1:ffff::1")),
        (None, None),
    ] {
        let parse = |text: Option<&str>| text.map(|text| text.parse().unwrap());
        let forgeries = Forgeries::default();
        assert_eq!(spend(&forgeries, &budget, parse(one), NOW).0, 50);
        assert_eq!(spend(&forgeries, &budget, parse(other), NOW).0, 0, "{other:?}");
    }
}

#[test]
fn when_many_have_spent_the_issuers_budget_a_clean_source_gets_through_and_a_bad_one_does_not() {
    let forgeries = Forgeries::default();
    let budget = budget(Some(25), Some(5));
    let issuer = IssuerName::new("acme");
    // So many networks that half the places of the table are bad, each with a few forged tokens a second.
    let bad = |number: u32| address(number);
    let mut now = NOW;
    for _second in 0..20 {
        now = now.plus(Duration::from_secs(1));
        for number in 0..2_800 {
            for _ in 0..6 {
                let _ = forgeries.charge(&budget, &issuer, bad(number), Duration::from_micros(55), now);
            }
        }
    }
    let refused = (0..2_800).filter(|number| {
        forgeries
            .charge(&budget, &issuer, bad(*number), CHECK, now)
            .is_err_and(|overdrawn| overdrawn.bucket == Bucket::Issuer)
    });
    assert_eq!(refused.count(), 2_800, "the budget is spent");
    // Half of the places, so half of the strangers; each good token is given back.
    let served = (10_000..10_400).filter(|number| {
        let charged = forgeries.charge(&budget, &issuer, address(*number), CHECK, now);
        charged.map(Charge::refund).is_ok()
    });
    let served = served.count();
    assert!((120..=280).contains(&served), "{served} of 400 good callers");
}

#[test]
fn a_good_name_comes_back() {
    let forgeries = Forgeries::default();
    let issuer = IssuerName::new("acme");
    let budget = budget(Some(2), Some(1));
    let client = address(1);
    // The issuer's bucket holds 20 ms, half of them for the clean.
    let fail = |client, now| forgeries.charge(&budget, &issuer, client, CHECK, now).map(drop);
    for _ in 0..FORGIVEN_MAX {
        fail(client, NOW).unwrap();
    }
    for other in 2..6 {
        fail(address(other * 16), NOW).unwrap();
        fail(address(other * 16), NOW).unwrap();
    }
    assert!(fail(client, NOW).is_err(), "the others have the rest");
    let clean = forgeries.source(client).unwrap();
    let forgiven = NOW.plus(FORGIVEN_AFTER);
    for (now, expected) in [
        (NOW, false),
        (forgiven.minus(Duration::from_millis(1)), false),
        (forgiven, true),
    ] {
        assert_eq!(clean.is_clean(now), expected, "{now:?}");
    }
}

#[test]
fn a_network_is_notorious_while_four_failures_are_not_forgiven_and_only_where_networks_have_a_share() {
    let (forgeries, client) = (Forgeries::default(), address(1));
    let issuer = IssuerName::new("acme");
    let with = budget(None, Some(100));
    for (failures, expected) in [(0, false), (3, false), (4, true), (5, true)] {
        let forgeries = Forgeries::default();
        for _ in 0..failures {
            drop(forgeries.charge(&with, &issuer, client, CHECK, NOW).unwrap());
        }
        assert_eq!(forgeries.is_notorious(&with, client, NOW), expected, "{failures}");
        assert!(!forgeries.is_notorious(&with, address(2), NOW));
        assert!(!forgeries.is_notorious(&budget(Some(25), None), client, NOW));
    }
    for _ in 0..4 {
        drop(forgeries.charge(&with, &issuer, client, CHECK, NOW).unwrap());
    }
    let later = NOW.plus(FORGIVEN_AFTER);
    assert!(!forgeries.is_notorious(&with, client, later));
}

#[test]
fn a_copy_spends_nothing() {
    let forgeries = Forgeries::default();
    let budget = budget(Some(25), Some(5));
    let client = address(1);
    assert_eq!(spend(&forgeries.copy(), &budget, client, NOW).0, 50);
    assert_eq!(spend(&forgeries, &budget, client, NOW).0, 50);
    assert_eq!(
        spend(&forgeries.copy(), &budget, client, NOW).0,
        0,
        "nor does it forget"
    );
}

#[test]
fn the_table_takes_no_more_than_it_says() {
    assert!(SOURCES * size_of::<SourceBucket>() <= 100 * 1024);
}

#[test]
fn who_must_wait_waits_whole_seconds_at_least_one() {
    for (millis, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (60_000, 60)] {
        let wait = Duration::from_millis(millis);
        let overdrawn = Overdrawn {
            bucket: Bucket::Source,
            wait,
        };
        assert_eq!(overdrawn.retry_after_seconds(), seconds, "{millis} ms");
    }
}

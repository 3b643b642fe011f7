//! The bound, the fold, and that neighbouring label values never run together.
//! Two label sets that share a series would be two plans that share a count.

use super::*;

const PAIRS: Named<Counter, 2> = Named::counter("pairs_total", "Pairs.", ["left", "right"]);
const LEVELS: Named<Gauge, 1> = Named::gauge("level", "Level.", ["of"]);
const LONE: Named<Counter, 0> = Named::counter("lone_total", "Lone.", []);

fn family<M: Instrument, const N: usize>(
    named: &'static Named<M, N>,
) -> Result<(Family<M, N>, Arc<Counter>), prometheus::Error> {
    let folded = Arc::new(Counter::default());
    Ok((Family::new(named, Arc::clone(&folded))?, folded))
}

#[test]
fn label_sets_that_read_the_same_when_joined_are_different_children() -> Result<(), prometheus::Error> {
    let (pairs, _) = family(&PAIRS)?;
    let sets = [
        ["ab", "c"],
        ["a", "bc"],
        ["abc", ""],
        ["", "abc"],
        ["a\u{ff}", "bc"],
        ["a", "\u{ff}bc"],
    ];
    for set in &sets {
        pairs.child(set).inc();
    }
    assert_eq!(pairs.series(), sets.len());
    for set in &sets {
        assert_eq!(pairs.child(set).value(), 1, "{set:?}");
    }
    Ok(())
}

#[test]
fn the_same_label_set_is_the_same_child_also_through_a_clone() -> Result<(), prometheus::Error> {
    let (pairs, folded) = family(&PAIRS)?;
    let first = pairs.child(&["a", "b"]);
    let clone = pairs.clone();
    assert!(Arc::ptr_eq(&first, &clone.child(&["a", "b"])));
    assert_eq!(pairs.series(), 1);
    assert_eq!(folded.value(), 0);
    Ok(())
}

#[test]
fn a_hundred_thousand_label_sets_stay_at_the_bound_and_fold() -> Result<(), prometheus::Error> {
    const SETS: u64 = 100_000;
    let (pairs, folded) = family(&PAIRS)?;
    for i in 0..SETS {
        pairs.child(&["left", &i.to_string()]).inc();
    }
    let named = SERIES_MAX as u64 - 1;
    assert_eq!(pairs.series(), SERIES_MAX);
    assert_eq!(folded.value(), SETS - named);
    assert_eq!(
        pairs.child(&[OTHER, OTHER]).value(),
        SETS - named,
        "what was folded is still counted"
    );
    assert_eq!(
        folded.value(),
        SETS - named,
        "asking for `other` itself is no fold"
    );
    assert_eq!(
        pairs.child(&["left", "7"]).value(),
        1,
        "who was there before the bound keeps its child"
    );

    let collected = pairs.collect();
    let values: Vec<f64> = collected
        .iter()
        .flat_map(|f| f.get_metric())
        .map(|m| m.get_counter().get_value())
        .collect();
    assert_eq!(values.len(), SERIES_MAX);
    assert_eq!(values.iter().sum::<f64>(), SETS as f64);
    Ok(())
}

#[test]
fn values_that_no_scrape_could_carry_fold() -> Result<(), prometheus::Error> {
    let table = [
        ("k".repeat(LABEL_BYTES_MAX), false),
        ("k".repeat(LABEL_BYTES_MAX + 1), true),
        ("a\0b".to_owned(), true),
        ("a\nb\"c\\d\u{2028}".to_owned(), false),
        (String::new(), false),
        (OTHER.to_owned(), false),
    ];
    for (value, folds) in table {
        let (levels, folded) = family(&LEVELS)?;
        levels.child(&[&value]).set(3);
        assert_eq!(folded.value(), u64::from(folds), "{value:?}");
        assert_eq!(levels.series(), 1, "{value:?}");
        assert_eq!(
            levels.child(&[OTHER]).value() == 3,
            folds || value == OTHER,
            "{value:?}"
        );
    }
    Ok(())
}

#[test]
fn a_retained_family_forgets_what_is_gone_but_not_what_was_folded() -> Result<(), prometheus::Error> {
    let (levels, _) = family(&LEVELS)?;
    for of in ["acme", "globex", OTHER] {
        levels.child(&[of]).set(1);
    }
    levels.retain(|[of]| of == "globex");
    assert_eq!(levels.series(), 2);
    assert_eq!(levels.child(&[OTHER]).value(), 1);
    assert_eq!(levels.child(&["globex"]).value(), 1);
    assert_eq!(levels.child(&["acme"]).value(), 0, "begins again");
    Ok(())
}

#[test]
fn a_family_without_labels_has_one_child() -> Result<(), prometheus::Error> {
    let (lone, folded) = family(&LONE)?;
    lone.child(&[]).inc();
    lone.child(&[]).inc();
    assert_eq!(lone.child(&[]).value(), 2);
    assert_eq!((lone.series(), folded.value()), (1, 0));
    lone.retain(|[]| false);
    assert_eq!(lone.series(), 1);
    Ok(())
}

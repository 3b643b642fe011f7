//! The figures as people read them while the test runs.
//! A line after every round, so that a run that goes wrong is seen to, and not only when it is over.

use crate::round::Row;
use crate::statistics::Spread;
use crate::summary::{Comparison, RATIOS, SideSummary, Summary, Verification};
use crate::terminal::say;

pub(crate) fn header() {
    say(&format!(
        "{:>6} {:<28} {:>8} {:>7} {:>6} {:>6} {:>8} {:>8} {:>8} {:>8} {:>6} {:>5} {:>6} {:>6} {:>5}",
        "round",
        "side",
        "req/s",
        "CPU us",
        "user",
        "system",
        "p50 ms",
        "p90 ms",
        "p99 ms",
        "99.9 ms",
        "RSS MB",
        "busy%",
        "other%",
        "stolen",
        "wrong"
    ));
}

pub(crate) fn row(row: &Row) {
    let wrong = (row.wrong_answers + row.socket_errors).to_string();
    let figures = [
        row.requests_per_second,
        row.cpu_us,
        row.cpu_user_us,
        row.cpu_system_us,
        row.latency.p50_us,
        row.latency.p90_us,
        row.latency.p99_us,
        row.latency.p999_us,
        row.rss_bytes as f64,
        row.busy_percent,
        row.others_percent,
        row.stolen_percent,
    ];
    line(
        &row.round.to_string(),
        &row.side,
        figures,
        &format!("{wrong}{}", extras(row)),
    );
}

/// What only some scenarios have.
fn extras(row: &Row) -> String {
    let mut text = String::new();
    if let Some(share) = row.cache_hit_share {
        text += &format!("  remembered {:.1} %", share * 100.0);
    }
    if let Some(unanswered) = row.unanswered.filter(|unanswered| *unanswered > 0) {
        text += &format!("  unanswered {unanswered}");
    }
    if let Some(reloads) = row.reloads {
        text += &format!("  reloads {reloads}");
    }
    if let Some(bare) = row.bare_check_us {
        text += &format!("  bare check {bare:.1} us");
    }
    if let Some(flood) = &row.flood {
        let statuses: Vec<String> = flood
            .statuses
            .iter()
            .map(|(status, count)| format!("{status}: {count}"))
            .collect();
        text += &format!(
            "  flood {:.0}/s of {:.0}/s ({})",
            flood.reached_per_second,
            flood.wanted_per_second,
            statuses.join(", ")
        );
    }
    text
}

fn line(label: &str, side: &str, figures: [f64; 12], rest: &str) {
    let [
        rate,
        cpu,
        user,
        system,
        p50,
        p90,
        p99,
        p999,
        rss,
        busy,
        others,
        stolen,
    ] = figures;
    let [p50, p90, p99, p999] = [p50, p90, p99, p999].map(|us| us / 1e3);
    let rss = rss / 1e6;
    say(&format!(
        "{label:>6} {side:<28} {rate:>8.0} {cpu:>7.2} {user:>6.2} {system:>6.2} {p50:>8.3} {p90:>8.3} {p99:>8.3} \
         {p999:>8.3} {rss:>6.0} {busy:>5.0} {others:>6.1} {stolen:>6.1} {rest:>5}"
    ));
}

pub(crate) fn summary(summary: &Summary) {
    for SideSummary { side, figures } in &summary.sides {
        let median = |name: &str| figures.get(name).map_or(f64::NAN, |spread| spread.median);
        let medians = [
            "requests_per_second",
            "cpu_us",
            "cpu_user_us",
            "cpu_system_us",
            "p50_us",
            "p90_us",
            "p99_us",
            "p999_us",
            "rss_bytes",
            "busy_percent",
            "others_percent",
            "stolen_percent",
        ];
        line("median", side, medians.map(median), "");
    }
    for against in &summary.against {
        let title = format!("{} / {}", against.side, against.other);
        comparison(&format!("{title}, {} pairs", against.all.pairs), &against.all);
        if let Some(calm) = &against.undisturbed {
            comparison(&format!("{title}, the {} undisturbed pairs", calm.pairs), calm);
        }
    }
    if let Some(Verification {
        side,
        bare_check_us,
        added_by_bare_check,
    }) = &summary.verification
    {
        say(&format!(
            "\n{:<40} {:>8} {:>8} {:>8}   median, 95 %",
            side, "min", "median", "max"
        ));
        spread("bare signature check, us", bare_check_us);
        spread("CPU added / bare check", added_by_bare_check);
    }
    for doubt in &summary.doubts {
        say(&format!("  doubtful: {doubt}"));
    }
}

fn comparison(title: &str, found: &Comparison) {
    say(&format!(
        "\n{title:<40} {:>8} {:>8} {:>8}   median, 95 %",
        "min", "median", "max"
    ));
    for (figure, label) in RATIOS {
        if let Some(found) = found.ratios.get(figure) {
            spread(label, found);
        }
    }
    if let Some(added) = &found.added_cpu_us {
        spread("CPU added per request, us", added);
    }
}

fn spread(label: &str, found: &Spread) {
    let Spread {
        min,
        median,
        max,
        interval,
    } = found;
    let between = interval.map_or_else(
        || "too few rounds".to_owned(),
        |[low, high]| format!("{low:.3} to {high:.3}"),
    );
    say(&format!(
        "  {label:<38} {min:>8.3} {median:>8.3} {max:>8.3}   {between}"
    ));
}

//! What Prometheus gets: complete, parseable whatever the label values, and the same twice.
//! The page is read back by a small parser of its own, so that what is written is not judged by its writer.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::time::Duration;

use super::*;
use crate::telemetry::family::{OTHER, SERIES_MAX};

type Outcome = Result<(), Box<dyn Error>>;

/// A scrape, taken apart: kind and help of each family, value of each sample.
#[derive(Debug, Default)]
struct Scrape {
    families: BTreeMap<String, (String, String)>,
    samples: BTreeMap<Sample, f64>,
    /// In the order of the text.
    order: Vec<String>,
}

/// Name and labels.
type Sample = (String, Vec<(String, String)>);

impl Scrape {
    /// Strict: every line ends in a line break, HELP then TYPE then samples of that family alone, no sample twice.
    fn parse(text: &str) -> Result<Self, String> {
        let mut scrape = Self::default();
        let mut help: Option<(String, String)> = None;
        let mut open: Option<(String, String)> = None;
        if !text.is_empty() && !text.ends_with('\n') {
            return Err("the last line does not end".to_owned());
        }
        for line in text.split_terminator('\n') {
            let fail = |what: &str| format!("{what}: {line:?}");
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, text) = rest.split_once(' ').ok_or_else(|| fail("help without text"))?;
                help = Some((
                    name.to_owned(),
                    unescape(text, false).ok_or_else(|| fail("bad escape"))?,
                ));
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').ok_or_else(|| fail("type without kind"))?;
                let (helped, text) = help.take().ok_or_else(|| fail("type without help"))?;
                if helped != name || !["counter", "gauge", "histogram"].contains(&kind) {
                    return Err(fail("wrong type line"));
                }
                if scrape
                    .families
                    .insert(name.to_owned(), (kind.to_owned(), text))
                    .is_some()
                {
                    return Err(fail("family twice"));
                }
                scrape.order.push(name.to_owned());
                open = Some((name.to_owned(), kind.to_owned()));
            } else {
                let (sample, value) = sample(line).ok_or_else(|| fail("not a sample"))?;
                let (family, kind) = open.as_ref().ok_or_else(|| fail("sample before its type"))?;
                let allowed: &[&str] = if kind == "histogram" {
                    &["_bucket", "_sum", "_count"]
                } else {
                    &[""]
                };
                if !sample
                    .0
                    .strip_prefix(family.as_str())
                    .is_some_and(|suffix| allowed.contains(&suffix))
                {
                    return Err(fail("sample of another family"));
                }
                if scrape.samples.insert(sample, value).is_some() {
                    return Err(fail("sample twice"));
                }
            }
        }
        Ok(scrape)
    }

    fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels = labels
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect();
        self.samples.get(&(name.to_owned(), labels)).copied()
    }
}

/// `name{label="value",…} value`
fn sample(line: &str) -> Option<(Sample, f64)> {
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (label, after) = rest.split_once("=\"")?;
            if label.is_empty() || !label.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
                return None;
            }
            let mut escaped = false;
            let close = after.char_indices().find(|(_, c)| {
                let closes = *c == '"' && !escaped;
                escaped = *c == '\\' && !escaped;
                closes
            })?;
            let (value, after) = after.split_at(close.0);
            labels.push((label.to_owned(), unescape(value, true)?));
            let after = after.strip_prefix('"')?;
            if let Some(next) = after.strip_prefix(',') {
                rest = next;
            } else {
                rest = after.strip_prefix('}')?;
                break;
            }
        }
    }
    let value = rest.strip_prefix(' ')?;
    let number = value.parse::<f64>().ok()?;
    (!name.is_empty() && !value.contains(' ')).then(|| ((name.to_owned(), labels), number))
}

fn unescape(text: &str, quotes: bool) -> Option<String> {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next()? {
                '\\' => plain.push('\\'),
                'n' => plain.push('\n'),
                '"' if quotes => plain.push('"'),
                _ => return None,
            },
            '"' if quotes => return None,
            c => plain.push(c),
        }
    }
    Some(plain)
}

/// A telemetry with one child in every family. Taken apart completely: a new field must be handled here.
fn touched() -> Result<Telemetry, TelemetryError> {
    let telemetry = Telemetry::new("1.2.3")?;
    let Telemetry {
        requests,
        decisions,
        token_rejections,
        request_duration,
        access_duration,
        added_latency,
        in_flight_requests,
        upstream_duration,
        upstream_peers_healthy,
        token_verify,
        verifications_refused,
        forgery_nanoseconds,
        limit_decisions,
        limit_keys_forgotten,
        limit_uncounted,
        counts_kept,
        introspections,
        introspection_duration,
        introspection_answers,
        jwks_refreshes,
        jwks_age,
        jwks_keys,
        jwks_quarantined,
        key_last_used,
        revocations,
        revocation_list_refreshes,
        revocation_list_age,
        revocation_list_entries,
        token_cache_hits,
        token_cache_misses,
        token_cache_stale,
        token_cache_evictions,
        token_cache_entries,
        config_reloads,
        config_generation,
        config_last_success,
        subscriptions,
        applications,
        admin_sign_ins,
        token_requests,
        store_failing,
        store_failures,
        access_log_lines_dropped,
        registry: _,
        hooks: _,
    } = &telemetry;
    requests.child(&["orders", "gold", "2xx"]).inc();
    decisions.child(&["orders", "permit"]).inc();
    token_rejections.child(&["acme", "expired"]).inc();
    for histogram in [
        request_duration,
        access_duration,
        added_latency,
        upstream_duration,
    ] {
        histogram.child(&["orders"]).observe(Duration::from_micros(40));
    }
    token_verify
        .child(&["acme", "ES256"])
        .observe(Duration::from_micros(49));
    upstream_peers_healthy.child(&["orders"]).set(2);
    verifications_refused.child(&["acme", "issuer"]).inc();
    forgery_nanoseconds.child(&["acme"]).add(55_000);
    limit_decisions.child(&["orders", "gold", "rate", "denied"]).inc();
    limit_keys_forgotten.inc();
    limit_uncounted.inc();
    introspections.child(&["acme", "active"]).inc();
    introspection_duration
        .child(&["acme"])
        .observe(Duration::from_millis(4));
    introspection_answers.child(&["acme", "active"]).set(1);
    jwks_refreshes.child(&["acme", "ok"]).inc();
    jwks_age.child(&["acme"]).set(300);
    jwks_keys.child(&["acme"]).set(3);
    jwks_quarantined.child(&["acme"]).set(1);
    key_last_used.child(&["acme", "2024-a"]).set(1_700_000_000);
    revocation_list_refreshes.child(&["acme", "success"]).inc();
    revocation_list_age.child(&["acme"]).set(30);
    revocation_list_entries.child(&["acme"]).set(3);
    config_reloads.child(&["applied"]).inc();
    admin_sign_ins.child(&["admitted"]).inc();
    token_requests.child(&["token", "ok"]).inc();
    in_flight_requests.inc();
    for gauge in [
        config_generation,
        config_last_success,
        subscriptions,
        applications,
        revocations,
        store_failing,
        counts_kept,
    ] {
        gauge.set(1);
    }
    for counter in [
        token_cache_hits,
        token_cache_misses,
        token_cache_stale,
        token_cache_evictions,
    ] {
        counter.inc();
    }
    token_cache_entries.set(1);
    store_failures.child(&["write"]).inc();
    access_log_lines_dropped.inc();
    Ok(telemetry)
}

#[test]
fn a_scrape_has_every_documented_metric_and_no_other() -> Outcome {
    let scrape = Scrape::parse(&touched()?.render()?)?;
    let process: &[names::Description] = if cfg!(target_os = "linux") {
        names::PROCESS
    } else {
        &[]
    };
    let documented: BTreeSet<_> = names::ALL.iter().chain(process).map(|d| d.name).collect();
    let scraped: BTreeSet<_> = scrape.families.keys().map(String::as_str).collect();
    assert_eq!(scraped, documented);
    for description in names::ALL.iter().chain(process) {
        let (kind, help) = scrape.families.get(description.name).ok_or(description.name)?;
        assert_eq!(
            (kind.as_str(), help.as_str()),
            (description.kind, description.help),
            "{}",
            description.name
        );
    }
    for (name, labels) in scrape.samples.keys() {
        let family = names::ALL.iter().find(|d| {
            let suffix = name.strip_prefix(d.name);
            suffix.is_some_and(|s| s.is_empty() || (d.kind == "histogram" && s.starts_with('_')))
        });
        let expected: Vec<_> = family.map_or(&[][..], |d| d.labels).to_vec();
        let labels: Vec<_> = labels
            .iter()
            .map(|(n, _)| n.as_str())
            .filter(|n| *n != "le")
            .collect();
        assert_eq!(labels, expected, "{name}");
    }
    Ok(())
}

#[test]
fn metrics_without_labels_are_there_from_the_start() -> Outcome {
    let scrape = Scrape::parse(&Telemetry::new("1.2.3")?.render()?)?;
    for d in names::ALL.iter().filter(|d| d.labels.is_empty()) {
        assert_eq!(scrape.value(d.name, &[]), Some(0.0), "{}", d.name);
    }
    assert_eq!(
        scrape.value("tollgate_build_info", &[("version", "1.2.3")]),
        Some(1.0)
    );
    let folded = [("metric", "tollgate_requests_total")];
    assert_eq!(
        scrape.value("tollgate_metric_series_folded_total", &folded),
        Some(0.0)
    );
    Ok(())
}

#[test]
fn two_renders_of_the_same_values_are_the_same_text_in_order() -> Outcome {
    let lines = |text: String| {
        text.lines()
            .filter(|l| !l.contains("process_"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let telemetry = touched()?;
    for api in ["zebra", "apple", "mango"] {
        telemetry.requests.child(&[api, "gold", "5xx"]).inc();
    }
    let first = lines(telemetry.render()?);
    assert_eq!(first, lines(telemetry.render()?));

    // The same values, made in another order, in another registry with other hash seeds.
    let other = touched()?;
    for api in ["mango", "zebra", "apple"] {
        other.requests.child(&[api, "gold", "5xx"]).inc();
    }
    let text = other.render()?;
    let scrape = Scrape::parse(&text)?;
    assert!(scrape.order.is_sorted());
    assert_eq!(first, lines(text));
    Ok(())
}

#[test]
fn a_histogram_is_exposed_with_cumulative_buckets() -> Outcome {
    let telemetry = Telemetry::new("1.2.3")?;
    let child = telemetry.access_duration.child(&["jwt"]);
    for micros in [1, 3, 40, 60_000] {
        child.observe(Duration::from_micros(micros));
    }
    let text = telemetry.render()?;
    let lines: Vec<_> = text
        .lines()
        .filter(|l| l.starts_with("tollgate_access_duration_seconds"))
        .collect();
    assert_eq!(
        lines,
        [
            r#"tollgate_access_duration_seconds_bucket{security="jwt",le="0.000001"} 1"#,
            r#"tollgate_access_duration_seconds_bucket{security="jwt",le="0.000002"} 1"#,
            r#"tollgate_access_duration_seconds_bucket{security="jwt",le="0.000005"} 2"#,
            r#"tollgate_access_duration_seconds_bucket{security="jwt",le="0.00001"} 2"#,
            r#"tollgate_access_duration_seconds_bucket{security="jwt",le="0.00002"} 2"#,
            r#"tollgate_access_duration_seconds_bucket{security="jwt",le="0.00005"} 3"#,
            r#"tollgate_access_duration_seconds_bucket{security="jwt",le="0.0001"} 3"#,
            r#"tollgate_access_duration_seconds_bucket{security="jwt",le="0.0002"} 3"#,
            r#"tollgate_access_duration_seconds_bucket{security="jwt",le="0.0005"} 3"#,
            r#"tollgate_access_duration_seconds_bucket{security="jwt",le="0.002"} 3"#,
            r#"tollgate_access_duration_seconds_bucket{security="jwt",le="0.02"} 3"#,
            r#"tollgate_access_duration_seconds_bucket{security="jwt",le="+Inf"} 4"#,
            r#"tollgate_access_duration_seconds_sum{security="jwt"} 0.060044"#,
            r#"tollgate_access_duration_seconds_count{security="jwt"} 4"#,
        ]
    );
    Ok(())
}

#[test]
fn no_label_value_leaves_its_quotes() -> Outcome {
    let values = [
        "",
        " ",
        "plain",
        "quo\"te",
        "back\\slash",
        "ends in \\",
        "\\\"",
        "\\n is not a line break",
        "line\nbreak",
        "\n",
        "\r\n",
        "\t\u{1}\u{7f}",
        "gold\"} 1\ntollgate_requests_total{api=\"forged",
        "# HELP x y",
        "grün 金 🥇 \u{2028}\u{202e}",
        "a,b=\"c\"",
        "le",
    ];
    let telemetry = Telemetry::new("1.2.3")?;
    let scrapes_before = Scrape::parse(&telemetry.render()?)?.samples.len();
    for (count, value) in (1..).zip(values) {
        telemetry.requests.child(&["orders", value, "2xx"]).add(count);
    }
    let scrape = Scrape::parse(&telemetry.render()?)?;
    assert_eq!(scrape.samples.len(), scrapes_before + values.len());
    for (count, value) in (1..).map(f64::from).zip(values) {
        let labels = [("api", "orders"), ("plan", value), ("status_class", "2xx")];
        assert_eq!(
            scrape.value("tollgate_requests_total", &labels),
            Some(count),
            "{value:?}"
        );
    }
    Ok(())
}

#[test]
fn help_text_is_escaped() -> Outcome {
    const ODD: Named<Counter, 0> = Named::counter("odd_total", "A \"quote\", a \\, a\nbreak and 金.", []);
    let registrar = Registrar::new()?;
    registrar.single(&ODD)?;
    let text = TextEncoder::new().encode_to_string(&registrar.registry.gather())?;
    let scrape = Scrape::parse(&text)?;
    assert_eq!(
        scrape.families.get("odd_total").map(|f| f.1.as_str()),
        Some(ODD.help)
    );
    Ok(())
}

#[test]
fn a_flood_of_label_sets_is_bounded_and_visible_in_the_scrape() -> Outcome {
    let telemetry = Telemetry::new("1.2.3")?;
    for i in 0..100_000 {
        telemetry
            .key_last_used
            .child(&["acme", &format!("kid-{i}")])
            .set(1);
    }
    assert_eq!(telemetry.key_last_used.series(), SERIES_MAX);
    let scrape = Scrape::parse(&telemetry.render()?)?;
    let name = "tollgate_key_last_used_timestamp_seconds";
    assert_eq!(
        scrape.samples.keys().filter(|(n, _)| n == name).count(),
        SERIES_MAX
    );
    assert_eq!(
        scrape.value(name, &[("issuer", OTHER), ("kid", OTHER)]),
        Some(1.0)
    );
    let folded = scrape.value("tollgate_metric_series_folded_total", &[("metric", name)]);
    assert_eq!(folded, Some(f64::from(100_000 - (SERIES_MAX as u32 - 1))));
    Ok(())
}

#[test]
fn hooks_set_what_is_computed_at_scrape_time() -> Outcome {
    let telemetry = Telemetry::new("1.2.3")?;
    telemetry.on_scrape(Box::new(|telemetry| {
        let age = telemetry.jwks_age.child(&["acme"]);
        age.set(age.value() + 7);
    }));
    telemetry.on_scrape(Box::new(|telemetry| {
        telemetry.jwks_age.retain(|[issuer]| issuer != "globex")
    }));
    telemetry.jwks_age.child(&["globex"]).set(1);
    for expected in [7.0, 14.0] {
        let scrape = Scrape::parse(&telemetry.render()?)?;
        assert_eq!(
            scrape.value("tollgate_jwks_age_seconds", &[("issuer", "acme")]),
            Some(expected)
        );
        assert_eq!(
            scrape.value("tollgate_jwks_age_seconds", &[("issuer", "globex")]),
            None
        );
    }
    // A hook may add a hook; it runs from the next scrape on.
    telemetry.on_scrape(Box::new(|telemetry| {
        telemetry.on_scrape(Box::new(|t| t.applications.set(t.applications.value() + 1)))
    }));
    telemetry.render()?;
    telemetry.render()?;
    assert_eq!(telemetry.applications.value(), 1);
    Ok(())
}

#[test]
fn a_name_given_twice_is_refused() -> Outcome {
    let registrar = Registrar::new()?;
    registrar.family(&names::REQUESTS)?;
    let again = registrar.family(&names::REQUESTS).err().ok_or("accepted")?;
    assert!(
        again
            .to_string()
            .starts_with("metric tollgate_requests_total cannot be registered"),
        "{again}"
    );
    Ok(())
}

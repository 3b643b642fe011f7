//! Moments, durations and lists in words.
//! Small, and all in one place, so that the same thing is said in the same way everywhere.

use std::time::Duration;

use crate::time::UnixTime;

/// As RFC 3339 writes it; a number of seconds where no calendar goes.
pub(super) fn moment(time: UnixTime) -> String {
    jiff::Timestamp::from_millisecond(time.millis()).map_or_else(
        |_| format!("{} s since 1970", time.seconds()),
        |time| time.to_string(),
    )
}

/// `3 s`, `1 h 3 min`, `12 d 4 h`: the two largest units.
pub(super) fn length(duration: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let seconds = duration.as_secs();
    if seconds == 0 {
        return format!("{} ms", duration.as_millis());
    }
    let first = UNITS.iter().position(|(unit, _)| seconds >= *unit).unwrap_or(3);
    let mut rest = seconds;
    let mut words = Vec::new();
    for (unit, name) in UNITS.iter().skip(first).take(2) {
        let count = rest / unit;
        rest %= unit;
        if count > 0 {
            words.push(format!("{count} {name}"));
        }
    }
    words.join(" ")
}

/// `3 s ago`, `in 3 s`, `now`.
pub(super) fn from_now(time: UnixTime, now: UnixTime) -> String {
    match time.millis().cmp(&now.millis()) {
        std::cmp::Ordering::Less => format!("{} ago", length(now.since(time))),
        std::cmp::Ordering::Equal => "now".to_owned(),
        std::cmp::Ordering::Greater => format!("in {}", length(time.since(now))),
    }
}

/// A moment and how far away it is.
pub(super) fn moment_from_now(time: UnixTime, now: UnixTime) -> String {
    format!("{}, {}", moment(time), from_now(time, now))
}

/// A target without what its query says: a query may carry credentials.
pub(super) fn without_query(target: &str) -> String {
    match target.split_once('?') {
        Some((path, _)) => format!("{path}?…"),
        None => target.to_owned(),
    }
}

/// `a, b, c`, at most ten and how many more there are; `none` if there are none.
pub(super) fn list<T: AsRef<str>>(items: impl IntoIterator<Item = T>) -> String {
    const SHOWN_MAX: usize = 10;
    let items: Vec<T> = items.into_iter().collect();
    let shown: Vec<&str> = items.iter().take(SHOWN_MAX).map(AsRef::as_ref).collect();
    match items.len() {
        0 => "none".to_owned(),
        count if count > SHOWN_MAX => format!("{} and {} more", shown.join(", "), count - SHOWN_MAX),
        _ => shown.join(", "),
    }
}

/// The most similar of what is known: the same but for case and a last slash, or a typing error away.
pub(super) fn similar<'k>(written: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    // Measuring costs the product of the lengths.
    const WRITTEN_BYTES_MAX: usize = 256;
    if written.len() > WRITTEN_BYTES_MAX {
        return None;
    }
    let plain = |text: &str| text.trim().trim_end_matches('/').to_lowercase();
    let far = written.chars().count().div_ceil(5);
    known
        .filter(|name| name.len() <= WRITTEN_BYTES_MAX && *name != written)
        .map(|name| match plain(name) == plain(written) {
            true => (0, name),
            false => (strsim::damerau_levenshtein(name, written), name),
        })
        .filter(|(distance, _)| *distance <= far)
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_two_units() {
        for (millis, expected) in [
            (5, "5 ms"),
            (3_000, "3 s"),
            (3_780_000, "1 h 3 min"),
            (3_605_000, "1 h"),
            (1_051_200_000, "12 d 4 h"),
        ] {
            assert_eq!(length(Duration::from_millis(millis)), expected);
        }
    }

    #[test]
    fn what_is_meant_is_found_past_slash_case_and_typing() {
        let known = ["https://acme.example/", "https://globex.example/", "legacy"];
        for (written, expected) in [
            ("https://acme.example", Some(known[0])),
            ("https://ACME.example/", Some(known[0])),
            ("https://acme.exmaple/", Some(known[0])),
            ("legacy ", Some(known[2])),
            ("https://elsewhere.test/", None),
        ] {
            assert_eq!(similar(written, known.into_iter()), expected, "{written}");
        }
    }
}

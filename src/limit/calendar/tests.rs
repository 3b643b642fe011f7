//! Windows where calendars are difficult: the days on which a clock is moved, leap days, ends of months and years, zones
//! that are not whole hours away. And, for any moment of any zone, that windows leave no gap and never go back.

use super::super::tests::chance::Chance;
use super::*;

fn moment(text: &str) -> UnixTime {
    let at: Timestamp = text.parse().unwrap();
    UnixTime::from_millis(at.as_millisecond())
}

fn calendar(period: Period, zone: &str) -> Calendar {
    Calendar::new(period, Zone::named(zone).unwrap())
}

/// A moment, the window that it is in, and how many hours that has.
fn check(period: Period, zone: &str, rows: &[(&str, &str, &str, f64)]) {
    let calendar = calendar(period, zone);
    for (at, start, end, hours) in rows {
        let at = moment(at);
        // Computed, and found beside the limit.
        for window in [calendar.find(at), calendar.window(at), calendar.window(at)] {
            let shown = |millis| Timestamp::from_millisecond(millis).unwrap().to_string();
            assert_eq!(
                (shown(window.start).as_str(), shown(window.end).as_str()),
                (*start, *end),
                "{period:?} of {zone} at {at:?}"
            );
            let quarters = (window.end - window.start) / QUARTER;
            assert_eq!(f64::from(i32::try_from(quarters).unwrap()) / 4.0, *hours);
        }
        let window = calendar.window(at);
        assert_eq!(calendar.tagged(window.tag), window);
        assert_eq!(calendar.ends(window, window.tag).millis(), window.end);
    }
}

#[test]
fn days_of_23_24_and_25_hours() {
    check(
        Period::Day,
        "Europe/Berlin",
        &[
            (
                "2026-03-28T12:00:00Z",
                "2026-03-27T23:00:00Z",
                "2026-03-28T23:00:00Z",
                24.0,
            ),
            (
                "2026-03-29T00:59:59Z",
                "2026-03-28T23:00:00Z",
                "2026-03-29T22:00:00Z",
                23.0,
            ),
            (
                "2026-03-29T01:00:00Z",
                "2026-03-28T23:00:00Z",
                "2026-03-29T22:00:00Z",
                23.0,
            ),
            (
                "2026-03-29T21:59:59.999Z",
                "2026-03-28T23:00:00Z",
                "2026-03-29T22:00:00Z",
                23.0,
            ),
            (
                "2026-03-29T22:00:00Z",
                "2026-03-29T22:00:00Z",
                "2026-03-30T22:00:00Z",
                24.0,
            ),
            (
                "2026-10-25T00:30:00Z",
                "2026-10-24T22:00:00Z",
                "2026-10-25T23:00:00Z",
                25.0,
            ),
            (
                "2026-10-25T01:30:00Z",
                "2026-10-24T22:00:00Z",
                "2026-10-25T23:00:00Z",
                25.0,
            ),
        ],
    );
    // The other hemisphere, where the year begins in summer.
    check(
        Period::Day,
        "Australia/Sydney",
        &[
            (
                "2026-04-05T00:00:00Z",
                "2026-04-04T13:00:00Z",
                "2026-04-05T14:00:00Z",
                25.0,
            ),
            (
                "2026-10-04T00:00:00Z",
                "2026-10-03T14:00:00Z",
                "2026-10-04T13:00:00Z",
                23.0,
            ),
        ],
    );
    // Half an hour.
    check(
        Period::Day,
        "Australia/Lord_Howe",
        &[
            (
                "2026-04-05T00:00:00Z",
                "2026-04-04T13:00:00Z",
                "2026-04-05T13:30:00Z",
                24.5,
            ),
            (
                "2026-10-04T00:00:00Z",
                "2026-10-03T13:30:00Z",
                "2026-10-04T13:00:00Z",
                23.5,
            ),
        ],
    );
    // There is no midnight on the day on which the clock is put forward at midnight: the day begins at one o'clock.
    check(
        Period::Day,
        "America/Santiago",
        &[
            (
                "2026-09-06T12:00:00Z",
                "2026-09-06T04:00:00Z",
                "2026-09-07T03:00:00Z",
                23.0,
            ),
            // Put back at midnight, to eleven of the day before: that day has 25 hours.
            (
                "2026-04-05T03:30:00Z",
                "2026-04-04T03:00:00Z",
                "2026-04-05T04:00:00Z",
                25.0,
            ),
        ],
    );
    // Put back at one minute past midnight: the new day had begun, and goes on.
    check(
        Period::Day,
        "America/St_Johns",
        &[
            (
                "2006-10-29T02:30:30Z",
                "2006-10-29T02:30:00Z",
                "2006-10-30T03:30:00Z",
                25.0,
            ),
            (
                "2006-10-29T03:00:00Z",
                "2006-10-29T02:30:00Z",
                "2006-10-30T03:30:00Z",
                25.0,
            ),
        ],
    );
    // A day that a country left out.
    check(
        Period::Day,
        "Pacific/Apia",
        &[
            (
                "2011-12-30T09:00:00Z",
                "2011-12-29T10:00:00Z",
                "2011-12-30T10:00:00Z",
                24.0,
            ),
            (
                "2011-12-30T10:00:00Z",
                "2011-12-30T10:00:00Z",
                "2011-12-31T10:00:00Z",
                24.0,
            ),
        ],
    );
}

#[test]
fn hours_as_the_clock_shows_them() {
    check(
        Period::Hour,
        "Europe/Berlin",
        &[
            (
                "2026-10-25T00:59:59Z",
                "2026-10-25T00:00:00Z",
                "2026-10-25T01:00:00Z",
                1.0,
            ),
            (
                "2026-10-25T01:00:00Z",
                "2026-10-25T01:00:00Z",
                "2026-10-25T02:00:00Z",
                1.0,
            ),
            (
                "2026-03-29T01:00:00Z",
                "2026-03-29T01:00:00Z",
                "2026-03-29T02:00:00Z",
                1.0,
            ),
        ],
    );
    for (zone, start, end) in [
        ("Asia/Kolkata", "2026-06-01T11:30:00Z", "2026-06-01T12:30:00Z"),
        ("Asia/Kathmandu", "2026-06-01T11:15:00Z", "2026-06-01T12:15:00Z"),
        ("Pacific/Chatham", "2026-06-01T11:15:00Z", "2026-06-01T12:15:00Z"),
        ("America/St_Johns", "2026-06-01T11:30:00Z", "2026-06-01T12:30:00Z"),
    ] {
        check(Period::Hour, zone, &[("2026-06-01T12:00:00Z", start, end, 1.0)]);
    }
    // Moved by half an hour, one of its hours has ninety minutes.
    check(
        Period::Hour,
        "Australia/Lord_Howe",
        &[
            (
                "2026-04-04T14:10:00Z",
                "2026-04-04T14:00:00Z",
                "2026-04-04T15:30:00Z",
                1.5,
            ),
            (
                "2026-04-04T15:10:00Z",
                "2026-04-04T14:00:00Z",
                "2026-04-04T15:30:00Z",
                1.5,
            ),
            (
                "2026-04-04T15:30:00Z",
                "2026-04-04T15:30:00Z",
                "2026-04-04T16:30:00Z",
                1.0,
            ),
            (
                "2026-10-03T15:30:00Z",
                "2026-10-03T14:30:00Z",
                "2026-10-03T16:00:00Z",
                1.5,
            ),
            (
                "2026-10-03T16:00:00Z",
                "2026-10-03T16:00:00Z",
                "2026-10-03T17:00:00Z",
                1.0,
            ),
        ],
    );
}

#[test]
fn weeks_months_and_leap_days() {
    check(
        Period::Day,
        "UTC",
        &[
            (
                "2028-02-29T12:00:00Z",
                "2028-02-29T00:00:00Z",
                "2028-03-01T00:00:00Z",
                24.0,
            ),
            (
                "2027-02-28T23:59:59Z",
                "2027-02-28T00:00:00Z",
                "2027-03-01T00:00:00Z",
                24.0,
            ),
        ],
    );
    check(
        Period::Month,
        "UTC",
        &[
            (
                "2028-02-29T12:00:00Z",
                "2028-02-01T00:00:00Z",
                "2028-03-01T00:00:00Z",
                29.0 * 24.0,
            ),
            (
                "2026-02-28T23:59:59.999Z",
                "2026-02-01T00:00:00Z",
                "2026-03-01T00:00:00Z",
                28.0 * 24.0,
            ),
            (
                "2026-01-31T00:00:00Z",
                "2026-01-01T00:00:00Z",
                "2026-02-01T00:00:00Z",
                31.0 * 24.0,
            ),
            (
                "2026-12-31T23:59:59Z",
                "2026-12-01T00:00:00Z",
                "2027-01-01T00:00:00Z",
                31.0 * 24.0,
            ),
            (
                "2100-02-28T23:00:00Z",
                "2100-02-01T00:00:00Z",
                "2100-03-01T00:00:00Z",
                28.0 * 24.0,
            ),
        ],
    );
    check(
        Period::Month,
        "Asia/Kolkata",
        &[(
            "2026-05-31T18:30:00Z",
            "2026-05-31T18:30:00Z",
            "2026-06-30T18:30:00Z",
            720.0,
        )],
    );
    // The clock is moved within the month.
    check(
        Period::Month,
        "Europe/Berlin",
        &[
            (
                "2026-03-15T00:00:00Z",
                "2026-02-28T23:00:00Z",
                "2026-03-31T22:00:00Z",
                743.0,
            ),
            (
                "2026-10-15T00:00:00Z",
                "2026-09-30T22:00:00Z",
                "2026-10-31T23:00:00Z",
                745.0,
            ),
        ],
    );
    // Weeks begin on Monday, across years; the clock is moved on a Sunday.
    check(
        Period::Week,
        "Europe/Berlin",
        &[
            (
                "2027-01-01T12:00:00Z",
                "2026-12-27T23:00:00Z",
                "2027-01-03T23:00:00Z",
                168.0,
            ),
            (
                "2026-03-29T12:00:00Z",
                "2026-03-22T23:00:00Z",
                "2026-03-29T22:00:00Z",
                167.0,
            ),
            (
                "2026-10-25T12:00:00Z",
                "2026-10-18T22:00:00Z",
                "2026-10-25T23:00:00Z",
                169.0,
            ),
        ],
    );
}

#[test]
fn windows_leave_no_gap_and_never_go_back_in_any_zone() {
    let mut chance = Chance::new(3);
    // Every zone that the database has, and the moments around every change of its clock, at chance.
    let names: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
    assert!(names.len() > 400, "the database comes with the program");
    let from = moment("2020-01-01T00:00:00Z");
    for name in &names {
        let zone = TimeZone::get(name).unwrap();
        let begin = Timestamp::from_millisecond(from.millis()).unwrap();
        let changes = zone
            .following(begin)
            .take(8)
            .map(|change| change.timestamp().as_millisecond());
        let mut moments: Vec<i64> = changes
            .flat_map(|change| [-5_400_000, -1, 0, 1, 1_799_999, 5_400_000].map(|by| change + by))
            .collect();
        moments
            .extend((0..6).map(|_| from.millis() + i64::try_from(chance.next() % 500_000_000_000).unwrap()));
        moments.sort_unstable();
        for period in Period::ALL {
            let calendar = calendar(period, name);
            let mut tag = 0;
            for at in &moments {
                let at = UnixTime::from_millis(*at);
                let window = calendar.window(at);
                assert!(
                    window.start <= at.millis() && at.millis() < window.end,
                    "{name} {period:?}"
                );
                assert!(window.tag >= tag, "{name} {period:?} goes back at {at:?}");
                tag = window.tag;
                let next = calendar.find(UnixTime::from_millis(window.end));
                assert_eq!(next.start, window.end, "{name} {period:?} after {at:?}");
                assert!(next.tag > window.tag, "{name} {period:?} after {at:?}");
                let before = calendar.find(UnixTime::from_millis(window.start - 1));
                assert_eq!(before.end, window.start, "{name} {period:?} before {at:?}");
                let packed = window.packed(period).expect("a whole number of quarters");
                assert_eq!(Window::unpacked(packed, period), window, "{name} {period:?}");
            }
        }
    }
}

#[test]
fn outside_of_all_calendars_there_is_one_window() {
    for period in Period::ALL {
        let calendar = calendar(period, "Europe/Berlin");
        for at in [i64::MIN, -62_200_000_000_000, i64::MAX] {
            let window = calendar.window(UnixTime::from_millis(at));
            assert!(window.start <= at && at <= window.end, "{period:?} {at}");
        }
        // Long ago a clock went by the sun, and nothing was a quarter of an hour.
        let old = calendar.window(moment("1890-03-01T12:00:00Z"));
        assert_eq!(old.tag, 0);
        assert!(old.start < old.end);
    }
}

//! `Deprecation` and `Sunset` on what is answered under a deprecated plan: callers learn in time, and from every answer,
//! that the plan ends.
//!
//! RFC 9745 section 2 allows a date and nothing else, so a plan of which nobody has said when it was deprecated needs one
//! that is past and the same on every gateway: the epoch. What an upstream says of itself in these fields is replaced;
//! two dates would be none to whoever reads one (RFC 9651 section 4.2).

use http::{HeaderName, HeaderValue};
use pingora::Result;
use pingora::http::ResponseHeader;

use crate::api::{Plan, Stage};
use crate::time::UnixTime;

const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
const SUNSET: HeaderName = HeaderName::from_static("sunset");

/// What callers are told of a plan, if it is deprecated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Notice {
    deprecated_at: Option<UnixTime>,
    closes_at: Option<UnixTime>,
}

// === impl Notice ===

impl Notice {
    /// What there is to say at `now`; a plan that was closed since its request was decided is still deprecated.
    pub(super) fn of(plan: &Plan, now: UnixTime) -> Self {
        if plan.life.at(now) < Stage::Deprecated {
            return Self::default();
        }
        let since = plan.life.deprecated_since(now);
        Self {
            deprecated_at: Some(since.unwrap_or(UnixTime::from_seconds(0))),
            closes_at: plan.life.schedule.close_at,
        }
    }

    /// Says it. An interim answer is none that callers look into.
    pub(super) fn write(self, response: &mut ResponseHeader) -> Result<()> {
        if response.status.is_informational() {
            return Ok(());
        }
        if let Some(value) = self.deprecated_at.and_then(structured_date) {
            response.insert_header(DEPRECATION, value)?;
        }
        if let Some(value) = self.closes_at.and_then(http_date) {
            response.insert_header(SUNSET, value)?;
        }
        Ok(())
    }
}

/// A Date of RFC 9651 section 3.3.7.
fn structured_date(time: UnixTime) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("@{}", time.seconds())).ok()
}

/// An HTTP-date (RFC 9110 section 5.6.7).
fn http_date(time: UnixTime) -> Option<HeaderValue> {
    let time = jiff::Timestamp::from_second(time.seconds()).ok()?;
    let text = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&time);
    HeaderValue::try_from(text.ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_the_fields_want_them() {
        for (millis, deprecation, sunset) in [
            (0, "@0", "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777_999, "@784111777", "Sun, 06 Nov 1994 08:49:37 GMT"),
            (
                253_402_207_200_000,
                "@253402207200",
                "Thu, 30 Dec 9999 22:00:00 GMT",
            ),
        ] {
            let time = UnixTime::from_millis(millis);
            let notice = Notice {
                deprecated_at: Some(time),
                closes_at: Some(time),
            };
            for (status, told) in [(200, true), (304, true), (503, true), (103, false)] {
                let mut response = ResponseHeader::build(status, None).unwrap();
                response.insert_header(DEPRECATION, "@1, @2").unwrap();
                notice.write(&mut response).unwrap();
                let field =
                    |name: &HeaderName| response.headers.get(name).and_then(|value| value.to_str().ok());
                assert_eq!(
                    field(&DEPRECATION),
                    Some(if told { deprecation } else { "@1, @2" })
                );
                assert_eq!(field(&SUNSET), told.then_some(sunset));
            }
        }
    }
}

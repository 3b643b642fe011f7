//! `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` on what is answered under a limit: callers see in time
//! what they have left, and need not find out by being refused.
//!
//! It is what the tightest limit says, whoever answers. What an upstream says of its own limits in these fields is
//! replaced, in whichever of the forms that have been in use: a caller who reads two numbers reads one of them wrongly.
//! `Reset` is in seconds from now, as `Retry-After` is: a clock at the other end need not be right.

use http::{HeaderName, HeaderValue};
use pingora::Result;
use pingora::http::ResponseHeader;

use super::context::{Context, Outcome};
use crate::access::Cause;

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// How the fields begin that are replaced.
const PREFIX: &str = "ratelimit";

/// What callers are told of the tightest limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    limit: u64,
    remaining: u64,
    /// Whole seconds.
    reset: u64,
}

// === impl Standing ===

impl Standing {
    /// What there is to say about a request, if it came by a limit.
    pub(super) fn of(context: &Context) -> Option<Self> {
        match &context.outcome {
            Outcome::Permitted(permit) => permit.usage().tightest().map(|tightest| Self {
                limit: tightest.limit,
                remaining: tightest.remaining,
                reset: tightest.reset_seconds(),
            }),
            Outcome::Denied(denial) => match denial.cause {
                Cause::Limit(exceeded) => Some(Self {
                    limit: exceeded.limit,
                    remaining: 0,
                    reset: exceeded.reset_seconds(),
                }),
                _ => None,
            },
            Outcome::Undecided => None,
        }
    }

    /// Says it. An interim answer is none that callers look into.
    pub(super) fn write(self, response: &mut ResponseHeader) -> Result<()> {
        if response.status.is_informational() {
            return Ok(());
        }
        for (name, number) in [
            (LIMIT, self.limit),
            (REMAINING, self.remaining),
            (RESET, self.reset),
        ] {
            response.insert_header(name, HeaderValue::from(number))?;
        }
        Ok(())
    }
}

/// Whether a field of an upstream's answer is about limits.
pub(super) fn is_about_limits(name: &HeaderName) -> bool {
    name.as_str()
        .strip_prefix(PREFIX)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_about_limits_are_known_in_every_form() {
        for (name, expected) in [
            ("ratelimit", true),
            ("ratelimit-limit", true),
            ("ratelimit-policy", true),
            ("ratelimits", false),
            ("x-ratelimit-limit", false),
            ("retry-after", false),
        ] {
            assert_eq!(
                is_about_limits(&HeaderName::from_static(name)),
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn a_standing_is_told_in_three_numbers_and_not_in_interim_answers() {
        let standing = Standing {
            limit: 100,
            remaining: 7,
            reset: 60,
        };
        for (status, told) in [(200, true), (304, true), (429, true), (103, false)] {
            let mut response = ResponseHeader::build(status, None).unwrap();
            standing.write(&mut response).unwrap();
            let field = |name: &HeaderName| response.headers.get(name).and_then(|value| value.to_str().ok());
            let fields = [&LIMIT, &REMAINING, &RESET].map(field);
            let expected = [Some("100"), Some("7"), Some("60")];
            assert_eq!(fields, if told { expected } else { [None; 3] });
        }
    }
}

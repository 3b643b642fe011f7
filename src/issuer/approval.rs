//! What an operator has looked at: key sets that may come in although they look hijacked.
//!
//! Approvals stand in a file of their own, a line each: fingerprint, time, issuer. A command writes it and a person can
//! read it. An approval is for exactly one set, for one change, and for one day: what was approved last year is not a
//! way back in for whoever has stolen that key since.

use std::time::Duration;

use crate::id::IssuerName;
use crate::time::UnixTime;
use crate::token::{Fingerprint, FingerprintError};

/// How long an approval may wait for its set.
pub const APPROVAL_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// An approval from further ahead is not yet one.
const CLOCKS_DIFFER: Duration = Duration::from_secs(5 * 60);

/// The first line of a file that is written here.
const HEADING: &str = "# Key sets that an operator has looked at: fingerprint, time, issuer.";

/// One set that an operator has looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Approval {
    /// What names its usable keys.
    pub fingerprint: Fingerprint,
    /// When it was approved.
    pub at: UnixTime,
}

/// The approvals of a file, one an issuer at most.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Approvals {
    by_issuer: Vec<(IssuerName, Approval)>,
}

/// Why a file of approvals is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ApprovalsError {
    /// Not UTF-8.
    #[error("it is no text")]
    Encoding,
    /// Not three words.
    #[error("line {line}: a line is a fingerprint, a time and an issuer's name, with a blank between them")]
    Line {
        /// From 1.
        line: usize,
    },
    /// The first word.
    #[error("line {line}: {error}")]
    Fingerprint {
        /// From 1.
        line: usize,
        /// Why.
        error: FingerprintError,
    },
    /// The second word.
    #[error("line {line}: a time is like 2027-01-31T12:00:00Z")]
    Time {
        /// From 1.
        line: usize,
    },
    /// One set an issuer.
    #[error("line {line}: this issuer has an approval already")]
    Twice {
        /// From 1.
        line: usize,
    },
}

// === impl Approval ===

impl Approval {
    /// Whether it is for this set, at this time.
    pub fn lets_in(&self, fingerprint: Fingerprint, now: UnixTime) -> bool {
        // Nobody approves tomorrow; clocks of two machines may differ a little.
        let begun = now.plus(CLOCKS_DIFFER) >= self.at;
        self.fingerprint == fingerprint && begun && now < self.at.plus(APPROVAL_LIFETIME)
    }
}

// === impl Approvals ===

impl Approvals {
    /// Reads a file. Empty lines and lines that begin with `#` say nothing.
    ///
    /// # Errors
    /// The first line that is wrong.
    pub fn parse(text: &[u8]) -> Result<Self, ApprovalsError> {
        let text = std::str::from_utf8(text).map_err(|_| ApprovalsError::Encoding)?;
        let mut approvals = Self::default();
        for (index, text) in text.lines().enumerate() {
            let line = index + 1;
            if text.trim().is_empty() || text.starts_with('#') {
                continue;
            }
            let mut words = text.splitn(3, ' ');
            let (Some(fingerprint), Some(at), Some(issuer)) = (words.next(), words.next(), words.next())
            else {
                return Err(ApprovalsError::Line { line });
            };
            let fingerprint = fingerprint
                .parse()
                .map_err(|error| ApprovalsError::Fingerprint { line, error })?;
            let at: jiff::Timestamp = at.parse().map_err(|_| ApprovalsError::Time { line })?;
            let issuer = IssuerName::new(issuer);
            if approvals.of(&issuer).is_some() {
                return Err(ApprovalsError::Twice { line });
            }
            let at = UnixTime::from_seconds(at.as_second());
            approvals.by_issuer.push((issuer, Approval { fingerprint, at }));
        }
        Ok(approvals)
    }

    /// The file's text; [`Approvals::parse`] reads it back.
    pub fn to_text(&self) -> String {
        let mut text = format!("{HEADING}\n");
        for (issuer, Approval { fingerprint, at }) in &self.by_issuer {
            let at = jiff::Timestamp::from_second(at.seconds()).unwrap_or_default();
            text.push_str(&format!("{fingerprint} {at} {issuer}\n"));
        }
        text
    }

    /// The approval for an issuer's keys.
    pub fn of(&self, issuer: &IssuerName) -> Option<Approval> {
        let found = self.by_issuer.iter().find(|(name, _)| name == issuer);
        found.map(|(_, approval)| *approval)
    }

    /// Approves a set, in place of what was approved for this issuer before.
    pub fn approve(&mut self, issuer: &IssuerName, approval: Approval) {
        self.by_issuer.retain(|(name, _)| name != issuer);
        self.by_issuer.push((issuer.clone(), approval));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    #[test]
    fn what_is_written_is_read_back() {
        let [acme, globex] = ["https://acme.example/", "two words"].map(IssuerName::new);
        let at = UnixTime::from_seconds(1_800_000_000);
        let approval = Approval {
            fingerprint: A.parse().unwrap(),
            at,
        };
        let mut approvals = Approvals::default();
        approvals.approve(&acme, approval);
        approvals.approve(&globex, approval);
        let later = at.plus(Duration::from_secs(1));
        approvals.approve(
            &acme,
            Approval {
                at: later,
                ..approval
            },
        );
        assert_eq!(
            Approvals::parse(approvals.to_text().as_bytes()),
            Ok(approvals.clone())
        );
        assert_eq!(approvals.of(&acme).unwrap().at, later);
        assert!(
            approvals
                .to_text()
                .ends_with(&format!("{A} 2027-01-15T08:00:01Z https://acme.example/\n"))
        );
        assert_eq!(approvals.of(&IssuerName::new("other")), None);
    }

    #[test]
    fn a_line_that_is_not_understood_is_refused() {
        use ApprovalsError::*;

        let good = format!("{A} 2027-01-15T08:00:00Z acme\n");
        for (text, error) in [
            ("x".to_owned(), Line { line: 1 }),
            (format!("\n# x\n{good}{A}\n"), Line { line: 4 }),
            (
                "abc 2027-01-15T08:00:00Z acme".to_owned(),
                Fingerprint {
                    line: 1,
                    error: FingerprintError,
                },
            ),
            (format!("{A} yesterday acme"), Time { line: 1 }),
            (format!("{good}{good}"), Twice { line: 2 }),
        ] {
            assert_eq!(Approvals::parse(text.as_bytes()), Err(error), "{text}");
        }
        assert_eq!(Approvals::parse(b"\xff"), Err(Encoding));
    }

    #[test]
    fn it_is_for_one_set_and_one_day() {
        let at = UnixTime::from_seconds(1_800_000_000);
        let fingerprint = A.parse().unwrap();
        let approval = Approval { fingerprint, at };
        assert!(approval.lets_in(fingerprint, at));
        assert!(approval.lets_in(fingerprint, at.plus(APPROVAL_LIFETIME - Duration::from_millis(1))));
        assert!(!approval.lets_in(fingerprint, at.plus(APPROVAL_LIFETIME)));
        assert!(!approval.lets_in(A.replace('a', "b").parse().unwrap(), at));
    }
}

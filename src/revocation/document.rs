//! What an issuer's list may look like, from bytes to entries.
//!
//! The list takes tokens away, so what cannot be understood of it is not passed over: a list with one entry that makes no
//! sense is refused as a whole, and the last good one stays. Members of an entry that name nothing are for people.
//! Entries are read one by one and never kept, so what a document costs is its own bytes and what it really names.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{ALWAYS, DigestKey, NAME_BYTES_MAX, Named, Revocation, Table};
use crate::time::UnixTime;

/// The longest document: most of a million token ids of usual length, each on a line.
pub const LIST_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Entries of one list.
pub const LIST_ENTRIES_MAX: usize = 1_000_000;
/// What is over by now need not be kept; but `exp` is judged with a leeway, of this much at most.
const LEEWAY_MAX: Duration = Duration::from_secs(300);
/// Beyond 2^53 no number of seconds is exact, and no token is accepted either.
const SECONDS_MAX: f64 = 9_007_199_254_740_992.0;

/// How a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Format {
    /// `{"revocations": [{"jti": "…", "exp": 1800000000}, {"sub": "…", "issued_before": 1800000000}]}`
    #[default]
    Json,
    /// A `jti` on each line; empty lines and those that begin with `#` say nothing.
    Lines,
}

/// Why a document is no list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// More than [`LIST_BYTES_MAX`].
    #[error("the list is larger than 32 MiB")]
    TooLarge,
    /// More than [`LIST_ENTRIES_MAX`].
    #[error("the list has more than 1000000 entries")]
    TooManyEntries,
    /// No text, or no JSON of this shape.
    #[error("the document is no list of this format")]
    Syntax,
    /// An entry that names nothing, or several things, or something too long, or has a time that is none.
    #[error("entry {0} of the list makes no sense")]
    Entry(usize),
}

/// An entry; one of the first five names what it is about.
#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    jti: Option<String>,
    #[serde(default)]
    sub: Option<String>,
    #[serde(default)]
    client_id: Option<String>,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    all: bool,
    /// When the token ends, in Unix seconds: the entry is not needed after that.
    #[serde(default)]
    exp: Option<f64>,
    /// In Unix seconds; absent: whenever they were issued.
    #[serde(default)]
    issued_before: Option<f64>,
}

// === impl DocumentError ===

impl DocumentError {
    /// The word in metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::TooManyEntries => "too_many_entries",
            Self::Syntax => "syntax",
            Self::Entry(_) => "entry",
        }
    }
}

/// Reads an issuer's list. Entries for tokens that are over at `now` are left out.
///
/// # Errors
/// The first thing that makes no sense.
pub fn parse_list(
    format: Format,
    body: &[u8],
    issuer: &str,
    key: &DigestKey,
    now: UnixTime,
) -> Result<Table, DocumentError> {
    if body.len() > LIST_BYTES_MAX {
        return Err(DocumentError::TooLarge);
    }
    let mut reading = Reading {
        table: Table::default(),
        count: 0,
        refused: None,
        issuer,
        key,
        now,
    };
    match format {
        Format::Json => {
            let mut document = serde_json::Deserializer::from_slice(body);
            let read = Document(&mut reading).deserialize(&mut document);
            if read.and_then(|()| document.end()).is_err() {
                return Err(reading.refused.unwrap_or(DocumentError::Syntax));
            }
        }
        Format::Lines => {
            let text = std::str::from_utf8(body).map_err(|_| DocumentError::Syntax)?;
            // A byte order mark is no part of the first id.
            let text = text.strip_prefix('\u{feff}').unwrap_or(text);
            let lines = text.lines().map(str::trim);
            for jti in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
                // A page of HTML or a JSON document is no list of token ids.
                if jti.contains(|c: char| c.is_whitespace() || c.is_control() || "<>{}\"".contains(c)) {
                    return Err(DocumentError::Syntax);
                }
                reading.put(Named::Token, jti, None, None)?;
            }
        }
    }
    Ok(reading.table)
}

struct Reading<'r> {
    table: Table,
    count: usize,
    /// Why it cannot be read on, if it is not the syntax.
    refused: Option<DocumentError>,
    issuer: &'r str,
    key: &'r DigestKey,
    now: UnixTime,
}

// === impl Reading ===

impl Reading<'_> {
    fn entry(&mut self, entry: &Entry) -> Result<(), DocumentError> {
        let Entry {
            jti,
            sub,
            client_id,
            kid,
            all,
            exp,
            issued_before,
        } = entry;
        let named = [
            (Named::Token, jti.as_deref()),
            (Named::Subject, sub.as_deref()),
            (Named::Client, client_id.as_deref()),
            (Named::Key, kid.as_deref()),
            (Named::Issuer, all.then_some("")),
        ];
        let mut named = named.into_iter().filter_map(|(named, name)| Some((named, name?)));
        match (named.next(), named.next()) {
            (Some((named, name)), None) => self.put(named, name, *exp, *issued_before),
            _ => Err(DocumentError::Entry(self.count + 1)),
        }
    }

    fn put(
        &mut self,
        named: Named,
        name: &str,
        expires: Option<f64>,
        issued_before: Option<f64>,
    ) -> Result<(), DocumentError> {
        self.count += 1;
        if self.count > LIST_ENTRIES_MAX {
            return Err(DocumentError::TooManyEntries);
        }
        let senseless = DocumentError::Entry(self.count);
        let nameless = name.is_empty() && named != Named::Issuer;
        // Whoever knows a token's end names that token, and no other.
        let contradictory = (named == Named::Token && issued_before.is_some())
            || (named != Named::Token && expires.is_some());
        if nameless || contradictory || name.len() > NAME_BYTES_MAX {
            return Err(senseless);
        }
        let moment = |seconds: Option<f64>| match seconds {
            None => Ok(ALWAYS),
            Some(seconds) => moment(seconds).ok_or(senseless),
        };
        let (expires_at, issued_before) = (moment(expires)?.plus(LEEWAY_MAX), moment(issued_before)?);
        if self.now < expires_at {
            let revocation = Revocation {
                issued_before,
                expires_at,
            };
            self.table.put(self.key, self.issuer, named, name, revocation);
        }
        Ok(())
    }
}

/// The object around the list.
struct Document<'d, 'r>(&'d mut Reading<'r>);

/// The list.
struct Entries<'d, 'r>(&'d mut Reading<'r>);

// === impl Document ===

impl<'de> DeserializeSeed<'de> for Document<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Document<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `revocations`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut is_there = false;
        while let Some(name) = members.next_key::<String>()? {
            if name != "revocations" {
                members.next_value::<IgnoredAny>()?;
            } else if is_there {
                return Err(A::Error::duplicate_field("revocations"));
            } else {
                is_there = true;
                members.next_value_seed(Entries(self.0))?;
            }
        }
        match is_there {
            true => Ok(()),
            false => Err(A::Error::missing_field("revocations")),
        }
    }
}

// === impl Entries ===

impl<'de> DeserializeSeed<'de> for Entries<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Entries<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of revocations")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while let Some(entry) = entries.next_element::<Entry>()? {
            if let Err(refused) = self.0.entry(&entry) {
                self.0.refused = Some(refused);
                return Err(A::Error::custom(refused));
            }
        }
        Ok(())
    }
}

/// A moment in Unix seconds, from 0 to 2^53.
fn moment(seconds: f64) -> Option<UnixTime> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "at most 2^53 * 1000, which an i64 holds"
    )]
    (0.0..=SECONDS_MAX)
        .contains(&seconds)
        .then(|| UnixTime::from_millis((seconds * 1000.0).ceil() as i64))
}

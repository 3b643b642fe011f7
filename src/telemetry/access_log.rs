//! One finished request as one line of JSON.
//!
//! Most of a line was chosen by whoever sent the request: path, host, claims, the client id. Three rules keep such a
//! value from reading as anything else. Every text is cut at a bound, so that a line has a bound; everything is
//! escaped by the JSON encoder, so that a value ends where its quotes end; and characters that JSON allows but that
//! terminals and log viewers obey (C1 controls, U+2028, marks that reverse the direction of writing) are escaped as
//! well, so that what is seen is what is there. A path is written without its query, which may carry credentials.
//!
//! Absent fields are omitted. The names of the fields are an interface, as those of metrics are.

use std::fmt::Display;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::ser::Formatter;

/// A text is cut here, and so is the JSON of a claim that is a list or an object. Real ones have tens of bytes.
pub const TEXT_BYTES_MAX: usize = 1024;

/// A path is cut here: longer than other texts, because what is wrong with a request is often at its end.
pub const PATH_BYTES_MAX: usize = 2048;

/// Most claims of one line; further ones are left out. They are configured one by one, a handful in all.
pub const CLAIMS_MAX: usize = 32;

/// No line is longer, whatever is put in: every byte of a text becomes six at most, and 2 KiB are enough for names,
/// numbers, addresses and the time.
pub const LINE_BYTES_MAX: usize =
    6 * (PATH_BYTES_MAX + TEXTS * TEXT_BYTES_MAX + CLAIMS_MAX * 2 * TEXT_BYTES_MAX) + CLAIMS_MAX * 6 + 2048;

/// Fields of [`AccessRecord`] that are texts, the path not among them.
const TEXTS: usize = 17;

/// What a cut text ends with.
const CUT: &str = "…";

/// One finished request.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct AccessRecord<'r> {
    /// When the request's header was read, in milliseconds of unix time. Written as RFC 3339 in UTC.
    #[serde(rename = "time", serialize_with = "rfc3339")]
    pub time_unix_millis: u64,
    /// The id that upstream and caller have seen as well.
    #[serde(serialize_with = "text")]
    pub request_id: &'r str,
    /// The caller's address, after trusted proxies; absent on a Unix socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_ip: Option<IpAddr>,
    /// As sent.
    #[serde(serialize_with = "text")]
    pub method: &'r str,
    /// As sent; absent if none was.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "text_if_any")]
    pub host: Option<&'r str>,
    /// Whatever follows a `?` is not written.
    #[serde(serialize_with = "path")]
    pub path: &'r str,
    /// `HTTP/1.1` or `HTTP/2`.
    #[serde(serialize_with = "text")]
    pub protocol: &'r str,
    /// What the caller saw.
    pub status: u16,
    /// The status that a caller of gRPC saw, where it came with the header; absent for all others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grpc_status: Option<u8>,
    /// `permit`, or the code of the denial.
    #[serde(serialize_with = "text")]
    pub outcome: &'r str,
    /// What the code does not tell the caller.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "text_if_any")]
    pub reason: Option<&'r str>,
    /// Absent before a route was found.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "text_if_any")]
    pub api: Option<&'r str>,
    /// Absent before a plan was found.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "text_if_any")]
    pub plan: Option<&'r str>,
    /// Whose token it was.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "text_if_any")]
    pub issuer: Option<&'r str>,
    /// The subscribed application.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "text_if_any")]
    pub application: Option<&'r str>,
    /// By which the application was known.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "text_if_any")]
    pub client_id: Option<&'r str>,
    /// The token's subject.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "text_if_any")]
    pub subject: Option<&'r str>,
    /// A digest by which the token can be recognised and not used.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "text_if_any")]
    pub token_digest: Option<&'r str>,
    /// `header`, `cookie` or `query`; absent for a token in `Authorization`.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "text_if_any")]
    pub token_from: Option<&'r str>,
    /// Whose limit was exceeded: `api`, `route`, `plan`, `application`, `client` or `claim`; with outcome `permit` it was
    /// only reported.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "text_if_any")]
    pub limit_level: Option<&'r str>,
    /// What kind of limit: `rate`, `spike_arrest`, `quota`, `bandwidth` or `concurrency`.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "text_if_any")]
    pub limit_kind: Option<&'r str>,
    /// Claims that the operator wants logged, by their local names, at most [`CLAIMS_MAX`].
    #[serde(skip_serializing_if = "<[_]>::is_empty", serialize_with = "claims")]
    pub claims: &'r [(&'r str, &'r Value)],
    /// Bytes of the request's body.
    pub bytes_in: u64,
    /// Bytes of the answer's body.
    pub bytes_out: u64,
    /// Microseconds from the request's header to the last byte of the answer.
    pub duration_us: u64,
    /// Microseconds of these that were spent in the gateway.
    pub added_us: u64,
    /// Absent if the request was not sent on.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "text_if_any")]
    pub upstream: Option<&'r str>,
    /// The peer that answered, or failed to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_address: Option<SocketAddr>,
    /// Microseconds until the first byte of the upstream's answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_us: Option<u64>,
}

/// A text of at most `MAX` bytes.
struct Text<'a, const MAX: usize>(&'a str);

/// A claim's value, bounded whatever its shape.
struct Claim<'a>(&'a Value);

/// Takes what there is room for, then refuses.
struct Bounded<W> {
    inner: W,
    /// Bytes.
    room: usize,
}

/// Compact JSON that escapes what terminals and log viewers obey.
struct LineFormatter;

// === impl AccessRecord ===

impl AccessRecord<'_> {
    /// Appends the record as one line, line break included, of at most [`LINE_BYTES_MAX`] bytes. The buffer is meant
    /// to be reused.
    pub fn write_line(&self, buffer: &mut Vec<u8>) {
        let start = buffer.len();
        let mut serializer = serde_json::Serializer::with_formatter(&mut *buffer, LineFormatter);
        match self.serialize(&mut serializer) {
            Ok(()) => buffer.push(b'\n'),
            // Memory takes every byte and no field refuses to be written, so this cannot be; if it were, half a line
            // would spoil the next one.
            Err(_) => buffer.truncate(start),
        }
    }
}

// === impl Text ===

impl<const MAX: usize> Serialize for Text<'_, MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.len() <= MAX {
            return serializer.serialize_str(self.0);
        }
        let (head, _) = self.0.split_at(self.0.floor_char_boundary(MAX - CUT.len()));
        serializer.collect_str(&format_args!("{head}{CUT}"))
    }
}

// === impl Claim ===

impl Claim<'_> {
    /// The beginning of a value's JSON; not JSON itself, so it is written as a text.
    fn head(&self) -> Vec<u8> {
        let mut head = Bounded {
            inner: Vec::new(),
            room: TEXT_BYTES_MAX - CUT.len(),
        };
        // Refuses when it is full, which is what it is for.
        let _full = write_json(self.0, &mut head);
        head.inner
    }
}

impl Serialize for Claim<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null | Value::Bool(_) | Value::Number(_) => self.0.serialize(serializer),
            Value::String(value) => Text::<TEXT_BYTES_MAX>(value).serialize(serializer),
            Value::Array(_) | Value::Object(_) => {
                // Tried first: nearly all fit, and then nothing is copied.
                let mut trial = Bounded {
                    inner: io::sink(),
                    room: TEXT_BYTES_MAX,
                };
                if write_json(self.0, &mut trial).is_ok() {
                    return self.0.serialize(serializer);
                }
                let head = self.head();
                // The cut may have gone through a character.
                let whole = head.utf8_chunks().next().map_or("", |chunk| chunk.valid());
                serializer.collect_str(&format_args!("{whole}{CUT}"))
            }
        }
    }
}

// === impl Bounded ===

impl<W: Write> Write for Bounded<W> {
    /// Returning less than was given, and in the end nothing, makes `write_all` fail.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (taken, _) = bytes.split_at(bytes.len().min(self.room));
        self.inner.write_all(taken)?;
        self.room -= taken.len();
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

// === impl LineFormatter ===

impl Formatter for LineFormatter {
    /// Called with the parts of a string that JSON need not escape.
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_obeyed(*c)) {
            let (plain, tail) = rest.split_at(at);
            writer.write_all(plain.as_bytes())?;
            write!(writer, "\\u{:04x}", u32::from(c))?;
            (_, rest) = tail.split_at(c.len_utf8());
        }
        writer.write_all(rest.as_bytes())
    }
}

/// Characters that do something where a line is shown: DEL and the C1 controls (U+009B starts a terminal's command,
/// U+0085 ends a line), separators of lines and paragraphs, marks of direction, the byte order mark. All are in the
/// basic plane, so that one `\u` escape says each.
fn is_obeyed(c: char) -> bool {
    matches!(
        c,
        '\u{7f}'..='\u{9f}'
            | '\u{61c}'
            | '\u{200e}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}'
    )
}

fn write_json(value: &Value, writer: impl Write) -> serde_json::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(writer, LineFormatter))
}

fn rfc3339<S: Serializer>(millis: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    // A clock beyond the year 9999 is wrong, but no reason to lose the line.
    let time = i64::try_from(*millis)
        .ok()
        .and_then(|millis| Timestamp::from_millisecond(millis).ok());
    let time: &dyn Display = &time.unwrap_or(Timestamp::MAX);
    serializer.collect_str(&format_args!("{time:.3}"))
}

fn text<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    Text::<TEXT_BYTES_MAX>(text).serialize(serializer)
}

fn text_if_any<S: Serializer>(value: &Option<&str>, serializer: S) -> Result<S::Ok, S::Error> {
    value.map(Text::<TEXT_BYTES_MAX>).serialize(serializer)
}

fn path<S: Serializer>(path: &str, serializer: S) -> Result<S::Ok, S::Error> {
    let without_query = path.split_once('?').map_or(path, |(path, _)| path);
    Text::<PATH_BYTES_MAX>(without_query).serialize(serializer)
}

fn claims<S: Serializer>(claims: &[(&str, &Value)], serializer: S) -> Result<S::Ok, S::Error> {
    let bounded = claims.iter().take(CLAIMS_MAX);
    serializer.collect_map(bounded.map(|(name, value)| (Text::<TEXT_BYTES_MAX>(name), Claim(value))))
}

#[cfg(test)]
mod tests;

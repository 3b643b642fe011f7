//! The one spelling of a path: what is routed, judged and sent upstream.
//!
//! A gateway is bypassed where it and the upstream read the same path differently. So a path is either brought to one
//! canonical form (RFC 3986 section 6.2.2, dot segments by section 5.2.4) or refused; nothing ambiguous is passed on.
//! What another decoder could turn into structure is refused, never repaired: encoded slashes and backslashes, control
//! characters, overlong UTF-8, dot segments that only appear after decoding or after parameters are cut off.
//!
//! The canonical form consists of `/` and RFC 3986 `pchar` without `;`. It has no empty segment but the last, no dot
//! segment, and only those escapes that must be escapes, in upper-case hexadecimal. Normalising it again changes
//! nothing, and costs one scan without allocation.

use std::borrow::Cow;

#[cfg(test)]
mod tests;

/// More slashes than this in a path are refused: an honest path has a dozen, and the cost of a lookup grows with them.
pub const PATH_SEGMENTS_MAX: usize = 64;

/// What to do with the two constructs that some upstreams need and others misread.
///
/// The default refuses both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PathPolicy {
    /// `//` is routed and forwarded as `/`; otherwise refused.
    pub merge_slashes: bool,
    /// `;x=y` is cut off its segment, for routing and forwarding; otherwise refused.
    pub strip_parameters: bool,
}

/// Why a path has no canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum PathError {
    /// The path is empty or does not start with `/`.
    #[error("the path does not start with '/'")]
    NotAbsolute,
    /// More than [`PATH_SEGMENTS_MAX`] segments, counted before dot segments and duplicate slashes are resolved.
    #[error("the path has more than {PATH_SEGMENTS_MAX} segments")]
    SegmentsExceeded,
    /// A byte that no path may contain as it stands: control, space, `\`, `#`, `?`, or beyond ASCII.
    #[error("the path contains a character that must be percent-encoded")]
    ForbiddenByte,
    /// `%` without two hexadecimal digits behind it.
    #[error("the path contains an incomplete percent-encoding")]
    EscapeMalformed,
    /// Escapes that are not UTF-8: overlong, surrogate, cut short.
    #[error("the path contains percent-encoded bytes that are not UTF-8")]
    EscapeNotUtf8,
    /// `%2F`: a slash for some decoders.
    #[error("the path contains an encoded slash")]
    EncodedSlash,
    /// `%5C`: a slash for some decoders.
    #[error("the path contains an encoded backslash")]
    EncodedBackslash,
    /// `%00` to `%1F` and `%7F`.
    #[error("the path contains an encoded control character")]
    EncodedControl,
    /// `.` or `..` that appears only after decoding (`%2e.`) or after cutting off parameters (`..;x`).
    #[error("the path hides a dot segment")]
    HiddenDotSegment,
    /// `..` above the root.
    #[error("the path climbs above the root")]
    AboveRoot,
    /// `//`, where the policy refuses it.
    #[error("the path contains an empty segment")]
    DuplicateSlash,
    /// `;`, where the policy refuses it.
    #[error("the path contains segment parameters")]
    Parameters,
}

/// The canonical form of `raw`, a path without query, as received.
///
/// The length is bounded by whoever reads the request's target; the work here is one or two passes over it. The result
/// is at most three times as long.
///
/// # Errors
///
/// Any [`PathError`]; the first from the left.
pub fn normalise(raw: &str, policy: PathPolicy) -> Result<Cow<'_, str>, PathError> {
    if is_canonical(raw) {
        return Ok(Cow::Borrowed(raw));
    }
    rewrite(raw, policy).map(Cow::Owned)
}

/// What a byte of a path means.
enum Class {
    /// Stands for itself: unreserved, or a reserved character without meaning in a path (RFC 3986 section 3.3).
    Literal,
    Slash,
    Percent,
    Semicolon,
    /// Not allowed by RFC 3986, harmless, and sent by browsers: escaped.
    Escaped,
    Forbidden,
}

/// How much of a segment could still be a dot segment.
#[derive(Clone, Copy)]
enum Shape {
    Empty,
    Dot,
    DotDot,
    Other,
}

/// A percent-encoded character.
enum Escape<'p> {
    /// Encoded without need (RFC 3986 section 6.2.2.2).
    Unreserved(u8),
    /// Stays encoded: what follows the first `%`, one to four escapes that are one character.
    Kept(&'p [u8]),
}

fn is_canonical(raw: &str) -> bool {
    let mut rest = match raw.as_bytes() {
        [b'/', rest @ ..] => rest,
        _ => return false,
    };
    let mut shape = Shape::Empty;
    let mut segments = 1;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match class(*byte) {
            Class::Literal => shape = shape.followed_by(*byte),
            Class::Slash => {
                segments += 1;
                if segments > PATH_SEGMENTS_MAX || !matches!(shape, Shape::Other) {
                    return false;
                }
                shape = Shape::Empty;
            }
            Class::Percent => match escape(tail) {
                Ok((Escape::Kept(text), after)) if !text.iter().any(u8::is_ascii_lowercase) => {
                    shape = Shape::Other;
                    rest = after;
                }
                _ => return false,
            },
            Class::Semicolon | Class::Escaped | Class::Forbidden => return false,
        }
    }
    matches!(shape, Shape::Empty | Shape::Other)
}

/// The path segment by segment: what is not refused is written out in canonical form.
///
/// `out` holds `/segment` for every segment so far that dot segments have not taken back.
fn rewrite(raw: &str, policy: PathPolicy) -> Result<String, PathError> {
    let below = raw.strip_prefix('/').ok_or(PathError::NotAbsolute)?;
    let mut out = String::with_capacity(raw.len());
    let mut segments = below.split('/').enumerate().peekable();
    while let Some((index, segment)) = segments.next() {
        if index >= PATH_SEGMENTS_MAX {
            return Err(PathError::SegmentsExceeded);
        }
        let is_last = segments.peek().is_none();
        let start = out.len();
        out.push('/');
        match rewrite_segment(segment.as_bytes(), policy, &mut out)? {
            Shape::Other => {}
            // The trailing slash.
            Shape::Empty if is_last => {}
            Shape::Empty if policy.merge_slashes => out.truncate(start),
            Shape::Empty => return Err(PathError::DuplicateSlash),
            Shape::Dot | Shape::DotDot if segment.contains(['%', ';']) => {
                return Err(PathError::HiddenDotSegment);
            }
            // RFC 3986 section 5.2.4: `/a/.` is `/a/`, and `/a/b/..` is `/a/`.
            Shape::Dot => out.truncate(if is_last { start + 1 } else { start }),
            Shape::DotDot => {
                out.truncate(start);
                let parent = out.rfind('/').ok_or(PathError::AboveRoot)?;
                out.truncate(if is_last { parent + 1 } else { parent });
            }
        }
    }
    Ok(out)
}

/// Appends the canonical form of one segment. Parameters are cut off only after they were checked like the rest.
fn rewrite_segment(segment: &[u8], policy: PathPolicy, out: &mut String) -> Result<Shape, PathError> {
    let mut rest = segment;
    let mut shape = Shape::Empty;
    let mut in_parameters = false;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match class(*byte) {
            Class::Literal if in_parameters => {}
            Class::Literal => {
                out.push(char::from(*byte));
                shape = shape.followed_by(*byte);
            }
            Class::Escaped if in_parameters => {}
            Class::Escaped => {
                push_escape(*byte, out);
                shape = Shape::Other;
            }
            Class::Percent => {
                let (escape, after) = escape(tail)?;
                rest = after;
                match escape {
                    _ if in_parameters => {}
                    Escape::Unreserved(byte) => {
                        out.push(char::from(byte));
                        shape = shape.followed_by(byte);
                    }
                    Escape::Kept(text) => {
                        out.push('%');
                        out.extend(text.iter().map(|byte| char::from(byte.to_ascii_uppercase())));
                        shape = Shape::Other;
                    }
                }
            }
            Class::Semicolon if policy.strip_parameters => in_parameters = true,
            Class::Semicolon => return Err(PathError::Parameters),
            // A segment contains no slash.
            Class::Slash | Class::Forbidden => return Err(PathError::ForbiddenByte),
        }
    }
    Ok(shape)
}

/// Reads one character of one to four escapes; `rest` begins behind the first `%`. Also gives what follows.
fn escape(rest: &[u8]) -> Result<(Escape<'_>, &[u8]), PathError> {
    let (first, after) = hex_pair(rest)?;
    let width = match first {
        b'/' => return Err(PathError::EncodedSlash),
        b'\\' => return Err(PathError::EncodedBackslash),
        0x00..=0x1f | 0x7f => return Err(PathError::EncodedControl),
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            return Ok((Escape::Unreserved(first), after));
        }
        0x20..=0x7e => 1,
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return Err(PathError::EscapeNotUtf8),
    };
    let mut character = [first, 0, 0, 0];
    let mut after = after;
    for slot in character.iter_mut().take(width).skip(1) {
        let [b'%', next @ ..] = after else {
            return Err(PathError::EscapeNotUtf8);
        };
        (*slot, after) = hex_pair(next)?;
    }
    let text = character.get(..width).map(str::from_utf8);
    if !matches!(text, Some(Ok(_))) {
        return Err(PathError::EscapeNotUtf8);
    }
    // `after` is what is left of `rest`, so the difference is what was read.
    let text = rest.get(..rest.len() - after.len()).unwrap_or(rest);
    Ok((Escape::Kept(text), after))
}

fn hex_pair(rest: &[u8]) -> Result<(u8, &[u8]), PathError> {
    let [high, low, after @ ..] = rest else {
        return Err(PathError::EscapeMalformed);
    };
    Ok((hex_digit(*high)? << 4 | hex_digit(*low)?, after))
}

fn hex_digit(byte: u8) -> Result<u8, PathError> {
    match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        b'A'..=b'F' => Ok(byte - b'A' + 10),
        _ => Err(PathError::EscapeMalformed),
    }
}

fn push_escape(byte: u8, out: &mut String) {
    out.push('%');
    for digit in [byte >> 4, byte & 0xf] {
        out.push(char::from(if digit < 10 {
            b'0' + digit
        } else {
            b'A' + digit - 10
        }));
    }
}

/// RFC 3986 section 3.3, `pchar`, and what is left beside it.
fn class(byte: u8) -> Class {
    match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => Class::Literal,
        b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b'=' | b':' | b'@' => Class::Literal,
        b'/' => Class::Slash,
        b'%' => Class::Percent,
        b';' => Class::Semicolon,
        b'"' | b'<' | b'>' | b'[' | b']' | b'^' | b'`' | b'{' | b'|' | b'}' => Class::Escaped,
        b'\\' | b'#' | b'?' | 0x00..=0x20 | 0x7f..=0xff => Class::Forbidden,
    }
}

// === impl PathError ===

impl PathError {
    /// Every reason there is.
    pub const ALL: [Self; 12] = [
        Self::NotAbsolute,
        Self::SegmentsExceeded,
        Self::ForbiddenByte,
        Self::EscapeMalformed,
        Self::EscapeNotUtf8,
        Self::EncodedSlash,
        Self::EncodedBackslash,
        Self::EncodedControl,
        Self::HiddenDotSegment,
        Self::AboveRoot,
        Self::DuplicateSlash,
        Self::Parameters,
    ];

    /// A stable name, for whoever records it.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NotAbsolute => "path_not_absolute",
            Self::SegmentsExceeded => "path_segments_exceeded",
            Self::ForbiddenByte => "path_forbidden_byte",
            Self::EscapeMalformed => "path_escape_malformed",
            Self::EscapeNotUtf8 => "path_escape_not_utf8",
            Self::EncodedSlash => "path_encoded_slash",
            Self::EncodedBackslash => "path_encoded_backslash",
            Self::EncodedControl => "path_encoded_control",
            Self::HiddenDotSegment => "path_hidden_dot_segment",
            Self::AboveRoot => "path_above_root",
            Self::DuplicateSlash => "path_duplicate_slash",
            Self::Parameters => "path_parameters",
        }
    }
}

// === impl Shape ===

impl Shape {
    fn followed_by(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Empty, b'.') => Self::Dot,
            (Self::Dot, b'.') => Self::DotDot,
            _ => Self::Other,
        }
    }
}

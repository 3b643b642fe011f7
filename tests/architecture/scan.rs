//! Just enough of Rust's grammar to tell code from comments, literals and tests, and to read paths off it.
//!
//! This is no parser: it knows how literals and comments end, where an item under `#[cfg(test)]` ends, and how a `use`
//! tree unfolds. Every line stays where it is, so that whatever is found can be named with its place.

use std::collections::BTreeSet;

/// A word, a `::`, a `!=` or a single character, and its line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token<'c> {
    pub(crate) text: &'c str,
    pub(crate) line: usize,
}

/// A path as written, or one path of a `use` tree unfolded.
#[derive(Debug)]
pub(crate) struct CodePath<'c> {
    pub(crate) segments: Vec<&'c str>,
    pub(crate) line: usize,
}

/// The source with comments as spaces and literals as quotation marks.
pub(crate) fn code(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    let mut previous = ' ';
    while let Some(first) = rest.chars().next() {
        let comment = comment(rest);
        let literal = || literal(rest, previous);
        let (length, blank) = match comment
            .map(|length| (length, ' '))
            .or_else(|| Some((literal()?, '"')))
        {
            Some((length, blank)) => (length, Some(blank)),
            None => (first.len_utf8(), None),
        };
        let (taken, after) = rest.split_at(length);
        match blank {
            Some(blank) => code.extend(taken.chars().map(|c| if c == '\n' { c } else { blank })),
            None => code.push_str(taken),
        }
        previous = blank.unwrap_or(first);
        rest = after;
    }
    code
}

/// The code without the items under `#[cfg(test)]`.
pub(crate) fn without_tests(code: &str) -> String {
    const MARKS: [&str; 2] = ["#[cfg(test)]", "#[cfg(all(test"];
    let mut kept = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(start) = MARKS.iter().filter_map(|mark| rest.find(mark)).min() {
        let (before, item) = rest.split_at(start);
        let (item, after) = item.split_at(item_length(item));
        kept.push_str(before);
        kept.extend(item.chars().filter(|c| *c == '\n'));
        rest = after;
    }
    kept.push_str(rest);
    kept
}

/// The words and signs of code that [`code()`] made.
pub(crate) fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    for (index, line) in code.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = if is_word(first) {
                rest.find(|c| !is_word(c)).unwrap_or(rest.len())
            } else if rest.starts_with("::") || rest.starts_with("!=") {
                2
            } else {
                first.len_utf8()
            };
            let (text, after) = rest.split_at(length);
            if text != "\"" {
                tokens.push(Token {
                    text,
                    line: index + 1,
                });
            }
            rest = after.trim_start();
        }
    }
    tokens
}

/// Every path of at least two segments, `use` trees unfolded.
pub(crate) fn paths<'c>(tokens: &[Token<'c>]) -> Vec<CodePath<'c>> {
    let mut found = Vec::new();
    let mut rest = tokens;
    while let [first, after @ ..] = rest {
        rest = match after {
            [separator, ..] if first.is_word() && separator.text == "::" => unfold(rest, &[], &mut found),
            _ => after,
        };
    }
    found
}

/// The lines where the words and signs of `pattern` follow each other, in the code or in a path of a `use` tree.
pub(crate) fn lines_with(pattern: &str, found_in: &[Token<'_>], paths: &[CodePath<'_>]) -> BTreeSet<usize> {
    let pattern: Vec<&str> = tokens(pattern).iter().map(|token| token.text).collect();
    let texts: Vec<&str> = found_in.iter().map(|token| token.text).collect();
    let in_code = texts
        .windows(pattern.len())
        .zip(found_in)
        .filter(|(window, _)| *window == pattern)
        .map(|(_, token)| token.line);
    let in_paths = paths
        .iter()
        .filter(|path| {
            let spelled: Vec<&str> = path
                .segments
                .iter()
                .flat_map(|segment| [*segment, "::"])
                .collect();
            spelled.windows(pattern.len()).any(|window| window == pattern)
        })
        .map(|path| path.line);
    in_code.chain(in_paths).collect()
}

impl Token<'_> {
    fn is_word(&self) -> bool {
        self.text.starts_with(is_word)
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The length of the comment that `rest` begins with.
fn comment(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if !rest.starts_with("/*") {
        return None;
    }
    let mut depth = 0_usize;
    let mut place = 0;
    while let Some(here) = rest.get(place..).filter(|here| !here.is_empty()) {
        if here.starts_with("/*") {
            depth += 1;
            place += 2;
        } else if here.starts_with("*/") {
            depth -= 1;
            place += 2;
            if depth == 0 {
                return Some(place);
            }
        } else {
            place += here.chars().next().map_or(1, char::len_utf8);
        }
    }
    Some(rest.len())
}

/// The length of the literal (string or character) that `rest` begins with.
fn literal(rest: &str, previous: char) -> Option<usize> {
    if let Some(length) = raw_string(rest).filter(|_| !is_word(previous)) {
        return Some(length);
    }
    let mut chars = rest.char_indices();
    match chars.next()? {
        (_, '"') => {
            let mut escaped = false;
            for (place, c) in chars {
                match c {
                    _ if escaped => escaped = false,
                    '\\' => escaped = true,
                    '"' => return Some(place + 1),
                    _ => {}
                }
            }
            Some(rest.len())
        }
        (_, '\'') => match chars.next()? {
            (_, '\\') => {
                chars.next();
                chars.find(|(_, c)| *c == '\'').map(|(place, _)| place + 1)
            }
            // Otherwise a lifetime.
            _ => chars
                .next()
                .filter(|(_, c)| *c == '\'')
                .map(|(place, _)| place + 1),
        },
        _ => None,
    }
}

/// The length of the raw string that `rest` begins with.
fn raw_string(rest: &str) -> Option<usize> {
    let unprefixed = rest.strip_prefix(['b', 'c']).unwrap_or(rest).strip_prefix('r')?;
    let body = unprefixed.trim_start_matches('#');
    let hashes = "#".repeat(unprefixed.len() - body.len());
    let body = body.strip_prefix('"')?;
    let end = format!("\"{hashes}");
    let length = body.find(&end).map_or(body.len(), |place| place + end.len());
    Some(rest.len() - body.len() + length)
}

/// The length of the item that `rest` begins with, its attributes included.
fn item_length(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut item = rest.trim_start();
    while let Some((_, after)) = item
        .strip_prefix('#')
        .and_then(|attribute| attribute.split_once(']'))
    {
        item = after.trim_start();
    }
    let attributes = rest.len() - item.len();
    let ends_in_semicolon = ["use ", "const ", "static ", "type "]
        .iter()
        .any(|word| item.starts_with(word));
    for (place, c) in item.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth == 0 => return attributes + place,
            ')' | ']' | '}' => {
                depth -= 1;
                if depth == 0 && c == '}' && !ends_in_semicolon {
                    return attributes + place + 1;
                }
            }
            ';' if depth == 0 => return attributes + place + 1,
            _ => {}
        }
    }
    rest.len()
}

/// Unfolds the tree that `rest` begins with, below `prefix`; returns what comes after it.
fn unfold<'t, 'c>(
    mut rest: &'t [Token<'c>],
    prefix: &[&'c str],
    found: &mut Vec<CodePath<'c>>,
) -> &'t [Token<'c>] {
    let mut segments = prefix.to_vec();
    let mut line = rest.first().map_or(0, |token| token.line);
    loop {
        match rest {
            [segment, separator, after @ ..] if segment.is_word() && separator.text == "::" => {
                segments.push(segment.text);
                line = segment.line;
                rest = after;
            }
            [brace, after @ ..] if brace.text == "{" => {
                rest = after;
                loop {
                    rest = match rest {
                        [] => return rest,
                        [end, after @ ..] if end.text == "}" => return after,
                        [comma, after @ ..] if comma.text == "," => after,
                        _ => unfold(rest, &segments, found),
                    };
                }
            }
            [last, after @ ..] => {
                if last.is_word() || last.text == "*" {
                    segments.push(last.text);
                    line = last.line;
                }
                found.push(CodePath { segments, line });
                return match after {
                    [keyword, _, after @ ..] if keyword.text == "as" => after,
                    _ => after,
                };
            }
            [] => {
                found.push(CodePath { segments, line });
                return rest;
            }
        }
    }
}

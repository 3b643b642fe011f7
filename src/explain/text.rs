//! An explanation as people read it in a terminal.
//!
//! Claims come from strangers, and so may names in a token: whatever could move the cursor, change colours or turn the
//! reading direction around is shown as its number. The same holds for the JSON form, where it is JSON's own escape.

use std::fmt::Write as _;

use super::report::{Cite, Denied, Explanation, Line, Outcome, Verdict};
use super::words;

/// Where the text of a line begins.
const INDENT: usize = 4;
/// Where the value stands: names of lines are shorter.
const NAME_WIDTH: usize = 16;

// === impl Explanation ===

impl Explanation {
    /// Several lines, with a line break at the end.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        block(&mut text, "at", &words::moment(self.at));
        for stage in &self.stages {
            let outcome = match stage.outcome {
                Outcome::Passed => "passed",
                Outcome::Denied => "denied",
                Outcome::NotReached => "not reached",
                Outcome::NotApplicable => "does not apply",
            };
            block(&mut text, stage.name, outcome);
            if stage.name == "request" {
                lines(&mut text, &self.request);
            }
            lines(&mut text, &stage.lines);
        }
        text.push('\n');
        for note in &self.notes {
            push(&mut text, 0, "note", note);
        }
        match &self.verdict {
            Verdict::Permitted => text.push_str("PERMITTED\n"),
            Verdict::Denied(denied) => refusal(&mut text, denied),
        }
        text
    }

    /// The JSON form, indented, with a line break at the end; nothing in it can move a cursor.
    pub fn to_json_text(&self) -> String {
        let written = format!("{:#}\n", self.to_json());
        let mut text = String::with_capacity(written.len());
        for c in written.chars() {
            // Serde escapes what JSON must; the rest stands within strings, where an escape means the same.
            if c == '\n' || !is_unruly(c) {
                text.push(c);
            } else {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    let _ = write!(text, "\\u{unit:04x}");
                }
            }
        }
        text
    }
}

fn refusal(text: &mut String, denied: &Denied) {
    let _ = match denied.reason == denied.code {
        true => writeln!(text, "DENIED {} {}", denied.status, denied.code),
        false => writeln!(
            text,
            "DENIED {} {}: {}",
            denied.status, denied.code, denied.reason
        ),
    };
    push(text, INDENT, "stage", denied.stage);
    push(text, INDENT, "meaning", denied.meaning);
    let retry_after = denied.retry_after.map(|seconds| format!("{seconds} s"));
    for (name, value) in [
        ("challenge", &denied.challenge),
        ("allow", &denied.allow),
        ("retry after", &retry_after),
    ] {
        if let Some(value) = value {
            push(text, INDENT, name, value);
        }
    }
    if let Some(place) = &denied.place {
        push(text, INDENT, "decided by", &cite(place));
    }
    if let Some(hint) = &denied.hint {
        push(text, INDENT, "hint", hint);
    }
}

fn block(text: &mut String, name: &str, outcome: &str) {
    let width = NAME_WIDTH + INDENT;
    let _ = writeln!(text, "{name:width$}{outcome}");
}

fn lines(text: &mut String, lines: &[Line]) {
    for line in lines {
        push(text, INDENT, line.name, &line.text);
        if let Some(place) = &line.place {
            push(text, INDENT, "", &format!("at {}", cite(place)));
        }
        if let Some(record) = &line.record {
            push(
                text,
                INDENT,
                "",
                &format!("in the store: {} {}", record.kind, record.id),
            );
        }
    }
}

fn push(text: &mut String, indent: usize, name: &str, value: &str) {
    let width = NAME_WIDTH + INDENT - indent;
    let name = name.replace('_', " ");
    let _ = writeln!(text, "{:indent$}{name:width$}{}", "", printable(value));
}

fn cite(place: &Cite) -> String {
    let default = if place.default { ", its default" } else { "" };
    format!("{} ({}{default})", place.spot, place.key)
}

/// The text, with everything that is not to be shown to a terminal as its number.
fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unruly(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Control characters, line and paragraph separators, and what turns the reading direction around or takes no room.
fn is_unruly(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_unruly_is_shown() {
        for (text, expected) in [
            ("menu é 中", "menu é 中"),
            ("a\nb", "a\\u{a}b"),
            ("\u{1b}[31m", "\\u{1b}[31m"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("\u{202e}gpj", "\\u{202e}gpj"),
            ("\u{7f}", "\\u{7f}"),
        ] {
            assert_eq!(printable(text), expected);
        }
    }
}

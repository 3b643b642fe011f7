//! What the gateway answers, as people read it: a table, or the members of one thing.
//!
//! Names come from whoever may write to the gateway, and go to an operator's terminal. So no character gets there that
//! could move its cursor, change what stands there or turn the direction of writing: such are written as escapes.

use serde_json::Value;

/// The longest text in a cell of a table: what people wrote may be four times as long. Ids are never cut.
const CELL_CHARS_MAX: usize = 40;
/// So many items of a list are in a cell.
const CELL_ITEMS_MAX: usize = 3;
/// What stands where nothing is.
const NOTHING: &str = "-";

/// A kind of thing, as it is shown.
pub(super) struct View {
    /// The command that shows what there is.
    pub(super) look: &'static str,
    /// In a sentence.
    pub(super) noun: &'static str,
    /// The parameter that asks for the next page; nothing: there is one page only.
    pub(super) cursor: Option<&'static str>,
    /// The member that names it.
    pub(super) id: &'static str,
    /// Of a table.
    pub(super) columns: &'static [Column],
    /// Members that are shown first, in this order; others follow.
    pub(super) members: &'static [&'static str],
}

/// A column: its title, and what is in it.
pub(super) struct Column(pub(super) &'static str, pub(super) Cell);

/// What is in a cell.
pub(super) enum Cell {
    /// A member, whole.
    Whole(&'static str),
    /// A member that somebody wrote at length.
    Short(&'static str),
    /// Something read off the thing.
    Of(fn(&Value) -> String),
}

// === impl View ===

impl View {
    /// A line for each thing, in columns.
    pub(super) fn table(&self, things: &[Value]) -> String {
        let titles = self
            .columns
            .iter()
            .map(|Column(title, _)| (*title).to_owned())
            .collect();
        let mut rows: Vec<Vec<String>> = vec![titles];
        for thing in things {
            rows.push(
                self.columns
                    .iter()
                    .map(|Column(_, cell)| cell.show(thing))
                    .collect(),
            );
        }
        aligned(&rows)
    }

    /// The members of one thing, a line for each.
    pub(super) fn members(&self, thing: &Value) -> String {
        let Value::Object(members) = thing else {
            return inline(thing);
        };
        let known = self
            .members
            .iter()
            .filter_map(|name| members.get_key_value(*name));
        let rest = members
            .iter()
            .filter(|(name, _)| !self.members.contains(&name.as_str()));
        let mut rows = Vec::new();
        for (name, value) in known.chain(rest) {
            let mut name = printable(name);
            for line in lines(value) {
                rows.push(vec![std::mem::take(&mut name), line]);
            }
        }
        aligned(&rows)
    }

    /// What names a thing.
    pub(super) fn name(&self, thing: &Value) -> String {
        thing.get(self.id).map(inline).unwrap_or_default()
    }
}

// === impl Cell ===

impl Cell {
    fn show(&self, thing: &Value) -> String {
        let text = match self {
            Self::Whole(name) => thing.get(name).map(inline).unwrap_or_default(),
            Self::Short(name) => thing.get(name).map(few).unwrap_or_default(),
            Self::Of(read) => read(thing),
        };
        if text.is_empty() { NOTHING.to_owned() } else { text }
    }
}

/// Columns as wide as their widest cell, two blanks between them, none at the end.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths);
        let line: Vec<String> = cells.map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// The first few of a list, or the beginning of a text.
fn few(value: &Value) -> String {
    if let Value::Array(items) = value {
        let mut shown: Vec<String> = items.iter().take(CELL_ITEMS_MAX).map(few).collect();
        if items.len() > CELL_ITEMS_MAX {
            shown.push(format!("{} more", items.len() - CELL_ITEMS_MAX));
        }
        return shown.join(", ");
    }
    let text = inline(value);
    if text.chars().count() <= CELL_CHARS_MAX {
        return text;
    }
    text.chars().take(CELL_CHARS_MAX - 1).chain(['…']).collect()
}

/// A value over as many lines as it has items, at least one.
fn lines(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) if !items.is_empty() => items.iter().map(inline).collect(),
        value => {
            let text = inline(value);
            vec![if text.is_empty() { NOTHING.to_owned() } else { text }]
        }
    }
}

/// A value on one line.
pub(super) fn inline(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => printable(text),
        Value::Array(items) => items.iter().map(inline).collect::<Vec<_>>().join(", "),
        Value::Object(members) => {
            let named = ["id", "kid", "name"]
                .into_iter()
                .find(|name| members.contains_key(*name));
            let rest: Vec<String> = members
                .iter()
                .filter(|(name, value)| Some(name.as_str()) != named && !value.is_null())
                .map(|(name, value)| format!("{}={}", printable(name), inline(value)))
                .collect();
            match (named.and_then(|name| members.get(name)), rest.is_empty()) {
                (Some(name), true) => inline(name),
                (Some(name), false) => format!("{} ({})", inline(name), rest.join(", ")),
                (None, _) => rest.join(", "),
            }
        }
    }
}

/// A text that came from outside, for a terminal: what would not be seen as a character is an escape.
pub(super) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unseen(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// A JSON text for a terminal or a script: the same value, and no character that a terminal would obey.
pub(super) fn json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // Between the tokens: JSON has none inside a string.
            '\n' => shown.push('\n'),
            '\t' | '\r' => shown.push(' '),
            c if is_unseen(c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    shown.push_str(&format!("\\u{unit:04x}"));
                }
            }
            c => shown.push(c),
        }
    }
    shown
}

/// Controls of terminals (C0, DEL, C1), line ends of Unicode, and what changes the direction of writing or is not seen.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const VIEW: View = View {
        look: "tollgate app list",
        noun: "application",
        cursor: None,
        id: "id",
        columns: &[
            Column("ID", Cell::Whole("id")),
            Column("NAME", Cell::Short("name")),
            Column("CLIENTS", Cell::Short("client_ids")),
            Column("N", Cell::Of(|thing| inline(&thing["n"]))),
        ],
        members: &["id", "n"],
    };

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let things = [
            json!({ "id": "a", "name": "O'Brien & Söhne", "client_ids": [{ "id": "x" }], "n": 1 }),
            json!({ "id": "longer", "client_ids": [], "n": 22 }),
        ];
        let expected = "ID      NAME             CLIENTS  N\n\
                        a       O'Brien & Söhne  x        1\n\
                        longer  -                -        22\n";
        assert_eq!(VIEW.table(&things), expected);
        assert_eq!(VIEW.table(&[]), "ID  NAME  CLIENTS  N\n");
    }

    #[test]
    fn long_texts_and_lists_are_cut_in_tables_and_whole_by_themselves() {
        let ids: Vec<Value> = (0..5).map(|n| json!({ "id": format!("c{n}") })).collect();
        let thing = json!({ "id": "i".repeat(64), "name": "n".repeat(64), "client_ids": ids });
        let table = VIEW.table(std::slice::from_ref(&thing));
        assert!(table.contains(&"i".repeat(64)), "{table}");
        assert!(table.contains(&format!("{}… ", "n".repeat(39))), "{table}");
        assert!(table.contains("c0, c1, c2, 2 more"), "{table}");
        let members = VIEW.members(&thing);
        assert!(members.contains(&"n".repeat(64)), "{members}");
        assert!(members.contains("client_ids  c0\n            c1\n"), "{members}");
    }

    #[test]
    fn members_come_in_their_order_and_unknown_ones_after_them() {
        let thing = json!({
            "zeta": null, "n": 7, "id": "a", "on": true,
            "client_ids": [{ "id": "c", "issuer": "https://i/" }],
            "claim_sets": [{ "tenant": "acme", "region": "eu" }],
        });
        let expected = "id          a\n\
                        n           7\n\
                        claim_sets  region=eu, tenant=acme\n\
                        client_ids  c (issuer=https://i/)\n\
                        on          yes\n\
                        zeta        -\n";
        assert_eq!(VIEW.members(&thing), expected);
    }

    #[test]
    fn no_character_reaches_the_terminal_that_it_would_obey() {
        for (text, expected) in [
            ("plain – ünï 漢字 😀 \"'\\", "plain – ünï 漢字 😀 \"'\\"),
            ("a\u{1b}[2Jb", "a\\u{1b}[2Jb"),
            ("a\nb\rc\td\0", "a\\u{a}b\\u{d}c\\u{9}d\\u{0}"),
            ("\u{7f}\u{9b}31m", "\\u{7f}\\u{9b}31m"),
            ("gold\u{202e}dlo", "gold\\u{202e}dlo"),
            (
                "\u{2066}\u{2028}\u{200b}\u{feff}\u{e0041}",
                "\\u{2066}\\u{2028}\\u{200b}\\u{feff}\\u{e0041}",
            ),
        ] {
            assert_eq!(printable(text), expected);
            let value = json!({ text: text });
            let shown = json(&value.to_string());
            assert!(!shown.chars().any(is_unseen), "{shown:?}");
            assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), value);
            let all = [
                VIEW.members(&value),
                VIEW.table(&[json!({ "id": text, "name": text })]),
            ]
            .concat();
            assert!(!all.chars().any(|c| c != '\n' && is_unseen(c)), "{all:?}");
        }
        assert_eq!(json("{\r\n\t\"a\": 1}"), "{ \n \"a\": 1}");
    }
}

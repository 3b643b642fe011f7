//! What is wrong with a configuration, where, and what to do about it.
//!
//! A mistake is rendered the way compilers do it, because people have learned to read that: the message, the place,
//! the line itself and a caret under the words that are meant. The same mistake also fits on one line, for places
//! where lines are counted. A configuration file may hold any bytes, and what is shown goes to a terminal, so control
//! and direction characters are never passed on.

use std::error::Error;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::place::Place;

/// More mistakes than this are counted, not kept: nobody reads the thousandth, and a file of garbage should not cost
/// more memory than itself.
const MISTAKES_MAX: usize = 1000;

/// The longest piece of the operator's text that is repeated inside a message.
const QUOTE_CHARS_MAX: usize = 80;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where.
    pub place: Place,
    /// What.
    pub message: String,
    /// What to do about it, if we can tell.
    pub help: Option<String>,
}

/// Everything that is wrong, in the order of files and, in each file, of places.
#[derive(Debug, Clone, Default)]
pub struct Mistakes {
    files: Vec<Arc<Path>>,
    list: Vec<Mistake>,
    omitted: usize,
}

// === impl Mistake ===

impl Mistake {
    /// A mistake without help.
    pub fn new(place: Place, message: impl Into<String>) -> Self {
        Self {
            place,
            message: message.into(),
            help: None,
        }
    }

    /// The same mistake, with help.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self {
            help: Some(help.into()),
            ..self
        }
    }

    /// Everything on one line: place, message, help and the offending line.
    pub fn one_line(&self) -> String {
        let mut line = format!("{}: {}", self.place, self.message);
        if let Some(help) = &self.help {
            line.push_str(" (");
            line.push_str(help);
            line.push(')');
        }
        let text = self.place.text.trim();
        if !text.is_empty() {
            line.push_str(": ");
            line.push_str(text);
        }
        line.chars().map(printable).collect()
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { line, text, .. } = &self.place;
        let number = line.to_string();
        let gutter = number.len();
        write!(f, "error: {}\n{:gutter$}--> {}", self.message, "", self.place)?;
        if text.is_empty() {
            return match &self.help {
                Some(help) => write!(f, "\n{:gutter$} = help: {help}", ""),
                None => Ok(()),
            };
        }
        let shown: String = text.chars().map(printable).collect();
        write!(f, "\n{:gutter$} |\n{number} | {}\n", "", shown.trim_end())?;
        let (indent, carets) = underline(&self.place);
        write!(f, "{:gutter$} | {:indent$}{:^<carets$}", "", "", "")?;
        match &self.help {
            Some(help) => write!(f, " {help}"),
            None => Ok(()),
        }
    }
}

/// How many terminal cells stand before the meant words, and how many they take; at least one.
fn underline(place: &Place) -> (usize, usize) {
    let before = usize::try_from(place.column)
        .unwrap_or(usize::MAX)
        .saturating_sub(1);
    let width = usize::try_from(place.width).unwrap_or(usize::MAX);
    let cells = |from: usize, count: usize| place.text.chars().skip(from).take(count).map(cells).sum();
    let carets: usize = cells(before, width);
    (cells(0, before), carets.max(1))
}

/// What is shown for a character. A tab is one cell, so that the carets below it stay true.
pub(super) fn printable(c: char) -> char {
    match c {
        '\t' => ' ',
        // Direction marks could make a line read other than it is.
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}

/// How many terminal cells a character takes, after [`printable`]: two for the East Asian wide blocks and emoji, none
/// for combining marks. A caret that is off by one in a rare script is no harm, so no table of all Unicode is kept.
fn cells(c: char) -> usize {
    match c {
        '\u{0300}'..='\u{036f}' | '\u{200b}'..='\u{200d}' | '\u{fe00}'..='\u{fe0f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{303e}'
        | '\u{3041}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1f64f}'
        | '\u{1f680}'..='\u{1f6ff}'
        | '\u{1f900}'..='\u{1f9ff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

/// The operator's own words inside a message: marked, cut, and harmless to a terminal.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("`");
    let mut rest = text.chars().map(printable);
    quoted.extend(rest.by_ref().take(QUOTE_CHARS_MAX));
    if rest.next().is_some() {
        quoted.push('…');
    }
    quoted.push('`');
    quoted
}

// === impl Mistakes ===

impl Mistakes {
    /// Adds a mistake, in its order; one that is already there is not repeated.
    pub fn push(&mut self, mistake: Mistake) {
        if self.list.len() >= MISTAKES_MAX {
            self.omitted = self.omitted.saturating_add(1);
            return;
        }
        self.expect_file(&mistake.place.file);
        let at = self
            .list
            .partition_point(|kept| self.order(kept) < self.order(&mistake));
        let mut same_order = self
            .list
            .iter()
            .skip(at)
            .take_while(|kept| self.order(kept) == self.order(&mistake));
        if !same_order.any(|kept| *kept == mistake) {
            self.list.insert(at, mistake);
        }
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many mistakes there are, those included that are counted but not kept.
    pub fn len(&self) -> usize {
        self.list.len().saturating_add(self.omitted)
    }

    /// The mistakes that are kept, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Mistake> {
        self.list.iter()
    }

    /// Gives a file its rank before any mistake in it is known.
    pub(super) fn expect_file(&mut self, file: &Arc<Path>) {
        if !self.files.contains(file) {
            self.files.push(Arc::clone(file));
        }
    }

    fn order<'m>(&self, mistake: &'m Mistake) -> (usize, u32, u32, &'m str) {
        let Place {
            file, line, column, ..
        } = &mistake.place;
        let rank = self
            .files
            .iter()
            .position(|known| known == file)
            .unwrap_or(usize::MAX);
        (rank, *line, *column, &mistake.message)
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for mistake in &self.list {
            write!(f, "{mistake}\n\n")?;
        }
        match self.len() {
            1 => write!(f, "1 error")?,
            count => write!(f, "{count} errors")?,
        }
        match self.omitted {
            0 => Ok(()),
            omitted => write!(f, ", {omitted} of them not shown"),
        }
    }
}

impl Error for Mistakes {}

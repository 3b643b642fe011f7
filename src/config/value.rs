//! Values: from what TOML has (a string, an integer, a list) to what the language means (a duration, an address).
//!
//! Each decoder takes the value itself and returns `None` after it has reported what is wrong, so a caller goes on
//! with the next key and every mistake of a table is found in one pass.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::hash::Hash;
use std::net::SocketAddr;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::mistake::{Mistake, Mistakes, quoted};
use super::outline::{Noted, NotedKey, Written, resolve};
use super::place::{Located, Place};
use super::schema::Percent;
use super::source::Source;
use super::table::{Shape, TableReader, not_available, suggest};

/// One file while it is decoded.
pub(super) struct Sheet<'s> {
    source: &'s Source,
    /// The lines with syntax errors.
    broken: BTreeSet<u32>,
    mistakes: RefCell<Mistakes>,
    noted: RefCell<Vec<Noted>>,
}

/// One value, and the key that it stands under.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    sheet: &'a Sheet<'a>,
    key: &'a str,
    node: &'a Spanned<DeValue<'a>>,
}

// === impl Sheet ===

impl<'s> Sheet<'s> {
    pub(super) fn new(source: &'s Source, broken: BTreeSet<u32>, mistakes: Mistakes) -> Self {
        let mistakes = RefCell::new(mistakes);
        Self {
            source,
            broken,
            mistakes,
            noted: RefCell::default(),
        }
    }

    /// The mistakes that went in, those found since, and where every table was written.
    pub(super) fn into_parts(self) -> (Mistakes, Vec<Written>) {
        (
            self.mistakes.into_inner(),
            resolve(self.source, self.noted.into_inner()),
        )
    }

    /// Notes where a table was written; returns its place among the notes.
    pub(super) fn note(&self, table: Noted) -> usize {
        let mut noted = self.noted.borrow_mut();
        noted.push(table);
        noted.len() - 1
    }

    /// Adds a key to what was noted of a table.
    pub(super) fn note_key(&self, table: usize, key: NotedKey) {
        if let Some(table) = self.noted.borrow_mut().get_mut(table) {
            table.keys.push(key);
        }
    }

    /// Adds the keys of a table that are neither written nor have a default, and puts all in this order.
    pub(super) fn note_absent(&self, table: usize, names: impl Iterator<Item = &'static str>) {
        let mut noted = self.noted.borrow_mut();
        let Some(Noted { keys, .. }) = noted.get_mut(table) else {
            return;
        };
        let names: Vec<&'static str> = names.collect();
        for name in &names {
            if !keys.iter().any(|key| key.key == *name) {
                let (key, at, value) = (*name, None, None);
                keys.push(NotedKey { key, at, value });
            }
        }
        keys.sort_by_key(|key| names.iter().position(|name| *name == key.key));
    }

    pub(super) fn place(&self, span: Range<usize>) -> Place {
        self.source.place(span)
    }

    /// Whether the file has no syntax error, so that what seems absent is absent.
    pub(super) fn is_whole(&self) -> bool {
        self.broken.is_empty()
    }

    /// Keeps a mistake, unless its line could not be read anyway.
    pub(super) fn report(&self, mistake: Mistake) {
        if !self.broken.contains(&mistake.place.line) {
            self.mistakes.borrow_mut().push(mistake);
        }
    }

    fn directory(&self) -> &Path {
        self.source.file().parent().unwrap_or_else(|| Path::new(""))
    }
}

// === impl Value: what every decoder needs ===

impl<'a> Value<'a> {
    pub(super) fn new(sheet: &'a Sheet<'a>, key: &'a str, node: &'a Spanned<DeValue<'a>>) -> Self {
        Self { sheet, key, node }
    }

    pub(super) fn place(&self) -> Place {
        self.sheet.place(self.node.span())
    }

    pub(super) fn located<T>(&self, value: T) -> Located<T> {
        Located {
            value,
            place: self.place(),
        }
    }

    /// Reports a mistake here. Always `None`, so that a decoder can end with it.
    pub(super) fn wrong<T>(&self, message: impl Into<String>) -> Option<T> {
        self.report(Mistake::new(self.place(), message))
    }

    /// The same, with help.
    pub(super) fn wrong_but<T>(&self, message: impl Into<String>, help: impl Into<String>) -> Option<T> {
        self.report(Mistake::new(self.place(), message).help(help))
    }

    fn report<T>(&self, mistake: Mistake) -> Option<T> {
        // A value that a syntax error stands in may look like anything.
        let last_line = self.sheet.source.line(self.node.span().end);
        if self
            .sheet
            .broken
            .range(mistake.place.line..=last_line)
            .next()
            .is_none()
        {
            self.sheet.report(mistake);
        }
        None
    }

    /// Reports a wrong type.
    pub(super) fn expected<T>(&self, what: &str) -> Option<T> {
        self.wrong(self.expected_message(what))
    }

    fn expected_message(&self, what: &str) -> String {
        let found = match self.node.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a float",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date-time",
            DeValue::Array(_) => "an array",
            DeValue::Table(_) => "a table",
        };
        format!("expected {what}, found {found}")
    }

    pub(super) fn is_table(&self) -> bool {
        matches!(self.node.get_ref(), DeValue::Table(_))
    }

    pub(super) fn is_list(&self) -> bool {
        matches!(self.node.get_ref(), DeValue::Array(_))
    }

    pub(super) fn is_integer(&self) -> bool {
        matches!(self.node.get_ref(), DeValue::Integer(_))
    }

    pub(super) fn is_boolean(&self) -> bool {
        matches!(self.node.get_ref(), DeValue::Boolean(_))
    }

    /// Its text, if it is a string.
    pub(super) fn as_str(&self) -> Option<&'a str> {
        match self.node.get_ref() {
            DeValue::String(text) => Some(text),
            _ => None,
        }
    }
}

// === impl Value: scalars ===

impl<'a> Value<'a> {
    /// A string, not empty.
    pub(super) fn text(self) -> Option<Located<String>> {
        let text = self.text_or_empty()?;
        if text.value.is_empty() {
            return self.wrong(format!("`{}` must not be empty", self.key));
        }
        Some(text)
    }

    /// A string.
    pub(super) fn text_or_empty(self) -> Option<Located<String>> {
        match self.as_str() {
            Some(text) => Some(self.located(text.to_owned())),
            None => self.expected("a string"),
        }
    }

    pub(super) fn boolean(self) -> Option<bool> {
        match self.node.get_ref() {
            DeValue::Boolean(value) => Some(*value),
            _ => self.expected("a boolean"),
        }
    }

    /// An integer within bounds.
    pub(super) fn integer<T>(self, bounds: RangeInclusive<T>) -> Option<T>
    where
        T: TryFrom<i128> + PartialOrd + fmt::Display,
    {
        let DeValue::Integer(written) = self.node.get_ref() else {
            return self.expected("an integer");
        };
        let number = i128::from_str_radix(written.as_str(), written.radix()).ok();
        match number.and_then(|number| T::try_from(number).ok()) {
            Some(number) if bounds.contains(&number) => Some(number),
            _ => self.wrong(format!(
                "`{}` must be between {} and {}, not {}",
                self.key,
                bounds.start(),
                bounds.end(),
                quoted(&written.to_string()).trim_matches('`'),
            )),
        }
    }

    /// A duration with a unit, within bounds.
    pub(super) fn duration(self, bounds: RangeInclusive<Duration>) -> Option<Duration> {
        const WHAT: &str = "a duration such as \"30s\"";
        let written = match self.node.get_ref() {
            DeValue::String(written) => written,
            DeValue::Integer(number) => {
                let help = format!("a duration has a unit: \"{number}s\", \"{number}ms\"");
                return self.wrong_but(self.expected_message(WHAT), help);
            }
            _ => return self.expected(WHAT),
        };
        let duration = match humantime::parse_duration(written) {
            Ok(duration) => duration,
            Err(error) => return self.wrong(format!("{} is not a duration: {error}", quoted(written))),
        };
        if bounds.contains(&duration) {
            return Some(duration);
        }
        let (start, end) = (humantime::format_duration(*bounds.start()), *bounds.end());
        let bounds = match end {
            Duration::MAX => format!("at least {start}"),
            end => format!("between {start} and {}", humantime::format_duration(end)),
        };
        self.wrong(format!(
            "`{}` must be {bounds}, not {}",
            self.key,
            quoted(written).trim_matches('`')
        ))
    }

    /// Whole hundredths within bounds, or `"off"`.
    pub(super) fn percent(self, bounds: RangeInclusive<u32>) -> Option<Located<Percent>> {
        const WHAT: &str = "a share such as \"25%\", or \"off\"";
        let written = match self.node.get_ref() {
            DeValue::String(written) => written,
            DeValue::Integer(number) => {
                let help = format!("a share has its sign: \"{number}%\"");
                return self.wrong_but(self.expected_message(WHAT), help);
            }
            _ => return self.expected(WHAT),
        };
        if written == "off" {
            return Some(self.located(Percent::Off));
        }
        let digits = written.strip_suffix('%');
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        let Some(percent) = digits.and_then(|digits| digits.parse::<u32>().ok()) else {
            return self.wrong(format!("{} is not {WHAT}", quoted(written)));
        };
        if bounds.contains(&percent) {
            return Some(self.located(Percent::Of(percent)));
        }
        self.wrong(format!(
            "`{}` must be between {}% and {}%, not {percent}%",
            self.key,
            bounds.start(),
            bounds.end(),
        ))
    }

    /// One of a closed set of words; `None` marks those that this version does not have.
    pub(super) fn word<T: Copy>(self, words: &[(&'static str, Option<T>)]) -> Option<T> {
        let written = self.text_or_empty()?.value;
        match words.iter().find(|(word, _)| *word == written) {
            Some((_, Some(meaning))) => Some(*meaning),
            Some((word, None)) => self.wrong(not_available(word)),
            None => {
                let known = words
                    .iter()
                    .filter(|(_, meaning)| meaning.is_some())
                    .map(|(word, _)| *word);
                let message = format!("unknown word {} for `{}`", quoted(&written), self.key);
                self.wrong_but(message, suggest(&written, known))
            }
        }
    }

    /// `ip:port`.
    pub(super) fn address(self) -> Option<Located<SocketAddr>> {
        let written = self.text()?.value;
        match written.parse() {
            Ok(address) => Some(self.located(address)),
            Err(_) => self.wrong_but(
                format!("{} is not an address", quoted(&written)),
                "an address is ip:port in this version, such as \"127.0.0.1:8080\" or \"[::1]:8080\"",
            ),
        }
    }

    /// A file, relative to the one that names it.
    pub(super) fn file(self) -> Option<Located<PathBuf>> {
        Some(self.text()?.map(|name| self.sheet.directory().join(name)))
    }

    /// A point in time, in Unix seconds; fractions of a second are dropped.
    pub(super) fn time(self) -> Option<Located<i64>> {
        Some(self.timestamp()?.map(jiff::Timestamp::as_second))
    }

    /// A point in time, in Unix milliseconds; fractions of a millisecond are dropped.
    pub(super) fn moment(self) -> Option<Located<i64>> {
        Some(self.timestamp()?.map(jiff::Timestamp::as_millisecond))
    }

    fn timestamp(self) -> Option<Located<jiff::Timestamp>> {
        const WHAT: &str = "a date-time with offset such as 2027-01-31T12:00:00Z";
        let written = match self.node.get_ref() {
            DeValue::Datetime(written) if written.date.is_some() && written.offset.is_none() => {
                let help = "add the offset: `Z`, or one like `+02:00`";
                return self.wrong_but("a date-time must have an offset", help);
            }
            DeValue::Datetime(written) => written.to_string(),
            DeValue::String(written) => written.clone().into_owned(),
            _ => return self.expected(WHAT),
        };
        // RFC 9557 allows `[zone]` after the offset, RFC 3339 does not.
        let parsed = written
            .parse::<jiff::Timestamp>()
            .ok()
            .filter(|_| !written.contains('['));
        match parsed {
            Some(time) => Some(self.located(time)),
            None => self.wrong(format!("{} is not {WHAT}", quoted(&written))),
        }
    }
}

// === impl Value: lists and tables ===

impl<'a> Value<'a> {
    /// A list; members with mistakes are reported and left out.
    pub(super) fn list<T>(self, decode: impl Fn(Self) -> Option<T>) -> Option<Vec<T>> {
        let DeValue::Array(members) = self.node.get_ref() else {
            return self.expected("an array");
        };
        Some(
            members
                .iter()
                .filter_map(|node| decode(Self { node, ..self }))
                .collect(),
        )
    }

    /// A list with something in it.
    pub(super) fn list_not_empty<T>(self, decode: impl Fn(Self) -> Option<T>) -> Option<Vec<T>> {
        match self.node.get_ref() {
            DeValue::Array(members) if members.is_empty() => {
                self.wrong(format!("`{}` must not be empty", self.key))
            }
            _ => self.list(decode),
        }
    }

    /// Strings, each once.
    pub(super) fn texts(self) -> Option<Vec<Located<String>>> {
        let texts = self.list(Self::text)?;
        self.each_once(
            texts
                .iter()
                .map(|text| (text.value.as_str(), &text.place, text.value.clone())),
        );
        Some(texts)
    }

    /// Strings, each once, at least one.
    pub(super) fn texts_not_empty(self) -> Option<Vec<Located<String>>> {
        let texts = self.list_not_empty(Self::text)?;
        self.each_once(
            texts
                .iter()
                .map(|text| (text.value.as_str(), &text.place, text.value.clone())),
        );
        Some(texts)
    }

    /// Reports what stands in a list twice: (what is compared, where, how it reads).
    pub(super) fn each_once<'m, K: Eq + Hash>(&self, members: impl Iterator<Item = (K, &'m Place, String)>) {
        let mut first_lines = HashMap::new();
        for (member, place, name) in members {
            let first = *first_lines.entry(member).or_insert(place);
            if !std::ptr::eq(first, place) {
                let message = format!("{} is listed twice in `{}`", quoted(&name), self.key);
                self.sheet.report(
                    Mistake::new(place.clone(), message).help(format!("first in line {}", first.line)),
                );
            }
        }
    }

    /// A table, opened.
    pub(super) fn table(self, shape: &'static Shape) -> Option<TableReader<'a>> {
        match self.node.get_ref() {
            DeValue::Table(table) => Some(TableReader::open(self.sheet, shape, table, self.node.span())),
            _ => self.expected("a table"),
        }
    }

    /// Tables under one header, which is told to whoever writes a single one.
    pub(super) fn tables<T>(self, header: &str, decode: impl Fn(Self) -> Option<T>) -> Option<Vec<T>> {
        if self.is_table() {
            return self.wrong_but(
                self.expected_message("an array of tables"),
                format!("write {header}"),
            );
        }
        self.list(decode)
    }

    /// A table whose keys are names of the operator's choice, in the order written.
    pub(super) fn entries(self) -> Option<Vec<(Located<String>, Self)>> {
        let DeValue::Table(table) = self.node.get_ref() else {
            return self.expected("a table");
        };
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let entries = entries.into_iter().map(|(key, node)| {
            let name = Located {
                value: key.get_ref().clone().into_owned(),
                place: self.sheet.place(key.span()),
            };
            (
                name,
                Self {
                    key: key.get_ref(),
                    node,
                    ..self
                },
            )
        });
        Some(entries.collect())
    }
}

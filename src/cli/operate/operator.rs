//! What all commands over the admin API have in common: asking, gathering pages, showing, and asking back before what
//! cannot be undone. A command says what it wants; nothing of how it is brought about is in it.

use std::io::{BufRead as _, ErrorKind, IsTerminal as _, Read as _, Write as _};
use std::path::PathBuf;

use http::Method;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::advice::next_step;
use super::text::{View, json, printable};
use super::{Common, Failure, Outcome, Version};
use crate::control::client::{AdminClient, Answer, Ask, AskError, PAGE_ITEMS};
use crate::control::private_file::random_text;
use crate::exit;

/// The longest answer to a question; a yes is shorter.
const REPLY_BYTES_MAX: u64 = 64;

/// Somebody at the gateway's door, and how they want to be told.
pub(in crate::cli) struct Operator {
    client: AdminClient,
    token_file: Option<PathBuf>,
    format: Format,
    yes: bool,
}

/// How things are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    /// For people.
    Text,
    /// As the gateway says it.
    Json,
    /// What names them, and nothing else.
    Quiet,
}

/// Part of a list, each item as it came.
#[derive(Deserialize)]
struct Page {
    items: Vec<Box<RawValue>>,
    #[serde(default)]
    next: Option<Value>,
}

// === impl Operator ===

impl Operator {
    pub(super) fn new(common: &Common) -> Result<Self, Failure> {
        let Common { door, json, quiet } = common;
        let (client, token_file) = door.open()?;
        let format = match (json, quiet) {
            (true, _) => Format::Json,
            (_, true) => Format::Quiet,
            _ => Format::Text,
        };
        Ok(Self {
            client,
            token_file,
            format,
            yes: false,
        })
    }

    /// Has said yes beforehand.
    pub(super) fn sure(self, yes: bool) -> Self {
        Self { yes, ..self }
    }

    /// Asks for one thing, or has one thing done.
    pub(super) fn ask(&self, view: &View, ask: &Ask) -> Result<Answer, Failure> {
        self.client
            .ask(ask)
            .map_err(|error| self.failed(view, ask, &error))
    }

    /// The same, and reads the answer.
    pub(super) fn value(&self, view: &View, ask: &Ask) -> Result<Value, Failure> {
        let answer = self.ask(view, ask)?;
        serde_json::from_str(&answer.body).map_err(|_| self.strange())
    }

    /// Asks for one thing and shows it.
    pub(super) fn show(&self, view: &View, ask: &Ask) -> Outcome {
        let answer = self.ask(view, ask)?;
        self.tell(view, &answer.body)
    }

    /// Makes something: what was lost on the way can be sent again under the same key.
    pub(super) fn make(&self, view: &View, mut ask: Ask, key: Option<&str>) -> Result<Answer, Failure> {
        ask.idempotency_key = Some(match key {
            Some(key) => key.to_owned(),
            None => {
                let made = random_text().map_err(|error| Failure::new(exit::FAILED, error.to_string()))?;
                made.expose().clone()
            }
        });
        self.ask(view, &ask)
    }

    /// Shows a list, all pages of it.
    pub(super) fn list(&self, view: &View, path: &str, filters: &[(&'static str, Option<&str>)]) -> Outcome {
        let items = self.gather(view, path, filters, None)?;
        self.tell_all(view, &items)
    }

    /// All items of a list, or the first so many.
    pub(super) fn gather(
        &self,
        view: &View,
        path: &str,
        filters: &[(&'static str, Option<&str>)],
        limit: Option<usize>,
    ) -> Result<Vec<Box<RawValue>>, Failure> {
        let mut items = Vec::new();
        let mut ask = Ask::new(Method::GET, path);
        let mut cursor: Option<String> = None;
        loop {
            let wanted = limit.map_or(PAGE_ITEMS, |limit| {
                limit.saturating_sub(items.len()).min(PAGE_ITEMS)
            });
            if wanted == 0 {
                return Ok(items);
            }
            ask.query.clear();
            for (name, value) in filters {
                // Where a page begins, its successors begin elsewhere.
                let replaced = cursor.is_some() && Some(*name) == view.cursor;
                ask.query
                    .extend(value.filter(|_| !replaced).map(|value| (*name, value.to_owned())));
            }
            if let Some(name) = view.cursor {
                ask.query.push(("limit", wanted.to_string()));
                ask.query.extend(cursor.clone().map(|cursor| (name, cursor)));
            }
            let answer = self.ask(view, &ask)?;
            let page: Page = serde_json::from_str(&answer.body).map_err(|_| self.strange())?;
            items.extend(page.items);
            let next = page.next.map(|next| match next {
                Value::String(next) => next,
                next => next.to_string(),
            });
            match next.filter(|_| view.cursor.is_some()) {
                None => return Ok(items),
                // A list that begins again would never end.
                Some(next) if cursor.as_ref() == Some(&next) => return Err(self.strange()),
                next => cursor = next,
            }
        }
    }

    /// Shows items.
    pub(super) fn tell_all(&self, view: &View, items: &[Box<RawValue>]) -> Outcome {
        if self.format == Format::Json {
            let items: Vec<&str> = items.iter().map(|item| item.get()).collect();
            return self.write(&json(&format!("{{\"items\":[{}]}}\n", items.join(","))));
        }
        let read = items.iter().map(|item| serde_json::from_str(item.get()));
        let values: Vec<Value> = read.collect::<Result<_, _>>().map_err(|_| self.strange())?;
        match self.format {
            Format::Quiet => {
                let names: Vec<String> = values.iter().map(|value| view.name(value) + "\n").collect();
                self.write(&names.concat())
            }
            _ => self.write(&view.table(&values)),
        }
    }

    /// Shows one thing, as it came; nothing, if there is nothing to it.
    pub(super) fn tell(&self, view: &View, text: &str) -> Outcome {
        if text.is_empty() {
            return Ok(());
        }
        if self.format == Format::Json {
            return self.write(&json(&format!("{}\n", text.trim_end())));
        }
        let value: Value = serde_json::from_str(text).map_err(|_| self.strange())?;
        match self.format {
            Format::Quiet => self.write(&format!("{}\n", view.name(&value))),
            _ => self.write(&view.members(&value)),
        }
    }

    /// Says what was done, to people.
    pub(super) fn say(&self, text: &str) -> Outcome {
        match self.format {
            Format::Text => self.write(&format!("{text}\n")),
            _ => Ok(()),
        }
    }

    pub(super) fn is_for_people(&self) -> bool {
        self.format == Format::Text
    }

    pub(super) fn wants_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Asks back before what cannot be undone.
    pub(super) fn confirm(&self, question: &str) -> Outcome {
        if self.yes {
            return Ok(());
        }
        let mut errors = std::io::stderr();
        if !(std::io::stdin().is_terminal() && errors.is_terminal()) {
            let text = format!(
                "{}\nnext: nobody can be asked here; say --yes if this is meant",
                printable(question)
            );
            return Err(Failure::new(exit::BAD_USAGE, text));
        }
        let _ = write!(errors, "{} [y/N] ", printable(question));
        let _ = errors.flush();
        let mut reply = String::new();
        let input = std::io::stdin().lock();
        let read = input.take(REPLY_BYTES_MAX).read_line(&mut reply);
        let is_yes = ["y", "yes"]
            .iter()
            .any(|yes| reply.trim().eq_ignore_ascii_case(yes));
        if read.is_ok() && is_yes {
            return Ok(());
        }
        Err(Failure::new(exit::REFUSED, "nothing was done"))
    }

    /// Changes a part of something: reads it, lets `change` make of its members what is to be sent back, and sends that
    /// for the version that was read.
    pub(super) fn edit(
        &self,
        view: &View,
        path: &str,
        version: &Version,
        change: impl FnOnce(&mut Map<String, Value>) -> Outcome,
    ) -> Outcome {
        let mut value = self.value(view, &Ask::new(Method::GET, path))?;
        let read = value.get("version").and_then(Value::as_u64);
        let members = value.as_object_mut().ok_or_else(|| self.strange())?;
        change(members)?;
        let read = read.map(|read| format!("\"{read}\""));
        let ask = Ask {
            body: Some(value.to_string()),
            // What has no version cannot be changed here, and the gateway says why.
            if_match: Some(version.condition().or(read).unwrap_or_else(|| "*".to_owned())),
            ..Ask::new(Method::PUT, path)
        };
        self.show(view, &ask)
    }

    /// Writes to standard output. A reader who has had enough is no error; a disk that is full is.
    pub(super) fn write(&self, text: &str) -> Outcome {
        match print(text) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            printed => printed.map_err(|error| unwritten(&error)),
        }
    }

    /// The same, but nobody may miss it.
    pub(super) fn write_all(&self, text: &str) -> Outcome {
        print(text).map_err(|error| unwritten(&error))
    }

    /// It is an answer of an admin API, but not to this question.
    pub(super) fn strange(&self) -> Failure {
        let url = self.client.url();
        Failure::new(
            exit::NOT_REACHED,
            format!("{url} has answered something that this version does not understand"),
        )
    }

    /// What to say of a failure, and what to do next.
    fn failed(&self, view: &View, ask: &Ask, error: &AskError) -> Failure {
        let code = match error {
            AskError::Client { .. } => exit::FAILED,
            AskError::Refused(problem) if problem.status < 500 => exit::REFUSED,
            AskError::Unreachable { .. }
            | AskError::Unanswered { .. }
            | AskError::Foreign { .. }
            | AskError::Refused(_) => exit::NOT_REACHED,
        };
        let mut text = match error {
            AskError::Refused(problem) => format!(
                "refused: {} ({} {}, {})",
                printable(&problem.detail),
                problem.status,
                printable(&problem.title),
                printable(&problem.code),
            ),
            error => printable(&error.to_string()),
        };
        if let Some(next) = next_step(view, ask, error, self.token_file.as_deref()) {
            text.push_str("\nnext: ");
            text.push_str(&printable(&next));
        }
        Failure::new(code, text)
    }
}

fn print(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn unwritten(error: &std::io::Error) -> Failure {
    Failure::new(
        exit::NOT_WRITTEN,
        format!("the gateway has answered, but the answer cannot be written: {error}"),
    )
}

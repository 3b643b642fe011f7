//! The shape of an explanation: stages with lines, a verdict, and citations of the configuration.
//! It is the same for people (`text`) and for programs ([`Explanation::to_json`]); the names of its members are an
//! interface, described in `docs/explain.md`.

use serde_json::{Map, Value, json};

use super::words;
use crate::access::Code;
use crate::id::IssuerName;
use crate::snapshot::Spot;
use crate::time::UnixTime;

/// What would become of a request, and why.
#[derive(Debug)]
pub struct Explanation {
    /// The moment at which it would come.
    pub at: UnixTime,
    /// The request as the gateway reads it.
    pub request: Vec<Line>,
    /// In the order of the decision.
    pub stages: Vec<Stage>,
    /// What becomes of it.
    pub verdict: Verdict,
    /// The issuer against whose rules the token was held.
    pub issuer: Option<IssuerName>,
    /// What whoever asked has to say besides: where keys came from, for instance.
    pub notes: Vec<String>,
}

/// One stage.
#[derive(Debug)]
pub struct Stage {
    /// Its name.
    pub name: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// What it found.
    pub lines: Vec<Line>,
}

/// How a stage ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The request went on.
    Passed,
    /// The request was refused here.
    Denied,
    /// It was refused before.
    NotReached,
    /// There is nothing to do for such a request.
    NotApplicable,
}

/// One thing that a stage found.
#[derive(Debug)]
pub struct Line {
    /// What it is.
    pub name: &'static str,
    /// For people.
    pub text: String,
    /// For programs.
    pub value: Value,
    /// Where the configuration says so.
    pub place: Option<Cite>,
    /// What of the store says so.
    pub record: Option<StoreRecord>,
}

/// Something that lives at run time: the configuration has no line for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreRecord {
    /// What it is.
    pub kind: &'static str,
    /// Its id in the admin API.
    pub id: String,
}

/// A citation of the configuration.
#[derive(Debug, Clone)]
pub struct Cite {
    /// Where it stands.
    pub spot: Spot,
    /// The key, from the top: `issuer.leeway`.
    pub key: String,
    /// The key is absent, its default holds; the place is that of its table.
    pub default: bool,
}

/// What becomes of the request.
#[derive(Debug)]
pub enum Verdict {
    /// It goes to the upstream.
    Permitted,
    /// It is refused.
    Denied(Box<Denied>),
}

/// A refusal.
#[derive(Debug)]
pub struct Denied {
    /// The stage that refused.
    pub stage: &'static str,
    /// The status of the answer.
    pub status: u16,
    /// Its code.
    pub code: &'static str,
    /// The precise reason.
    pub reason: &'static str,
    /// What the caller reads.
    pub detail: &'static str,
    /// What the reason means.
    pub meaning: &'static str,
    /// `WWW-Authenticate`
    pub challenge: Option<String>,
    /// `Allow`
    pub allow: Option<String>,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u32>,
    /// What decided it.
    pub place: Option<Cite>,
    /// What of the store decided it.
    pub record: Option<StoreRecord>,
    /// What may be done about it.
    pub hint: Option<String>,
}

// === impl Explanation ===

impl Explanation {
    /// Whether the request may pass.
    pub const fn is_permitted(&self) -> bool {
        matches!(self.verdict, Verdict::Permitted)
    }

    /// Whether it is denied for want of the issuer's keys.
    pub fn lacks_keys(&self) -> bool {
        matches!(&self.verdict, Verdict::Denied(denied) if denied.code == Code::KeysUnavailable.word())
    }

    /// One JSON object; the members of `docs/explain.md`.
    pub fn to_json(&self) -> Value {
        let stages: Vec<Value> = self.stages.iter().map(Stage::to_json).collect();
        let (verdict, denial) = match &self.verdict {
            Verdict::Permitted => ("permitted", Value::Null),
            Verdict::Denied(denied) => ("denied", denied.to_json()),
        };
        let mut request = Map::new();
        for line in &self.request {
            request.insert(line.name.to_owned(), line.value.clone());
        }
        json!({
            "verdict": verdict,
            "at": words::moment(self.at),
            "request": request,
            "stages": stages,
            "denial": denial,
            "notes": self.notes,
        })
    }
}

// === impl Stage ===

impl Stage {
    fn to_json(&self) -> Value {
        let facts: Vec<Value> = self.lines.iter().map(Line::to_json).collect();
        json!({ "stage": self.name, "outcome": self.outcome.word(), "facts": facts })
    }
}

// === impl Outcome ===

impl Outcome {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Denied => "denied",
            Self::NotReached => "not_reached",
            Self::NotApplicable => "not_applicable",
        }
    }
}

// === impl Line ===

impl Line {
    pub(super) fn new(name: &'static str, text: impl Into<String>, value: impl Into<Value>) -> Self {
        Self {
            name,
            text: text.into(),
            value: value.into(),
            place: None,
            record: None,
        }
    }

    /// A line whose text is its value.
    pub(super) fn plain(name: &'static str, text: impl Into<String>) -> Self {
        let text = text.into();
        Self::new(name, text.clone(), text)
    }

    pub(super) fn at(mut self, place: Option<Cite>) -> Self {
        self.place = place;
        self
    }

    pub(super) fn of(mut self, record: Option<StoreRecord>) -> Self {
        self.record = record;
        self
    }

    fn to_json(&self) -> Value {
        let place = self.place.as_ref().map(Cite::to_json);
        let record = self.record.as_ref().map(StoreRecord::to_json);
        json!({ "fact": self.name, "text": self.text, "value": self.value, "place": place, "record": record })
    }
}

// === impl StoreRecord ===

impl StoreRecord {
    fn to_json(&self) -> Value {
        json!({ "kind": self.kind, "id": self.id })
    }
}

// === impl Cite ===

impl Cite {
    fn to_json(&self) -> Value {
        json!({
            "file": self.spot.file.display().to_string(),
            "line": self.spot.line,
            "column": self.spot.column,
            "key": self.key,
            "default": self.default,
        })
    }
}

// === impl Denied ===

impl Denied {
    fn to_json(&self) -> Value {
        json!({
            "stage": self.stage,
            "status": self.status,
            "code": self.code,
            "reason": self.reason,
            "detail": self.detail,
            "meaning": self.meaning,
            "challenge": self.challenge,
            "allow": self.allow,
            "retry_after": self.retry_after,
            "place": self.place.as_ref().map(Cite::to_json),
            "record": self.record.as_ref().map(StoreRecord::to_json),
            "hint": self.hint,
        })
    }
}

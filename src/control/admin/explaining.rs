//! What would become of a request, asked of the gateway that runs. The control plane does not know how decisions are made
//! or explained; whoever puts the gateway together hands that in ([`Explain`]).
//!
//! A question may hold a token or an API key. It is read from a body and not from a line, nothing of it is logged, and
//! what is said about a question that is none repeats no value.

use std::net::IpAddr;

use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{Answer, Call};
use super::openapi::object;
use super::problem::Problem;
use crate::secret::Secret;
use crate::time::UnixTime;

/// Explains decisions.
pub trait Explain: Send + Sync {
    /// The explanation as JSON.
    ///
    /// # Errors
    /// Why the question is no request, in a sentence that repeats no value.
    fn explain(&self, question: Question) -> Result<Value, String>;
}

/// What an operator asks about.
#[derive(Debug)]
pub struct Question {
    /// The method.
    pub method: String,
    /// Path and query, or a whole URL.
    pub url: String,
    /// `Host`, if not that of the URL.
    pub host: Option<String>,
    /// Header fields.
    pub headers: Vec<(String, Secret<String>)>,
    /// The bearer token.
    pub token: Option<Secret<String>>,
    /// The address of the caller.
    pub client_ip: Option<IpAddr>,
    /// When it would come; now, if nothing is said.
    pub at: Option<UnixTime>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    #[serde(default = "get")]
    method: String,
    url: String,
    host: Option<String>,
    #[serde(default)]
    headers: Vec<Field>,
    token: Option<String>,
    client_ip: Option<IpAddr>,
    at: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Field {
    name: String,
    value: String,
}

fn get() -> String {
    "GET".to_owned()
}

pub(super) fn run(call: &Call) -> Result<Answer, Problem> {
    let Body {
        method,
        url,
        host,
        headers,
        token,
        client_ip,
        at,
    } = call.json()?;
    let at = at.map(|at| at.parse::<jiff::Timestamp>());
    let at = at.transpose().map_err(|_| {
        Problem::invalid("`at` is a time as RFC 3339 writes it, such as 2026-01-31T12:00:00Z")
    })?;
    let fields = headers.into_iter();
    let question = Question {
        method,
        url,
        host,
        headers: fields
            .map(|Field { name, value }| (name, Secret::new(value)))
            .collect(),
        token: token.map(|token| Secret::new(token.trim().to_owned())),
        client_ip,
        at: at.map(|at| UnixTime::from_millis(at.as_millisecond())),
    };
    let explained = call.api.explain.explain(question).map_err(Problem::invalid)?;
    Answer::ok(&explained)
}

/// What is asked.
pub(super) fn question_schema() -> Value {
    let text = json!({ "type": "string" });
    let field = object(json!({ "name": text, "value": text }), &["name", "value"]);
    object(
        json!({
            "method": { "type": "string", "default": "GET" },
            "url": text, "host": text,
            "headers": { "type": "array", "items": field },
            "token": { "type": "string", "writeOnly": true },
            "client_ip": text,
            "at": { "type": "string", "format": "date-time" },
        }),
        &["url"],
    )
}

/// What is answered: `docs/explain.md` has the rest.
pub(super) fn schema() -> Value {
    let any = json!({ "type": "object" });
    object(
        json!({
            "verdict": { "enum": ["permitted", "denied"] },
            "at": { "type": "string", "format": "date-time" },
            "request": any,
            "stages": { "type": "array", "items": any },
            "denial": { "type": ["object", "null"] },
            "notes": { "type": "array", "items": { "type": "string" } },
        }),
        &["verdict", "at", "request", "stages", "denial", "notes"],
    )
}

//! Why a request to the admin API came to nothing.
//! The kinds differ in what whoever sent it must know: that nothing was done, or that it is not known.

use super::AdminUrl;
use crate::control::fetch::{causes, chain};

/// Why there is no answer that says "done".
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nothing was sent.
    #[error("the client cannot be made: {detail}")]
    Client {
        /// Why.
        detail: String,
    },
    /// No connection: nothing was sent.
    #[error("{url} is not reached: {detail}")]
    Unreachable {
        /// Where.
        url: String,
        /// Why.
        detail: String,
    },
    /// It was sent, or part of it, and what became of it is not known.
    #[error("{url} has not answered: {detail}")]
    Unanswered {
        /// Where.
        url: String,
        /// Why.
        detail: String,
    },
    /// Something else than an admin API answers.
    #[error("{url} is no admin API: it answered with status {status}, {what}")]
    Foreign {
        /// Where.
        url: String,
        /// With which status.
        status: u16,
        /// What is wrong with the answer.
        what: &'static str,
    },
    /// The gateway says no.
    #[error("{} {}: {}", .0.status, .0.title, .0.detail)]
    Refused(Problem),
}

/// What the admin API says when it does not do what it is asked (RFC 9457). Texts may be anything.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct Problem {
    /// The status of the answer, whatever the document says.
    #[serde(skip)]
    pub status: u16,
    /// The status in words.
    pub title: String,
    /// Which of a closed set.
    pub code: String,
    /// A sentence.
    pub detail: String,
    /// `about:blank` of the admin API; the gateway's listeners say otherwise.
    #[serde(rename = "type", default)]
    pub kind: String,
}

// === impl Problem ===

impl Problem {
    /// `None` if it is none of an admin API.
    pub(super) fn parse(status: u16, text: &str) -> Option<Self> {
        let problem: Self = serde_json::from_str(text).ok()?;
        (problem.kind == "about:blank").then_some(Self { status, ..problem })
    }
}

// === impl AskError ===

impl AskError {
    /// No head of an answer came.
    pub(super) fn unanswered(url: &AdminUrl, error: reqwest::Error) -> Self {
        let error = error.without_url();
        let (url, detail) = (url.to_string(), chain(&error));
        // A server that wants another certificate says so after the handshake, and before it reads.
        let handshake = causes(&error).any(|cause| cause.is::<rustls::Error>());
        if error.is_connect() || handshake {
            Self::Unreachable { url, detail }
        } else {
            Self::Unanswered { url, detail }
        }
    }

    /// The head came, the rest did not.
    pub(super) fn cut_short(url: &AdminUrl, error: reqwest::Error) -> Self {
        Self::Unanswered {
            url: url.to_string(),
            detail: chain(&error.without_url()),
        }
    }
}

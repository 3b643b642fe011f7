//! Refusals and failures as HTTP: `application/problem+json` (RFC 9457), written without closing the connection.
//!
//! Who speaks gRPC gets the same facts in that protocol's way (`grpc`). A body never carries a token, a key, an address or a parser's message. Pingora's own error pages close the
//! connection; under attack that would cost good callers behind the same proxy theirs, so pages are written here.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, Method};
use pingora::Result;
use pingora::http::ResponseHeader;
use pingora::proxy::Session;
use serde::Serialize;

use super::context::Context;
use super::deprecated::Notice;
use super::grpc;
use super::limited::Standing;
use crate::access::{Answer, Code, Denial};

/// How long a caller waits before asking an unreachable upstream again, in seconds.
const UPSTREAM_RETRY_SECONDS: u32 = 1;

/// An answer of the gateway's own.
pub(super) struct Page {
    code: Code,
    challenge: Option<String>,
    allow: Option<String>,
    retry_after: Option<u32>,
    request_id_header: HeaderName,
    request_id: String,
    /// The precise reason, where operators let callers see it.
    reason: Option<&'static str>,
    /// What there is to say of the plan under which it is answered.
    notice: Notice,
    /// What there is to say of the limits that the request came by.
    standing: Option<Standing>,
}

/// RFC 9457 section 3.
#[derive(Serialize)]
struct Problem<'p> {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: &'static str,
    request_id: &'p str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

// === impl Page ===

impl Page {
    /// The answer to a request that was refused.
    pub(super) fn of_denial(denial: &Denial, context: &Context) -> Self {
        let verbose = context.live.snapshot.http.verbose_errors;
        Self {
            reason: verbose.then(|| denial.reason()),
            notice: (denial.under().map(|plan| Notice::of(plan, context.now))).unwrap_or_default(),
            ..Self::new(denial.answer(), context)
        }
    }

    /// The answer to a request that was permitted and then failed.
    pub(super) fn of_failure(code: Code, context: &Context) -> Self {
        let answer = match code {
            Code::UpstreamUnavailable => Answer::new(code).retry_after(UPSTREAM_RETRY_SECONDS),
            _ => Answer::new(code),
        };
        let notice = context
            .granted()
            .map(|granted| Notice::of(granted.plan, granted.permit.decided_at()))
            .unwrap_or_default();
        Self {
            notice,
            ..Self::new(answer, context)
        }
    }

    fn new(answer: Answer<'_>, context: &Context) -> Self {
        let Answer {
            code,
            challenge,
            allow,
            retry_after,
        } = answer;
        Self {
            code,
            challenge: challenge.map(|challenge| challenge.value()),
            allow: allow.map(ToOwned::to_owned),
            retry_after,
            request_id_header: context.live.snapshot.http.request_id_header.clone(),
            request_id: context.request_id.clone(),
            reason: None,
            notice: Notice::default(),
            standing: Standing::of(context),
        }
    }

    /// The code that it tells.
    pub(super) const fn code(&self) -> Code {
        self.code
    }

    /// Writes the answer.
    pub(super) async fn send(self, session: &mut Session) -> Result<()> {
        let request = session.req_header();
        let (mut header, body) = if grpc::is_asked_for(&request.headers) {
            (grpc::header(self.code, self.reason)?, Vec::new())
        } else {
            self.problem()?
        };
        let no_body = body.is_empty() || request.method == Method::HEAD;
        header.set_content_length(body.len())?;
        self.notice.write(&mut header)?;
        if let Some(standing) = self.standing {
            standing.write(&mut header)?;
        }
        header.insert_header(CACHE_CONTROL, "no-store")?;
        header.insert_header(self.request_id_header, self.request_id)?;
        if let Some(challenge) = self.challenge {
            header.insert_header(WWW_AUTHENTICATE, challenge)?;
        }
        if let Some(allow) = self.allow {
            header.insert_header(ALLOW, allow)?;
        }
        if let Some(seconds) = self.retry_after {
            header.insert_header(RETRY_AFTER, seconds.to_string())?;
        }
        session.write_response_header(Box::new(header), no_body).await?;
        if !no_body {
            session.write_response_body(Some(Bytes::from(body)), true).await?;
        }
        Ok(())
    }

    /// A header without what every answer has, and the body.
    fn problem(&self) -> Result<(ResponseHeader, Vec<u8>)> {
        let problem = Problem {
            kind: format!("urn:tollgate:problem:{}", self.code.word()),
            title: self.code.title(),
            status: self.code.status(),
            code: self.code.word(),
            detail: self.code.detail(),
            request_id: &self.request_id,
            reason: self.reason,
        };
        // Strings and a number: this cannot fail, and an empty body would still be a correct answer.
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut header = ResponseHeader::build_no_case(self.code.status(), Some(8))?;
        header.insert_header(CONTENT_TYPE, "application/problem+json")?;
        Ok((header, body))
    }
}

//! Who may speak to the admin API: whoever shows what is configured - the token, a certificate, or both - under a name
//! that is ours.
//!
//! The token comes first, and is asked for everything, so that a stranger cannot tell a path from none. The `Host` is
//! judged because of browsers: a page whose name is made to resolve to this machine speaks to us from inside, but under
//! its own name. There are no CORS headers, so no page of another origin can send the token or read an answer. But a
//! browser shows an operator's certificate by itself, whichever page has it send a request; so a request that changes
//! something, and says that it comes from a page (`Origin`, `Sec-Fetch-Site`), is refused.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{AUTHORIZATION, HOST, HeaderName, ORIGIN};

use super::problem::Problem;
use super::sign_ins::{SignIn, SignIns};
use crate::control::door::{Connection, beginning, hexadecimal};
use crate::control::private_file::{self, PrivateFileError};
use crate::control::registrar::Actor;
use crate::subscription::ApiKeySecret;

/// From where a browser sends (Fetch Metadata, section 2.3).
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The admin token, as its digest: what is compared has one length, whatever is shown.
pub struct AdminToken([u8; 32]);

/// What an operator must show: all of it. That nothing is asked for cannot be configured, and is nobody let in.
#[derive(Default)]
pub struct Demands {
    /// The token, and who shows it.
    pub token: Option<(AdminToken, Actor)>,
    /// A certificate, which TLS has verified.
    pub certificate: bool,
}

/// What everybody must get past.
pub(super) struct Guard {
    demands: Demands,
    hosts: Vec<String>,
    sign_ins: Arc<SignIns>,
}

/// The token in this file, which is made if there is none.
///
/// # Errors
/// When the file cannot be used.
pub fn open_token(path: &Path) -> Result<AdminToken, PrivateFileError> {
    let token = match private_file::read(path)? {
        Some(token) => token,
        None => {
            let token = private_file::make(path)?;
            tracing::info!(event = "admin_token_made", path = %path.display(), "a token for the admin API was made");
            token
        }
    };
    Ok(AdminToken::of(token.expose()))
}

// === impl AdminToken ===

impl AdminToken {
    pub(super) fn of(token: &str) -> Self {
        let mut bytes = [0; 32];
        for (to, from) in bytes.iter_mut().zip(digest(&SHA256, token.as_bytes()).as_ref()) {
            *to = *from;
        }
        Self(bytes)
    }

    /// Whoever shows it, for the audit log: enough of a hash to tell one token from the next. It is under the store's
    /// secret: without that, whoever reads the log cannot even try guesses at a token that somebody chose.
    pub fn actor(&self, secret: &ApiKeySecret) -> Actor {
        // No API key holds a space, so this is the hash of none.
        let hash = secret.hash(&format!("operator {}", hexadecimal(&self.0)));
        Actor(format!("admin:{}", beginning(&hash)))
    }

    fn is(&self, shown: &str) -> bool {
        verify_slices_are_equal(&self.0, &Self::of(shown).0).is_ok()
    }
}

// === impl Guard ===

impl Guard {
    /// With the names under which a listener at this address is called.
    pub(super) fn new(
        demands: Demands,
        sign_ins: Arc<SignIns>,
        address: SocketAddr,
        configured: &[String],
    ) -> Self {
        let port = address.port();
        let mut hosts = vec![address.to_string()];
        for name in ["localhost", "127.0.0.1", "[::1]"] {
            hosts.push(format!("{name}:{port}"));
        }
        hosts.extend(configured.iter().cloned());
        Self {
            demands,
            hosts,
            sign_ins,
        }
    }

    /// Who shows everything that is asked for. A certificate says more of somebody than the token that all share.
    fn identify(&self, request: &Request, connection: Option<&Connection>) -> Result<Actor, SignIn> {
        let mut actor = None;
        if let Some((token, bearer_of_it)) = &self.demands.token {
            let mut shown = request.headers().get_all(AUTHORIZATION).iter();
            let shown = match (shown.next(), shown.next()) {
                (Some(value), None) => value.to_str().ok().and_then(bearer),
                _ => None,
            };
            if !shown.is_some_and(|shown| token.is(shown)) {
                return Err(SignIn::Unauthorized);
            }
            actor = Some(bearer_of_it.clone());
        }
        // What was verified before they changed might not be verified now.
        if connection.is_some_and(Connection::is_outdated) {
            return Err(SignIn::Reconnect);
        }
        if self.demands.certificate {
            let shown = connection.and_then(|connection| connection.shown.as_ref());
            let shown = shown.ok_or(SignIn::Unauthorized)?;
            actor = Some(Actor(shown.name().to_owned()));
        }
        actor.ok_or(SignIn::Unauthorized)
    }

    fn judge(&self, request: &Request, connection: Option<&Connection>) -> Result<Actor, SignIn> {
        let actor = self.identify(request, connection)?;
        let mut named = request.headers().get_all(HOST).iter();
        let host = match (named.next(), named.next()) {
            (Some(host), None) => host.to_str().ok(),
            _ => None,
        };
        let ours = |host: &str| self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host));
        if !host.is_some_and(ours) {
            return Err(SignIn::WrongHost);
        }
        if !request.method().is_safe() && is_of_a_page(request) {
            return Err(SignIn::CrossOrigin);
        }
        Ok(actor)
    }

    /// What is said to somebody who is turned away.
    fn problem(&self, outcome: SignIn) -> Problem {
        match outcome {
            SignIn::Admitted | SignIn::Unauthorized | SignIn::HandshakeFailed => {
                Problem::unauthorized(self.demands.token.is_some())
            }
            SignIn::Reconnect => Problem::reconnect(),
            SignIn::WrongHost => Problem::wrong_host(),
            SignIn::CrossOrigin => Problem::cross_origin(),
        }
    }
}

pub(super) async fn guard(State(guard): State<Arc<Guard>>, mut request: Request, next: Next) -> Response {
    let connection = request.extensions_mut().remove::<Arc<Connection>>();
    let judged = guard.judge(&request, connection.as_deref());
    let outcome = judged.as_ref().err().copied().unwrap_or(SignIn::Admitted);
    guard
        .sign_ins
        .note(outcome, connection.as_deref().and_then(|own| own.peer));
    match judged {
        Ok(actor) => {
            let _busy = connection.map(|connection| connection.progress.begin());
            request.extensions_mut().insert(actor);
            next.run(request).await
        }
        Err(outcome) => guard.problem(outcome).into_response(),
    }
}

/// Whether a page in a browser has it sent. One that an operator has typed in (`none`) changes nothing, and ours has no
/// pages; but neither tells anything against the request.
fn is_of_a_page(request: &Request) -> bool {
    let headers = request.headers();
    let mut sites = headers.get_all(SEC_FETCH_SITE).iter();
    headers.contains_key(ORIGIN) || !sites.all(|site| site == "none" || site == "same-origin")
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then_some(token)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::StatusCode;
    use axum::http::header::WWW_AUTHENTICATE;

    use super::*;
    use crate::telemetry::Telemetry;

    #[test]
    fn whoever_is_turned_away_is_told_what_is_asked_for() {
        let telemetry = Telemetry::new("test").unwrap();
        for (token, certificate, said, challenge) in [
            (true, false, "the admin token", true),
            (true, true, "the admin token", true),
            (false, true, "a certificate", false),
        ] {
            let demands = Demands {
                token: token.then(|| (AdminToken::of("token"), Actor("admin".to_owned()))),
                certificate,
            };
            let sign_ins = Arc::new(SignIns::new(&telemetry));
            let guard = Guard::new(demands, sign_ins, "127.0.0.1:9180".parse().unwrap(), &[]);
            let outcome = guard.judge(&Request::new(Body::empty()), None).unwrap_err();
            let problem = guard.problem(outcome);
            assert!(format!("{problem:?}").contains(said), "{problem:?}");
            let answer = problem.into_response();
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
            let told = answer.headers().contains_key(WWW_AUTHENTICATE);
            assert_eq!(told, challenge, "{said}");
        }
    }
}

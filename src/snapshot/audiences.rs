//! Whom tokens must be for: what issuers and plans say of it, put together for each plan.
//!
//! `audiences` of a plan stands in place of everything that the issuer says; `audience_from` adds to what there is. So
//! a plan that lists its audiences accepts those and no others, whatever is written elsewhere.

use super::{mistake, refused};
use crate::config::{self, AudienceSource, Located, Mistake, Mistakes};
use crate::token::{AcceptedAudiences, Audiences};

/// What an issuer or a plan says of audiences.
#[derive(Debug, Default)]
pub(super) struct Said {
    listed: Option<AcceptedAudiences>,
    /// The audience of the gateway.
    gateway: Option<Box<str>>,
    application: bool,
    request_uri: bool,
}

// === impl Said ===

impl Said {
    pub(super) fn new(
        audiences: Option<Located<config::Audiences>>,
        audience_from: &[Located<AudienceSource>],
        gateway: Option<&str>,
        mistakes: &mut Mistakes,
    ) -> Self {
        let mut said = Self {
            listed: audiences.map(|audiences| match audiences.value {
                config::Audiences::DangerAcceptAny => AcceptedAudiences::DangerAny,
                config::Audiences::AnyOf(list) => {
                    AcceptedAudiences::AnyOf(list.into_iter().map(|audience| audience.value.into()).collect())
                }
            }),
            ..Self::default()
        };
        if let (true, Some(first)) = (said.accepts_any(), audience_from.first()) {
            let message = "`audience_from` adds nothing to \"danger-accept-any\"";
            mistakes.push(Mistake::new(first.place.clone(), message).help("keep one"));
        }
        for source in audience_from {
            match source.value {
                AudienceSource::Gateway => {
                    said.gateway = gateway.map(Into::into);
                    if gateway.is_none() {
                        let message = "\"gateway\" in `audience_from` needs `audience` in [server]";
                        mistakes.push(Mistake::new(source.place.clone(), message));
                        // One mistake is enough: it is not that nothing was said.
                        said.gateway = Some("".into());
                    }
                }
                AudienceSource::Application => said.application = true,
                AudienceSource::RequestUri => said.request_uri = true,
            }
        }
        said
    }

    /// Whether it is "danger-accept-any".
    pub(super) const fn accepts_any(&self) -> bool {
        matches!(self.listed, Some(AcceptedAudiences::DangerAny))
    }

    /// Whether audiences are listed, so that the issuer's do not count.
    pub(super) const fn lists(&self) -> bool {
        self.listed.is_some()
    }

    const fn is_silent(&self) -> bool {
        self.listed.is_none() && self.gateway.is_none() && !self.application && !self.request_uri
    }
}

/// Of issuer and plan, what counts.
fn counting<'s>(issuer: &'s Said, plan: &'s Said) -> impl Iterator<Item = &'s Said> + Clone {
    let issuer = (!plan.lists()).then_some(issuer);
    issuer.into_iter().chain([plan]).filter(|said| !said.is_silent())
}

/// Whether anybody asks for the API's public URI.
pub(super) fn ask_for_uri(issuer: &Said, plan: &Said) -> bool {
    counting(issuer, plan).any(|said| said.request_uri)
}

/// What a plan accepts in tokens of an issuer; nothing if neither says anything.
pub(super) fn accepted(
    issuer: &Said,
    plan: &Said,
    optional: bool,
    public_uri: Option<&str>,
) -> Option<Audiences> {
    let counting = counting(issuer, plan);
    counting.clone().next()?;
    if counting.clone().any(Said::accepts_any) {
        return Some(Audiences {
            accepted: AcceptedAudiences::DangerAny,
            of_application: false,
            optional,
        });
    }
    let mut list: Vec<Box<str>> = Vec::new();
    let mut of_application = false;
    for said in counting {
        if let Some(AcceptedAudiences::AnyOf(listed)) = &said.listed {
            list.extend(listed.iter().cloned());
        }
        list.extend(said.gateway.clone());
        if said.request_uri {
            list.extend(public_uri.map(Into::into));
        }
        of_application |= said.application;
    }
    list.sort_unstable();
    list.dedup();
    Some(Audiences {
        accepted: AcceptedAudiences::AnyOf(list),
        of_application,
        optional,
    })
}

/// How callers name an API: an absolute URI without a fragment (RFC 8707 section 2), compared as it is written.
pub(super) fn public_uri(written: Option<Located<String>>, mistakes: &mut Mistakes) -> Option<Box<str>> {
    let written = written?;
    match url::Url::parse(&written.value) {
        Err(_) => mistakes.push(
            mistake(&written, "the public URI", "is no absolute URI")
                .help("write it as callers do: \"https://api.example.com/orders\""),
        ),
        Ok(url) if url.fragment().is_some() => mistakes.push(refused(
            &written,
            "the public URI",
            "a fragment has no place in it (RFC 8707 section 2)",
        )),
        Ok(_) => {}
    }
    Some(written.value.into())
}

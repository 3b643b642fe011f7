//! Where plans look for API keys.
//!
//! What is found there is a key and nothing else: were the same place one for tokens of another plan, a request would
//! carry two credentials in one text.

use super::mistake;
use super::server::HttpSettings;
use super::token_from::{header_is_free, place};
use crate::api::{ClaimHeader, Security};
use crate::config::{self, Located, Mistake, Mistakes};
use crate::credential::{Source, SourceKind};

/// The header where keys are unless a plan says otherwise.
const HEADER: &str = "X-Api-Key";

/// The places of a plan for API keys.
pub(super) fn compile(
    written: Option<&Located<config::ApiKey>>,
    claim_headers: &[ClaimHeader],
    http: &HttpSettings,
    mistakes: &mut Mistakes,
) -> Vec<Source> {
    let (header, query) = match written.map(|written| &written.value) {
        Some(config::ApiKey { header, query }) => (header.as_ref(), query.as_ref()),
        None => (None, None),
    };
    let mut sources = Vec::new();
    match header {
        Some(name) if header_is_free(name, claim_headers, http, mistakes) => {
            sources.extend(place(SourceKind::Header, name, mistakes));
        }
        Some(_) => {}
        None => sources.extend(Source::new(SourceKind::Header, HEADER).ok()),
    }
    sources.extend(query.and_then(|name| place(SourceKind::Query, name, mistakes)));
    sources
}

/// Plans of other kinds have no API keys.
pub(super) fn refuse(written: Option<&Located<config::ApiKey>>, security: Security, mistakes: &mut Mistakes) {
    if let Some(written) = written {
        let message = format!(
            "`api_key` means nothing where `security` is \"{}\"",
            security.name()
        );
        mistakes.push(Mistake::new(written.place.clone(), message));
    }
}

/// No place of an API is one for tokens and one for API keys.
pub(super) fn tell_apart<'p>(
    api: &Located<String>,
    plans: impl Iterator<Item = (Security, &'p [Source])> + Clone,
    mistakes: &mut Mistakes,
) {
    let of = |wanted: Security| {
        let plans = plans.clone().filter(move |(security, _)| *security == wanted);
        plans.flat_map(|(_, sources)| sources)
    };
    let mut keys: Vec<&Source> = of(Security::ApiKey).collect();
    keys.sort();
    keys.dedup();
    for source in keys {
        if of(Security::Jwt)
            .chain(of(Security::OAuth2))
            .any(|own| own == source)
        {
            let says = format!("looks for tokens and for API keys in one place: {source}");
            mistakes.push(mistake(api, "the API", says));
        }
    }
}

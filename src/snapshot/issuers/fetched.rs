//! Keys that are fetched: from where, by what way, how often, and what an operator has approved of them.
//!
//! A file of authorities is read here, so that one which cannot be used is a mistake with a place. A file of approvals
//! that cannot be read only approves nothing: it must not stop a gateway from starting in the middle of an incident.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::{Inputs, mistake};
use crate::config::{self, Located, Mistake, Mistakes};
use crate::id::IssuerName;
use crate::issuer::{
    Approval, Approvals, Authorities, JwksSchedule, JwksUrlError, KeyAddress, KeySource, ProxyUrl, Ring,
    Terms, Via,
};

/// The URL that is asked first, and what it answers.
pub(super) enum Whence {
    Jwks(Located<String>),
    Discovery(Located<String>),
}

pub(super) fn compile(
    id: &IssuerName,
    whence: Whence,
    jwks: config::Jwks,
    approval: Option<Approval>,
    inputs: Inputs<'_>,
    mistakes: &mut Mistakes,
) -> Option<(KeySource, Arc<Ring>)> {
    let config::Jwks {
        url: _,  // the same as `whence`, or absent
        file: _, // absent
        refresh_interval,
        cooldown,
        wait,
        stale_after,
        danger_allow_http,
        follow_redirects,
        ca_file,
        proxy,
        allow_full_replacement,
    } = jwks;
    let before = mistakes.len();
    let via = Via {
        authorities: ca_file.and_then(|file| authorities(&file, inputs, mistakes)),
        proxy: proxy.and_then(|proxy| through(&proxy, mistakes)),
        follow_redirects,
        danger_allow_http,
    };
    let address = match whence {
        Whence::Jwks(url) => via
            .url(&url.value)
            .map(KeyAddress::Jwks)
            .map_err(|error| (url, error)),
        Whence::Discovery(url) => via
            .url(&url.value)
            .map(KeyAddress::Discovery)
            .map_err(|error| (url, error)),
    };
    let refused =
        |(url, error): (Located<String>, JwksUrlError)| mistakes.push(mistake(&url, "the URL", error));
    let address = address.map_err(refused).ok()?;
    if mistakes.len() > before {
        return None;
    }
    let ring = inputs.key_ring.ring(id, &address);
    let schedule = JwksSchedule {
        address,
        via,
        refresh_interval,
        cooldown,
        wait,
        stale_after,
        terms: Terms {
            allow_full_replacement,
            approval,
        },
    };
    Some((KeySource::Jwks(Box::new(schedule)), ring))
}

/// The proxy that an operator names; nothing, if it is none.
pub(super) fn through(proxy: &Located<String>, mistakes: &mut Mistakes) -> Option<ProxyUrl> {
    ProxyUrl::parse(&proxy.value)
        .map_err(|error| mistakes.push(mistake(proxy, "the proxy", error)))
        .ok()
}

pub(super) fn authorities(
    file: &Located<PathBuf>,
    inputs: Inputs<'_>,
    mistakes: &mut Mistakes,
) -> Option<Authorities> {
    let text = inputs.files.read(&file.value).map_err(|error| error.to_string());
    let read = text.and_then(|text| Authorities::from_pem(&text).map_err(|error| error.to_string()));
    read.map_err(|error| {
        let path = file.value.display();
        let message = format!("the file of authorities {path} cannot be used: {error}");
        mistakes.push(Mistake::new(file.place.clone(), message));
    })
    .ok()
}

/// Where approvals are: where the operator says, else beside the main file, under its name with `.approvals` for the
/// extension, so that no `include` of `*.toml` takes it for configuration.
pub(in crate::snapshot) fn approvals_path(keys: &config::Keys, main: &Path) -> PathBuf {
    let config::Keys { approvals } = keys;
    match approvals {
        Some(path) => path.value.clone(),
        None => main.with_extension("approvals"),
    }
}

/// What was approved; nothing, if there is no such file. One that cannot be read approves nothing and holds nothing up:
/// it is written in a hurry, by people, while something else is wrong.
pub(in crate::snapshot) fn approvals(
    path: &Path,
    issuers: &[config::Issuer],
    inputs: Inputs<'_>,
    warnings: &mut Vec<String>,
) -> Approvals {
    let is_fetched = |issuer: &config::Issuer| {
        let url = issuer.jwks.as_ref().and_then(|jwks| jwks.value.url.as_ref());
        issuer.discovery.is_some() || url.is_some()
    };
    // Without fetched keys there is nothing to approve, and nothing to watch.
    if !issuers.iter().any(is_fetched) {
        return Approvals::default();
    }
    let read = match inputs.files.read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Approvals::default(),
        Err(error) => Err(error.to_string()),
        Ok(text) => Approvals::parse(&text).map_err(|error| error.to_string()),
    };
    read.unwrap_or_else(|error| {
        warnings.push(format!(
            "the file of approvals {} approves nothing: {error}",
            path.display()
        ));
        Approvals::default()
    })
}

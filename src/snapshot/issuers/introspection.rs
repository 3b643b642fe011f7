//! How an issuer is asked about tokens: where, as whom, and under which rules for the way there.
//!
//! The way is under the same rules as the one to keys: whoever answers decides who gets in. Besides, a secret and tokens
//! of callers are sent there, so no redirect is followed. The secret is read here, so that one which is missing is a
//! mistake with a place; it is in no message.

use super::super::{Inputs, mistake};
use super::fetched::{authorities, through};
use crate::config::{self, Mistake, Mistakes, Place};
use crate::id::IssuerName;
use crate::issuer::{Asked, ClientCredentials, ClientMethod, Introspection, JwksUrlError, Via};
use crate::secret::Secret;

/// Longer than any real one; a file named by mistake.
const SECRET_BYTES_MAX: usize = 4096;

pub(super) fn compile(
    issuer: &IssuerName,
    written: config::Introspection,
    inputs: Inputs<'_>,
    mistakes: &mut Mistakes,
) -> Option<Introspection> {
    let config::Introspection {
        url,
        client_id,
        secret,
        auth,
        required_claims,
        cache_ttl,
        negative_ttl,
        timeout,
        concurrency,
        danger_allow_http,
        ca_file,
        proxy,
    } = written;
    let before = mistakes.len();
    let via = Via {
        authorities: ca_file.and_then(|file| authorities(&file, inputs, mistakes)),
        proxy: proxy.and_then(|proxy| through(&proxy, mistakes)),
        follow_redirects: false,
        danger_allow_http,
    };
    let parsed = via.url(&url.value);
    let parsed = parsed
        .map_err(|error| mistakes.push(mistake(&url, "the URL", says(error))))
        .ok();
    let secret = client_secret(&secret, inputs, mistakes);
    if mistakes.len() > before {
        return None;
    }
    let url = parsed?;
    let client = ClientCredentials {
        id: client_id.value.into(),
        secret: secret?,
        method: match auth {
            config::IntrospectionAuth::Basic => ClientMethod::Basic,
            config::IntrospectionAuth::Post => ClientMethod::Post,
        },
    };
    let fingerprint = Asked::of(&url, &via, &client);
    Some(Introspection {
        answers: inputs.key_ring.answers(issuer, fingerprint),
        url,
        via,
        client,
        cache_ttl,
        negative_ttl,
        timeout,
        concurrency,
        required_claims: required_claims
            .into_iter()
            .map(|name| name.value.into())
            .collect(),
        fingerprint,
    })
}

/// What the rules for keys say, in words for tokens and secrets.
fn says(error: JwksUrlError) -> String {
    match error {
        JwksUrlError::PlainHttp => {
            "must be https, or http to this machine only: tokens and the client secret are sent there"
                .to_owned()
        }
        other => other.to_string(),
    }
}

fn client_secret(
    written: &config::ClientSecret,
    inputs: Inputs<'_>,
    mistakes: &mut Mistakes,
) -> Option<Secret<Box<str>>> {
    let (place, read, whence) = match written {
        config::ClientSecret::File(file) => {
            let text = inputs.files.read(&file.value).map_err(|error| error.to_string());
            let text = text.and_then(|text| String::from_utf8(text).map_err(|_| "it is no UTF-8".to_owned()));
            (&file.place, text, file.value.display().to_string())
        }
        config::ClientSecret::Variable(name) => {
            let text = inputs.files.variable(&name.value);
            let text = text.ok_or_else(|| "it is not set".to_owned());
            (&name.place, text, format!("the variable {}", name.value))
        }
    };
    let judged = read.and_then(|text| {
        let text = text.trim_end_matches(['\r', '\n']);
        match text {
            "" => Err("it is empty".to_owned()),
            _ if text.len() > SECRET_BYTES_MAX => Err(format!("it is longer than {SECRET_BYTES_MAX} bytes")),
            _ if text.contains(char::is_control) => Err("it holds control characters".to_owned()),
            _ => Ok(Secret::new(Box::from(text))),
        }
    });
    judged
        .map_err(|error| {
            let message = format!("the client secret in {whence} cannot be used: {error}");
            mistakes.push(Mistake::new(place.clone(), message));
        })
        .ok()
}

/// What is for keys, of an issuer that has none and is only asked.
pub(super) fn refuse_for_keys<'p>(
    written: impl IntoIterator<Item = (&'static str, Option<&'p Place>)>,
    mistakes: &mut Mistakes,
) {
    for (key, place) in written {
        if let Some(place) = place {
            let message = format!("`{key}` is for signed tokens, and the issuer has no keys");
            mistakes.push(Mistake::new(place.clone(), message).help("remove it, or say where the keys are"));
        }
    }
}

//! Issuers: rules, keys and claim mappings.
//! Key files are read and parsed here, so that a key which cannot be used is a mistake with a place and never a refused
//! request; keys that are fetched come later, into the ring that the issuer shares with other snapshots.

use std::sync::Arc;

use super::{Inputs, Names, mistake, secrets, skipped_keys};
use crate::config::{self, Located, Mistake, Mistakes, Place};
use crate::id::IssuerName;
use crate::identity::ClaimPath;
use crate::issuer::{Issuer, JwksSchedule, JwksUrl, KeySource, Ring};
use crate::token::{
    AcceptedAudiences, Algorithm, AlgorithmSet, Audiences, JWKS_BYTES_MAX, JWKS_KEYS_MAX, KID_BYTES_MAX, Key,
    KeySet, Rules, TokenTypes, parse_jwks,
};

/// Claims that every token must carry where an issuer names none.
const REQUIRED_CLAIMS: [&str; 4] = ["sub", "iat", "exp", "iss"];
/// Where scopes are: RFC 8693 section 4.2, and Microsoft's spelling.
const SCOPES_CLAIMS: [&str; 2] = ["scope", "scp"];
/// Where the client id is: OpenID Connect, RFC 9068, and WSO2's spelling.
const CLIENT_ID_CLAIMS: [&str; 3] = ["azp", "client_id", "consumerKey"];
/// RFC 7519 section 5.1 and RFC 9068 section 2.1.
const TOKEN_TYPES: [&str; 2] = ["JWT", "at+jwt"];
/// The key id, among an issuer's own key files, of the key for tokens that name none.
const DEFAULT_KID: &str = "default";

/// An issuer, and what plans need to know of it besides.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) issuer: Arc<Issuer>,
    /// `None` when the issuer leaves audiences to its plans.
    pub(super) audiences: Option<AcceptedAudiences>,
    pub(super) audience_optional: bool,
    pub(super) renames: Vec<(ClaimPath, Box<str>)>,
    pub(super) scopes: Vec<ClaimPath>,
    pub(super) client_ids: Vec<ClaimPath>,
}

pub(super) fn compile(
    issuers: Vec<config::Issuer>,
    inputs: Inputs<'_>,
    warnings: &mut Vec<String>,
    mistakes: &mut Mistakes,
) -> Vec<Draft> {
    let mut names = Names::default();
    let mut drafts = Vec::new();
    for issuer in issuers {
        let new = names.claim("the issuer", &issuer.name.value, &issuer.name.place, mistakes);
        let draft = draft(issuer, drafts.len(), inputs, warnings, mistakes);
        if new {
            drafts.push(draft);
        }
    }
    drafts
}

fn draft(
    issuer: config::Issuer,
    index: usize,
    inputs: Inputs<'_>,
    warnings: &mut Vec<String>,
    mistakes: &mut Mistakes,
) -> Draft {
    let config::Issuer {
        name,
        algorithms,
        audiences,
        audience_optional,
        jwks,
        keys,
        secrets,
        leeway,
        max_lifetime,
        required_claims,
        scopes_claim,
        client_id_claims,
        token_types,
        claim_mappings,
    } = issuer;
    let texts = |list: Option<Vec<Located<String>>>, default: &[&str]| -> Vec<String> {
        match list {
            Some(list) => list.into_iter().map(|text| text.value).collect(),
            None => default.iter().map(|text| (*text).to_owned()).collect(),
        }
    };
    let allowed = compile_algorithms(&algorithms, mistakes);
    let rules = Rules {
        issuer: name.value.as_str().into(),
        algorithms: allowed,
        token_types: TokenTypes::new(texts(token_types, &TOKEN_TYPES).iter().map(String::as_str)),
        leeway,
        max_lifetime,
        required_claims: texts(required_claims, &REQUIRED_CLAIMS)
            .into_iter()
            .map(Into::into)
            .collect(),
    };
    let paths = |texts: Vec<String>| {
        texts
            .iter()
            .map(|text| ClaimPath::parse(text))
            .collect::<Vec<_>>()
    };
    let scopes = match scopes_claim {
        Some(claim) => vec![ClaimPath::parse(&claim.value)],
        None => paths(texts(None, &SCOPES_CLAIMS)),
    };
    let client_ids = paths(texts(client_id_claims, &CLIENT_ID_CLAIMS));
    let renames = renames(claim_mappings, mistakes);
    let id = IssuerName::new(name.value.as_str());
    secrets::judge_algorithms(&algorithms, !secrets.is_empty(), mistakes);
    let found = if secrets.is_empty() {
        key_source(&name, &id, jwks, keys, inputs, warnings, mistakes)
    } else if let Some(other) = jwks.map(|jwks| jwks.place).or_else(|| first_place(&keys)) {
        let message = "an issuer has either `secrets` or public keys, never both";
        mistakes.push(Mistake::new(other, message));
        None
    } else {
        secrets::compile(secrets, allowed, inputs, mistakes)
            .map(|keys| (KeySource::Files, Arc::new(Ring::with(keys, inputs.now))))
    };
    // Without keys there is a mistake; the draft still stands for the issuer, so that plans which name it are not blamed.
    let (source, ring) = found.unwrap_or_else(|| (KeySource::Files, Arc::default()));
    Draft {
        issuer: Arc::new(Issuer {
            name: id,
            index,
            rules,
            source,
            ring,
        }),
        audiences: audiences.map(|audiences| accepted(audiences.value)),
        audience_optional,
        renames,
        scopes,
        client_ids,
    }
}

fn first_place(keys: &[config::IssuerKey]) -> Option<Place> {
    keys.first().map(|key| key.kid.place.clone())
}

fn compile_algorithms(algorithms: &Located<Vec<Located<String>>>, mistakes: &mut Mistakes) -> AlgorithmSet {
    let mut set = AlgorithmSet::default();
    for name in &algorithms.value {
        match Algorithm::parse(&name.value) {
            Some(algorithm) => set.insert(algorithm),
            None => {
                let known: Vec<&str> = Algorithm::ALL.iter().map(|algorithm| algorithm.name()).collect();
                mistakes.push(
                    mistake(name, "the algorithm", "is not supported")
                        .help(format!("algorithms are {}", known.join(", "))),
                );
            }
        }
    }
    set
}

pub(super) fn accepted(audiences: config::Audiences) -> AcceptedAudiences {
    match audiences {
        config::Audiences::DangerAcceptAny => AcceptedAudiences::DangerAny,
        config::Audiences::AnyOf(list) => {
            AcceptedAudiences::AnyOf(list.into_iter().map(|audience| audience.value.into()).collect())
        }
    }
}

// === impl Draft ===

impl Draft {
    /// What a plan accepts: its own audiences if it names any, else the issuer's.
    pub(super) fn audiences(&self, plan: Option<&AcceptedAudiences>) -> Option<Audiences> {
        let accepted = plan.or(self.audiences.as_ref())?.clone();
        Some(Audiences {
            accepted,
            optional: self.audience_optional,
        })
    }
}

fn renames(mappings: Vec<config::ClaimMapping>, mistakes: &mut Mistakes) -> Vec<(ClaimPath, Box<str>)> {
    let mut remote_names = Names::default();
    let mut local_names = Names::default();
    let mut renames = Vec::new();
    for config::ClaimMapping {
        remote_claim,
        local_claim,
    } in mappings
    {
        let remote_new = remote_names.claim(
            "the remote claim",
            &remote_claim.value,
            &remote_claim.place,
            mistakes,
        );
        let local_new = local_names.claim(
            "the local claim",
            &local_claim.value,
            &local_claim.place,
            mistakes,
        );
        if remote_new && local_new {
            renames.push((ClaimPath::parse(&remote_claim.value), local_claim.value.into()));
        }
    }
    renames
}

fn key_source(
    name: &Located<String>,
    id: &IssuerName,
    jwks: Option<Located<config::Jwks>>,
    keys: Vec<config::IssuerKey>,
    inputs: Inputs<'_>,
    warnings: &mut Vec<String>,
    mistakes: &mut Mistakes,
) -> Option<(KeySource, Arc<Ring>)> {
    let fixed = |keys: KeySet| (KeySource::Files, Arc::new(Ring::with(keys, inputs.now)));
    match (jwks, keys.is_empty()) {
        (Some(jwks), true) => {
            let config::Jwks {
                url,
                file,
                refresh_interval,
                cooldown,
                wait,
                stale_after,
                danger_allow_http,
            } = jwks.value;
            if let Some(url) = url {
                let url = match JwksUrl::parse(&url.value, danger_allow_http) {
                    Ok(url) => url,
                    Err(error) => {
                        mistakes.push(mistake(&url, "the URL", error));
                        return None;
                    }
                };
                let ring = inputs.key_ring.ring(id, &url);
                return Some((
                    KeySource::Jwks(JwksSchedule {
                        url,
                        refresh_interval,
                        cooldown,
                        wait,
                        stale_after,
                    }),
                    ring,
                ));
            }
            jwks_file(id, &file?, inputs, warnings, mistakes).map(fixed)
        }
        (None, false) => key_files(keys, inputs, mistakes).map(fixed),
        (Some(jwks), false) => {
            let message = "an issuer has either `jwks` or `keys`: keys of two sources are two issuers' keys";
            mistakes.push(Mistake::new(jwks.place, message));
            None
        }
        (None, true) => {
            mistakes.push(
                mistake(name, "the issuer", "has no keys")
                    .help("add `jwks.url`, `jwks.file` or `keys = { \"key-id\" = { file = \"key.pem\" } }`"),
            );
            None
        }
    }
}

fn jwks_file(
    id: &IssuerName,
    file: &Located<std::path::PathBuf>,
    inputs: Inputs<'_>,
    warnings: &mut Vec<String>,
    mistakes: &mut Mistakes,
) -> Option<KeySet> {
    let parsed = inputs.files.read(&file.value).map_err(|error| error.to_string());
    match parsed.and_then(|text| parse_jwks(&text).map_err(|error| error.to_string())) {
        Ok(jwks) => {
            warnings.extend(skipped_keys(id.as_str(), &jwks.skipped));
            Some(jwks.keys)
        }
        Err(error) => {
            let message = format!(
                "the key set file {} cannot be used: {error}",
                file.value.display()
            );
            mistakes.push(Mistake::new(file.place.clone(), message));
            None
        }
    }
}

fn key_files(entries: Vec<config::IssuerKey>, inputs: Inputs<'_>, mistakes: &mut Mistakes) -> Option<KeySet> {
    let count = entries.len();
    if let Some(first_too_many) = entries.get(JWKS_KEYS_MAX) {
        let message = format!("an issuer has at most {JWKS_KEYS_MAX} keys");
        mistakes.push(Mistake::new(first_too_many.kid.place.clone(), message));
        return None;
    }
    let mut keys = Vec::new();
    for config::IssuerKey { kid, file } in entries {
        if kid.value.len() > KID_BYTES_MAX {
            mistakes.push(mistake(&kid, "the key id", "is longer than 256 bytes"));
            continue;
        }
        let text = inputs.files.read(&file.value).map_err(|error| error.to_string());
        let text = text.and_then(|text| {
            if text.len() > JWKS_BYTES_MAX {
                Err("the file is larger than 1 MiB".to_owned())
            } else {
                Ok(text)
            }
        });
        match text.and_then(|text| Key::from_text(&kid.value, &text).map_err(|error| error.to_string())) {
            Ok(key) => keys.push(key),
            Err(error) => {
                let message = format!("the key file {} cannot be used: {error}", file.value.display());
                mistakes.push(Mistake::new(file.place.clone(), message));
            }
        }
    }
    if keys.len() == count {
        Some(KeySet::new(keys, Some(DEFAULT_KID)))
    } else {
        None
    }
}

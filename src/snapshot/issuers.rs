//! Issuers: rules, keys and claim mappings.
//! Key files are read and parsed here, so that a key which cannot be used is a mistake with a place and never a refused
//! request; keys that are fetched come later, into the ring that the issuer shares with other snapshots.

mod fetched;
mod introspection;
mod revocation_list;

use std::sync::Arc;

use fetched::Whence;
pub(super) use fetched::{approvals, approvals_path};

use super::audiences::Said;
use super::{Inputs, Names, claims, mistake, secrets, skipped_keys};
use crate::config::{self, Located, Mistake, Mistakes, Place};
use crate::id::IssuerName;
use crate::identity::{ClaimMap, ClaimPath};
use crate::issuer::{Approval, Approvals, Issuer, KeyFile, KeyFileKind, KeySource, Ring};
use crate::issuing::OwnKey;
use crate::token::{
    ACCESS_TOKEN_TYPE, Algorithm, AlgorithmSet, JWKS_BYTES_MAX, JWKS_KEYS_MAX, KID_BYTES_MAX, Key, KeySet,
    Profile, Rules, TokenTypes, parse_jwks,
};

/// Claims that every token must carry where an issuer names none.
const REQUIRED_CLAIMS: [&str; 4] = ["sub", "iat", "exp", "iss"];
/// Where scopes are: RFC 8693 section 4.2, and Microsoft's spelling.
const SCOPES_CLAIMS: [&str; 2] = ["scope", "scp"];
/// Where the client id is: OpenID Connect, RFC 9068, and WSO2's spelling.
const CLIENT_ID_CLAIMS: [&str; 3] = ["azp", "client_id", "consumerKey"];
/// The same where the issuer's tokens are those of RFC 9068, which has the one and leaves others undefined.
const ACCESS_TOKEN_CLIENT_ID_CLAIMS: [&str; 1] = ["client_id"];
/// RFC 7519 section 5.1 and RFC 9068 section 2.1.
const TOKEN_TYPES: [&str; 2] = ["JWT", "at+jwt"];
/// The key id, among an issuer's own key files, of the key for tokens that name none.
const DEFAULT_KID: &str = "default";

/// An issuer, and what plans need to know of it besides.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) issuer: Arc<Issuer>,
    /// It says how it is asked about tokens, rightly or wrongly.
    pub(super) asked: bool,
    /// It has no keys: that is all it is there for.
    pub(super) keyless: bool,
    pub(super) audiences: Said,
    pub(super) audience_optional: bool,
    pub(super) default_map: ClaimMap,
    pub(super) own_map: ClaimMap,
    pub(super) scopes: Vec<ClaimPath>,
    pub(super) client_ids: Vec<ClaimPath>,
    /// It is this gateway itself.
    pub(super) local: bool,
}

/// What is written once and counts for every issuer.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) default_map: ClaimMap,
    /// The gateway's.
    pub(super) audience: Option<String>,
    /// Of key sets, for all issuers.
    pub(super) approvals: Approvals,
    /// The gateway's own keys, if it is an issuer.
    pub(super) own: Option<super::token_service::Draft>,
}

pub(super) fn compile(
    issuers: Vec<config::Issuer>,
    shared: &Shared,
    inputs: Inputs<'_>,
    warnings: &mut Vec<String>,
    mistakes: &mut Mistakes,
) -> Vec<Draft> {
    let mut names = Names::default();
    let mut drafts = Vec::new();
    for issuer in issuers {
        let new = names.claim("the issuer", &issuer.name.value, &issuer.name.place, mistakes);
        let draft = draft(issuer, drafts.len(), shared, inputs, warnings, mistakes);
        if new {
            drafts.push(draft);
        }
    }
    drafts
}

fn draft(
    issuer: config::Issuer,
    index: usize,
    shared: &Shared,
    inputs: Inputs<'_>,
    warnings: &mut Vec<String>,
    mistakes: &mut Mistakes,
) -> Draft {
    let config::Issuer {
        name,
        algorithms,
        audiences,
        audience_optional,
        audience_from,
        discovery,
        jwks,
        keys,
        secrets,
        local,
        leeway,
        max_lifetime,
        revocation_list,
        required_claims,
        scopes_claim,
        client_id_claims,
        token_types,
        token_profile,
        use_default_claim_mapping,
        claim_mappings,
        introspection,
    } = issuer;
    let profile = match token_profile {
        config::TokenProfile::Jwt => Profile::Jwt,
        config::TokenProfile::Rfc9068 => {
            contradictions(token_types.as_deref(), audience_optional.as_ref(), mistakes);
            Profile::AccessToken
        }
    };
    let texts = |list: Option<Vec<Located<String>>>, default: &[&str]| -> Vec<String> {
        match list {
            Some(list) => list.into_iter().map(|text| text.value).collect(),
            None => default.iter().map(|text| (*text).to_owned()).collect(),
        }
    };
    // Without keys nothing is verified, and nothing need be said of how.
    let local = local.filter(|local| local.value);
    let keyless = introspection.is_some()
        && local.is_none()
        && discovery.is_none()
        && jwks.is_none()
        && keys.is_empty()
        && secrets.is_empty();
    if keyless {
        introspection::refuse_for_keys(
            [
                ("algorithms", algorithms.as_ref().map(|list| &list.place)),
                ("token_types", token_types.as_deref().and_then(first_text)),
                ("required_claims", required_claims.as_deref().and_then(first_text)),
            ],
            mistakes,
        );
    } else if algorithms.is_none() {
        mistakes.push(mistake(&name, "the issuer", "has keys and names no `algorithms`"));
    }
    let algorithms = algorithms.unwrap_or_else(|| name.clone().map(|_| Vec::new()));
    let allowed = compile_algorithms(&algorithms, mistakes);
    let rules = Rules {
        issuer: name.value.as_str().into(),
        algorithms: allowed,
        token_types: match profile {
            Profile::Jwt => TokenTypes::new(texts(token_types, &TOKEN_TYPES).iter().map(String::as_str)),
            Profile::AccessToken => TokenTypes::only(ACCESS_TOKEN_TYPE),
        },
        profile,
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
    let client_ids = paths(texts(
        client_id_claims,
        match profile {
            Profile::Jwt => &CLIENT_ID_CLAIMS,
            Profile::AccessToken => &ACCESS_TOKEN_CLIENT_ID_CLAIMS,
        },
    ));
    let id = IssuerName::new(name.value.as_str());
    secrets::judge_algorithms(&algorithms, !secrets.is_empty(), mistakes);
    let found = if let Some(local) = &local {
        let others = discovery.is_some() || jwks.is_some() || !keys.is_empty() || !secrets.is_empty();
        own_keys(&name, local, others, allowed, shared, inputs, mistakes)
    } else if keyless {
        None
    } else if secrets.is_empty() {
        let written = Written {
            discovery,
            jwks,
            keys,
            approval: shared.approvals.of(&id),
        };
        key_source(&name, &id, written, inputs, warnings, mistakes)
    } else if let Some(other) = discovery
        .map(|url| url.place)
        .or_else(|| jwks.map(|jwks| jwks.place))
        .or_else(|| first_place(&keys))
    {
        let message = "an issuer has either `secrets` or public keys, never both";
        mistakes.push(Mistake::new(other, message));
        None
    } else {
        secrets::compile(secrets, allowed, inputs, mistakes).map(|keys| of_files(&id, keys, inputs))
    };
    let revocations = revocation_list.and_then(|list| revocation_list::compile(&id, list, inputs, mistakes));
    let asked = introspection.is_some();
    let introspection =
        introspection.and_then(|asked| introspection::compile(&id, asked.value, inputs, mistakes));
    // Without keys there is a mistake; the draft still stands for the issuer, so that plans which name it are not blamed.
    let (source, ring) = found.unwrap_or_else(|| (KeySource::Files(Vec::new()), Arc::default()));
    Draft {
        issuer: Arc::new(Issuer {
            name: id,
            index,
            rules,
            source,
            ring,
            revocations: revocations.map(Box::new),
            introspection,
        }),
        asked,
        keyless,
        audiences: Said::new(audiences, &audience_from, shared.audience.as_deref(), mistakes),
        audience_optional: audience_optional.is_some_and(|optional| optional.value),
        default_map: if use_default_claim_mapping {
            shared.default_map.clone()
        } else {
            ClaimMap::default()
        },
        own_map: claims::map(claim_mappings, mistakes),
        scopes,
        client_ids,
        local: local.is_some(),
    }
}

/// The keys with which this gateway signs.
fn own_keys(
    name: &Located<String>,
    local: &Located<bool>,
    others: bool,
    algorithms: AlgorithmSet,
    shared: &Shared,
    inputs: Inputs<'_>,
    mistakes: &mut Mistakes,
) -> Option<(KeySource, Arc<Ring>)> {
    let mut wrong = |message: &str, help: &str| {
        mistakes.push(Mistake::new(local.place.clone(), message).help(help));
        None
    };
    if others {
        return wrong(
            "an issuer that is this gateway has the keys of [token_service]",
            "remove the others",
        );
    }
    let Some(own) = &shared.own else {
        return wrong(
            "`local` is for the issuer that this gateway is, and it is none",
            "add [token_service]",
        );
    };
    if own.issuer.as_str() != name.value {
        return wrong(
            "the issuer that this gateway is has the name that `issuer` of [token_service] says",
            "make them the same, to the last slash",
        );
    }
    let unknown = own.keys.announced(inputs.now).map(OwnKey::algorithm);
    for algorithm in unknown.filter(|algorithm| !algorithms.contains(*algorithm)) {
        let message = format!(
            "the gateway signs with {}, which `algorithms` of this issuer does not allow",
            algorithm.name()
        );
        mistakes.push(Mistake::new(name.place.clone(), message));
    }
    let keys = own.keys.key_set(inputs.now);
    Some(of_files(&own.issuer, (keys, own.files.clone()), inputs))
}

/// The defaults that are decided here.
pub(super) fn fill(issuer: &config::Issuer, written: &mut super::Written) {
    let client_ids: &[&str] = match issuer.token_profile {
        config::TokenProfile::Jwt => &CLIENT_ID_CLAIMS,
        config::TokenProfile::Rfc9068 => &ACCESS_TOKEN_CLIENT_ID_CLAIMS,
    };
    let types: &[&str] = match issuer.token_profile {
        config::TokenProfile::Jwt => &TOKEN_TYPES,
        config::TokenProfile::Rfc9068 => &[ACCESS_TOKEN_TYPE],
    };
    for (key, default) in [
        ("required_claims", &REQUIRED_CLAIMS[..]),
        ("scopes_claim", &SCOPES_CLAIMS[..]),
        ("client_id_claims", client_ids),
        ("token_types", types),
    ] {
        written.fill(key, &default.into());
    }
}

fn first_text(texts: &[Located<String>]) -> Option<&Place> {
    texts.first().map(|text| &text.place)
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

/// What an issuer of RFC 9068 tokens may not say besides.
fn contradictions(
    token_types: Option<&[Located<String>]>,
    audience_optional: Option<&Located<bool>>,
    mistakes: &mut Mistakes,
) {
    if let Some(first) = token_types.and_then(<[_]>::first) {
        let message = "`token_profile = \"rfc9068\"` says what `typ` must be: at+jwt";
        mistakes.push(Mistake::new(first.place.clone(), message).help("remove `token_types`"));
    }
    if let Some(optional) = audience_optional.filter(|optional| optional.value) {
        let message = "`token_profile = \"rfc9068\"` asks every token for an `aud`";
        mistakes.push(Mistake::new(optional.place.clone(), message).help("remove `audience_optional`"));
    }
}

/// What an operator wrote of where an issuer's keys come from, and approved of what comes.
struct Written {
    discovery: Option<Located<String>>,
    jwks: Option<Located<config::Jwks>>,
    keys: Vec<config::IssuerKey>,
    approval: Option<Approval>,
}

fn key_source(
    name: &Located<String>,
    id: &IssuerName,
    written: Written,
    inputs: Inputs<'_>,
    warnings: &mut Vec<String>,
    mistakes: &mut Mistakes,
) -> Option<(KeySource, Arc<Ring>)> {
    let fixed = |keys| of_files(id, keys, inputs);
    let Written {
        discovery,
        jwks,
        keys,
        approval,
    } = written;
    match (discovery, jwks, keys.is_empty()) {
        (Some(url), jwks, true) => {
            let jwks = jwks.map(|jwks| jwks.value).unwrap_or_default();
            let whence = Whence::Discovery(url);
            fetched::compile(id, whence, jwks, approval, inputs, mistakes)
        }
        (None, Some(Located { value: mut jwks, .. }), true) => match jwks.url.take() {
            Some(url) => fetched::compile(id, Whence::Jwks(url), jwks, approval, inputs, mistakes),
            None => jwks_file(id, jwks.file.as_ref()?, inputs, warnings, mistakes).map(fixed),
        },
        (None, None, false) => key_files(keys, inputs, mistakes).map(fixed),
        (_, Some(Located { place, .. }), false) => {
            let message = "an issuer has either `jwks` or `keys`: keys of two sources are two issuers' keys";
            mistakes.push(Mistake::new(place, message));
            None
        }
        (Some(url), None, false) => {
            let message =
                "an issuer has either `discovery` or `keys`: keys of two sources are two issuers' keys";
            mistakes.push(Mistake::new(url.place, message));
            None
        }
        (None, None, true) => {
            mistakes.push(mistake(name, "the issuer", "has no keys").help(
                "add `discovery`, `jwks.url`, `jwks.file` or `keys = { \"key-id\" = { file = \"key.pem\" } }`",
            ));
            None
        }
    }
}

/// Keys that stay until the next reload.
fn of_files(
    id: &IssuerName,
    (keys, files): (KeySet, Vec<KeyFile>),
    inputs: Inputs<'_>,
) -> (KeySource, Arc<Ring>) {
    (
        KeySource::Files(files),
        inputs.key_ring.of_files(id, keys, inputs.now),
    )
}

fn jwks_file(
    id: &IssuerName,
    file: &Located<std::path::PathBuf>,
    inputs: Inputs<'_>,
    warnings: &mut Vec<String>,
    mistakes: &mut Mistakes,
) -> Option<(KeySet, Vec<KeyFile>)> {
    let parsed = inputs.files.read(&file.value).map_err(|error| error.to_string());
    match parsed.and_then(|text| parse_jwks(&text).map_err(|error| error.to_string())) {
        Ok(jwks) => {
            warnings.extend(skipped_keys(id.as_str(), &jwks.skipped));
            let file = KeyFile {
                holds: KeyFileKind::Jwks,
                path: file.value.clone(),
            };
            Some((jwks.keys, vec![file]))
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

fn key_files(
    entries: Vec<config::IssuerKey>,
    inputs: Inputs<'_>,
    mistakes: &mut Mistakes,
) -> Option<(KeySet, Vec<KeyFile>)> {
    let count = entries.len();
    if let Some(first_too_many) = entries.get(JWKS_KEYS_MAX) {
        let message = format!("an issuer has at most {JWKS_KEYS_MAX} keys");
        mistakes.push(Mistake::new(first_too_many.kid.place.clone(), message));
        return None;
    }
    let mut keys = Vec::new();
    let mut files = Vec::new();
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
            Ok(key) => {
                keys.push(key);
                files.push(KeyFile {
                    holds: KeyFileKind::PublicKey(kid.value.into()),
                    path: file.value,
                });
            }
            Err(error) => {
                let message = format!("the key file {} cannot be used: {error}", file.value.display());
                mistakes.push(Mistake::new(file.place.clone(), message));
            }
        }
    }
    if keys.len() == count {
        Some((KeySet::new(keys, Some(DEFAULT_KID)), files))
    } else {
        None
    }
}

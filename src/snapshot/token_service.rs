//! `[token_service]` and `[[user]]`: the gateway as an issuer.
//!
//! Keys are read before the issuers, because one of those may be this gateway itself (`local = true`); everything else is
//! judged when applications and issuers are known. A key file that is to be made and is not there is no mistake: the
//! snapshot says which ([`MissingKey`]), and whoever runs the gateway makes it and compiles once more.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::issuers::Draft as IssuerDraft;
use super::{Inputs, Names, ServerTls, admin, audiences, mistake, shown, unknown};
use crate::config::{self, Located, Mistake, Mistakes};
use crate::id::{ApplicationId, IssuerName, parse_name};
use crate::identity::{ClaimMapping, ClaimPath};
use crate::issuer::{KeyFile, KeyFileKind};
use crate::issuing::{
    AllowedClaims, Client, Clients, CustomIssuer, KeyTime, OwnKey, OwnKeys, PasswordHash, RESERVED_CLAIMS,
    TokenService, User, own_rules,
};
use crate::time::UnixTime;
use crate::token::{Algorithm, JWKS_KEYS_MAX, KID_BYTES_MAX};

/// A token's audiences; each makes every token longer.
const AUDIENCES_MAX: usize = 16;

/// Where the token service listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenListener {
    /// Where clients connect.
    pub address: SocketAddr,
    /// `None`: plain HTTP.
    pub tls: Option<ServerTls>,
}

/// A key file that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingKey {
    /// Where.
    pub path: PathBuf,
    /// For what.
    pub algorithm: Algorithm,
}

/// The keys, and what was written besides.
#[derive(Debug)]
pub(super) struct Draft {
    written: config::TokenService,
    pub(super) issuer: IssuerName,
    pub(super) keys: OwnKeys,
    pub(super) files: Vec<KeyFile>,
    pub(super) missing: Vec<MissingKey>,
}

/// An application, as far as tokens are concerned, as written.
pub(super) struct WrittenClient {
    id: Located<String>,
    client_ids: Vec<config::ClientId>,
    secret: Option<Located<String>>,
    scopes: Vec<Located<String>>,
}

impl WrittenClient {
    pub(super) fn of(application: &config::Application) -> Self {
        Self {
            id: application.id.clone(),
            client_ids: application.client_ids.clone(),
            secret: application.client_secret_hash.clone(),
            scopes: application.scopes.clone(),
        }
    }
}

/// The listener; apart, because only a restart changes it.
pub(super) fn listener(
    written: &config::TokenService,
    inputs: Inputs<'_>,
    warnings: &mut Vec<String>,
    mistakes: &mut Mistakes,
) -> Option<TokenListener> {
    let address = &written.address;
    match (&written.tls, written.allow_http) {
        (None, false) => {
            let message = "[token_service] has no `tls`: secrets and tokens would cross the network in the clear";
            let help = "add `tls = { certificate = ..., key = ... }`; `allow_http = true` allows it all the same";
            mistakes.push(Mistake::new(written.place.clone(), message).help(help));
        }
        (Some(_), true) => {
            let message = "`allow_http` of [token_service] says nothing beside `tls`";
            mistakes.push(Mistake::new(written.place.clone(), message).help("keep one"));
        }
        (None, true) if !address.value.ip().is_loopback() => warnings.push(format!(
            "[token_service] listens on {}, which others can reach, without TLS: secrets and tokens cross the network \
             in the clear",
            address.value
        )),
        (Some(_), false) | (None, true) => {}
    }
    Some(TokenListener {
        address: address.value,
        tls: match written.tls.clone() {
            Some(tls) => Some(admin::compile_tls(tls, inputs, mistakes)?),
            None => None,
        },
    })
}

/// The keys.
pub(super) fn draft(
    written: config::TokenService,
    inputs: Inputs<'_>,
    warnings: &mut Vec<String>,
    mistakes: &mut Mistakes,
) -> Draft {
    let mut kids = Names::default();
    let mut draft = Draft {
        issuer: IssuerName::new(written.issuer.value.as_str()),
        keys: OwnKeys::new(Vec::new(), written.lifetime),
        files: Vec::new(),
        missing: Vec::new(),
        written,
    };
    let default = algorithm(&draft.written.algorithm, mistakes);
    let mut keys = Vec::new();
    let mut times = Vec::new();
    if let Some(first_too_many) = draft.written.keys.get(JWKS_KEYS_MAX) {
        let message = format!("the token service has at most {JWKS_KEYS_MAX} keys");
        mistakes.push(Mistake::new(first_too_many.kid.place.clone(), message));
    }
    for key in &draft.written.keys {
        let config::ServiceKey {
            kid,
            file,
            algorithm: own,
            generate,
            not_before,
            retire_after,
        } = key;
        kids.claim("the key id", &kid.value, &kid.place, mistakes);
        if kid.value.len() > KID_BYTES_MAX {
            mistakes.push(mistake(kid, "the key id", "is longer than 256 bytes"));
        }
        let moment = |time: &Located<i64>| UnixTime::from_seconds(time.value);
        let time = KeyTime {
            not_before: not_before.as_ref().map(moment),
            retire_after: retire_after.as_ref().map(moment),
        };
        if let (Some(begin), Some(end), Some(place)) = (time.not_before, time.retire_after, retire_after)
            && begin >= end
        {
            mistakes.push(Mistake::new(
                place.place.clone(),
                "the key retires before it signs anything",
            ));
        }
        times.push(time);
        let algorithm = match own {
            Some(own) => algorithm(own, mistakes),
            None => default,
        };
        let Some(algorithm) = algorithm else { continue };
        let text = match inputs.files.read_private(&file.value) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && *generate => {
                draft.missing.push(MissingKey {
                    path: file.value.clone(),
                    algorithm,
                });
                continue;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(format!("{error}; `generate = true` makes it"))
            }
            read => read
                .map_err(|error| error.to_string())
                .and_then(|text| String::from_utf8(text).map_err(|_| "it is no text".to_owned())),
        };
        let made = text.and_then(|text| {
            OwnKey::new(&kid.value, algorithm, &text, time).map_err(|error| error.to_string())
        });
        match made {
            Ok(key) => {
                keys.push(key);
                draft.files.push(KeyFile {
                    holds: KeyFileKind::Own(kid.value.as_str().into()),
                    path: file.value.clone(),
                });
            }
            Err(error) => {
                let message = format!("the key file {} cannot be used: {error}", file.value.display());
                mistakes.push(Mistake::new(file.place.clone(), message));
            }
        }
    }
    judge_times(&draft.written, &times, inputs.now, warnings, mistakes);
    draft.keys = OwnKeys::new(keys, draft.written.lifetime);
    draft
}

fn algorithm(written: &Located<String>, mistakes: &mut Mistakes) -> Option<Algorithm> {
    OwnKey::algorithm_named(&written.value)
        .map_err(|error| mistakes.push(Mistake::new(written.place.clone(), error.to_string())))
        .ok()
}

/// Some key must sign now; that none will one day is for the log.
fn judge_times(
    written: &config::TokenService,
    times: &[KeyTime],
    now: UnixTime,
    warnings: &mut Vec<String>,
    mistakes: &mut Mistakes,
) {
    if !times.iter().any(|time| time.signs(now)) {
        let message = "no key of [token_service] signs at present";
        let help = "see `not_before` and `retire_after` of its keys";
        mistakes.push(Mistake::new(written.place.clone(), message).help(help));
    }
    // Each end must lie in the time of another key.
    for end in times
        .iter()
        .filter_map(|time| time.retire_after)
        .filter(|end| *end > now)
    {
        if !times.iter().any(|time| time.signs(end)) {
            warnings.push(format!(
                "[token_service]: no key signs from {} seconds since 1970 on; add one in time",
                end.seconds()
            ));
        }
    }
}

/// Everything else.
pub(super) fn compile(
    draft: Draft,
    clients: Vec<WrittenClient>,
    users: Vec<config::User>,
    issuers: &[IssuerDraft],
    mistakes: &mut Mistakes,
) -> (TokenService, Vec<MissingKey>) {
    let Draft {
        written,
        issuer,
        keys,
        files: _, // for the issuer that is this gateway
        missing,
    } = draft;
    let config::TokenService {
        place: _,
        address: _,    // in `listener`
        tls: _,        // in `listener`
        allow_http: _, // in `listener`
        issuer: name,
        public_uri,
        audiences,
        lifetime,
        algorithm: _, // in `draft`
        keys: _,      // in `draft`
        custom_claims,
        custom_issuers,
    } = written;
    if let Some(first_too_many) = audiences.get(AUDIENCES_MAX) {
        let message = format!("a token has at most {AUDIENCES_MAX} audiences");
        mistakes.push(Mistake::new(first_too_many.place.clone(), message));
    }
    if let (None, Some(first)) = (&custom_claims, custom_issuers.first()) {
        let message = "`custom_issuers` is for tokens with claims of the application's own; there are none without \
                       `custom_claims`";
        mistakes.push(Mistake::new(first.place.clone(), message));
    }
    let local = issuers.iter().filter(|draft| draft.local).collect::<Vec<_>>();
    let service = TokenService {
        base: base(&name, public_uri, mistakes),
        audiences: audiences
            .into_iter()
            .map(|audience| audience.value.into())
            .collect(),
        lifetime,
        keys,
        rules: own_rules(&issuer),
        clients: self::clients(&issuer, clients, users, mistakes),
        custom_claims: custom_claims.map(|claims| allowed(claims, &local, mistakes)),
        custom_issuers: custom_issuers
            .iter()
            .filter_map(|name| custom_issuer(name, issuers, mistakes))
            .collect(),
        issuer,
    };
    (service, missing)
}

/// Users and secrets that nobody asks for.
pub(super) fn unused(clients: &[WrittenClient], users: &[config::User], warnings: &mut Vec<String>) {
    let secrets = clients.iter().filter_map(|client| client.secret.as_ref());
    let first = secrets.chain(users.iter().map(|user| &user.name)).next();
    if let Some(first) = first {
        warnings.push(format!(
            "{}: client secrets and users are for [token_service], and there is none",
            first.place
        ));
    }
}

/// Where clients find the service: what is written, or the issuer's name if it is a URL.
fn base(
    name: &Located<String>,
    written: Option<Located<String>>,
    mistakes: &mut Mistakes,
) -> Option<Box<str>> {
    let is_base = |text: &str| {
        url::Url::parse(text).is_ok_and(|url| {
            matches!(url.scheme(), "https" | "http") && url.query().is_none() && url.fragment().is_none()
        })
    };
    let plain = |text: &str| text.trim_end_matches('/').into();
    match written {
        None => is_base(&name.value).then(|| plain(&name.value)),
        Some(uri) => {
            if !is_base(&uri.value) {
                mistakes.push(
                    mistake(&uri, "the public URI", "is no URL of a server")
                        .help("write it as clients do: \"https://tokens.example.com\""),
                );
            }
            Some(plain(&uri.value))
        }
    }
}

fn clients(
    issuer: &IssuerName,
    written: Vec<WrittenClient>,
    users: Vec<config::User>,
    mistakes: &mut Mistakes,
) -> Clients {
    let mut named: HashSet<String> = HashSet::new();
    let mut names = Names::default();
    let mut made = Vec::new();
    for config::User {
        name,
        password_hash,
        applications,
    } in users
    {
        names.claim("the user", &name.value, &name.place, mistakes);
        if let Err(error) = parse_name(&name.value) {
            mistakes.push(mistake(&name, "the user", error));
        }
        if written.iter().any(|client| client.id.value == name.value) {
            let says = "is the id of an application, too: tokens could not tell whose they are";
            mistakes.push(mistake(&name, "the user", says));
        }
        for application in &applications {
            if !written.iter().any(|client| client.id.value == application.value) {
                let known = written.iter().map(|client| client.id.value.as_str());
                mistakes.push(unknown(application, "application", known));
            }
            named.insert(application.value.clone());
        }
        if let Some(password) = hash("the password hash", &password_hash, mistakes) {
            made.push(User {
                name: name.value.into(),
                password,
                applications: applications
                    .into_iter()
                    .map(|application| ApplicationId::new(application.value))
                    .collect(),
            });
        }
    }
    let clients = written.into_iter().map(|client| {
        let WrittenClient {
            id,
            client_ids,
            secret,
            scopes,
        } = client;
        let ours = |client: &config::ClientId| {
            let of = client.issuer.as_ref();
            of.is_none_or(|of| of.value == issuer.as_str())
        };
        let client_ids: Vec<Box<str>> = client_ids
            .into_iter()
            .filter(ours)
            .map(|client| client.id.value.into())
            .collect();
        if client_ids.is_empty() && (secret.is_some() || named.contains(&id.value)) {
            mistakes.push(
                mistake(
                    &id,
                    "the application",
                    "may ask for tokens, and has no client id in them",
                )
                .help("add one to its `client_ids`"),
            );
        }
        for scope in &scopes {
            let good =
                |byte: u8| byte == 0x21 || (0x23..=0x5b).contains(&byte) || (0x5d..=0x7e).contains(&byte);
            if !scope.value.bytes().all(good) {
                mistakes.push(mistake(scope, "the scope", "is none (RFC 6749 section 3.3)"));
            }
        }
        Client {
            secret: secret.and_then(|secret| hash("the client secret hash", &secret, mistakes)),
            application: ApplicationId::new(id.value),
            client_ids,
            scopes: scopes.into_iter().map(|scope| scope.value.into()).collect(),
        }
    });
    let clients = clients.collect();
    Clients::new(clients, made)
}

/// Never shown, not even in a message.
fn hash(what: &str, written: &Located<String>, mistakes: &mut Mistakes) -> Option<PasswordHash> {
    PasswordHash::parse(&written.value)
        .map_err(|error| {
            mistakes.push(Mistake::new(
                written.place.clone(),
                format!("{what} cannot be used: {error}"),
            ));
        })
        .ok()
}

fn custom_issuer(
    name: &Located<String>,
    issuers: &[IssuerDraft],
    mistakes: &mut Mistakes,
) -> Option<CustomIssuer> {
    let Some(draft) = issuers
        .iter()
        .find(|draft| draft.issuer.name.as_str() == name.value)
    else {
        let known = issuers.iter().map(|draft| draft.issuer.name.as_str());
        mistakes.push(unknown(name, "issuer", known));
        return None;
    };
    if draft.local {
        let message = "the token service's own tokens identify nobody to it: they would never end";
        mistakes.push(Mistake::new(name.place.clone(), message));
        return None;
    }
    let accepted = audiences::accepted(
        &draft.audiences,
        &audiences::Said::default(),
        draft.audience_optional,
        None,
    );
    let Some(audiences) = accepted else {
        let message = format!(
            "the issuer `{}` names no `audiences`: nobody has said which of its tokens are for the token service",
            shown(&name.value)
        );
        mistakes.push(Mistake::new(name.place.clone(), message));
        return None;
    };
    Some(CustomIssuer {
        issuer: Arc::clone(&draft.issuer),
        mapping: ClaimMapping {
            default: draft.default_map.clone(),
            own: draft.own_map.clone(),
            scopes: draft.scopes.clone(),
            client_ids: draft.client_ids.clone(),
            kept: Arc::new([]),
        },
        audiences,
    })
}

/// What applications may add. Never what our own plans read rights from, under whatever name.
fn allowed(
    written: Located<config::CustomClaims>,
    local: &[&IssuerDraft],
    mistakes: &mut Mistakes,
) -> AllowedClaims {
    let rights: HashSet<String> = local.iter().flat_map(|draft| rights(draft)).collect();
    match written.value {
        config::CustomClaims::DangerAcceptAny => {
            let mapped = local.iter().flat_map(|draft| {
                let maps = [&draft.default_map, &draft.own_map].into_iter();
                maps.flat_map(|map| map.claims.iter().flat_map(|claim| claim.remote.names()))
            });
            let mapped = mapped.map(ToOwned::to_owned);
            AllowedClaims::DangerAny {
                except: rights.iter().cloned().chain(mapped).map(Into::into).collect(),
            }
        }
        config::CustomClaims::AnyOf(list) => {
            for claim in &list {
                if RESERVED_CLAIMS.contains(&claim.value.as_str()) || rights.contains(&claim.value) {
                    let says = "is the token service's: nobody else may say it";
                    mistakes.push(mistake(claim, "the claim", says));
                }
            }
            AllowedClaims::AnyOf(list.into_iter().map(|claim| claim.value.into()).collect())
        }
    }
}

/// Names of claims from which an issuer's rules read who somebody is and what he may.
fn rights(draft: &IssuerDraft) -> HashSet<String> {
    let names = |paths: &[ClaimPath]| -> Vec<String> {
        let names = paths.iter().flat_map(ClaimPath::names);
        names.map(ToOwned::to_owned).collect()
    };
    let mut rights: HashSet<String> = HashSet::from(["sub".to_owned()]);
    rights.extend(names(&draft.scopes));
    rights.extend(names(&draft.client_ids));
    for map in [&draft.own_map, &draft.default_map] {
        let feeding: Vec<String> = map
            .claims
            .iter()
            .filter(|claim| rights.contains(&*claim.local))
            .flat_map(|claim| claim.remote.names())
            .map(ToOwned::to_owned)
            .collect();
        rights.extend(feeding);
    }
    rights
}

//! Claim maps: `[[claim_mapping]]` for all issuers and `[[issuer.claim_mapping]]` for one.
//!
//! What a mapping makes has one kind, text or list, whichever way it comes about: steps that cancel each other out and
//! a default of another kind are mistakes. Texts that an operator writes have bounds, because each may be kept with
//! every remembered token.

use super::{Names, refused};
use crate::config::{self, ClaimDefault, Located, Mistake, Mistakes};
use crate::identity::{ClaimMap, ClaimPath, MappedClaim, Pattern, Transformation};
use crate::token::json::Value;

/// A prefix or a separator.
const TEXT_BYTES_MAX: usize = 64;
/// A default, or one member of it.
const DEFAULT_BYTES_MAX: usize = 256;
/// Members of a default.
const DEFAULT_MEMBERS_MAX: usize = 64;

/// What comes out of a mapping's steps.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Any,
    /// A text or a list of texts, as the claim is.
    Texts,
    Text,
    List,
}

pub(super) fn map(written: Vec<config::ClaimMapping>, mistakes: &mut Mistakes) -> ClaimMap {
    let mut remote_names = Names::default();
    let mut local_names = Names::default();
    let mut claims = Vec::new();
    for config::ClaimMapping {
        remote_claim,
        local_claim,
        regex,
        split,
        lowercase,
        prefix,
        join,
        default,
    } in written
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
        if let (Some(split), Some(join), None) = (&split, &join, &prefix)
            && split.value == join.value
        {
            let message = "`join` puts together again what `split` takes apart";
            mistakes.push(Mistake::new(join.place.clone(), message).help("remove both, or add a `prefix`"));
        }
        let kind = match (&join, &split) {
            (Some(_), _) => Kind::Text,
            (None, Some(_)) => Kind::List,
            (None, None) if regex.is_some() || lowercase || prefix.is_some() => Kind::Texts,
            (None, None) => Kind::Any,
        };
        let transformation = Transformation {
            pattern: regex.and_then(|regex| pattern(&regex, mistakes)),
            split: split.map(|text| bounded(text, "the separator", TEXT_BYTES_MAX, mistakes)),
            lowercase,
            prefix: prefix.map(|text| bounded(text, "the prefix", TEXT_BYTES_MAX, mistakes)),
            join: join.map(|text| bounded(text, "the separator", TEXT_BYTES_MAX, mistakes)),
        };
        let default = default.map(|default| compile_default(default, kind, mistakes));
        if remote_new && local_new {
            claims.push(MappedClaim {
                remote: ClaimPath::parse(&remote_claim.value),
                local: local_claim.value.into(),
                transformation,
                default,
            });
        }
    }
    ClaimMap {
        claims: claims.into(),
    }
}

fn pattern(written: &Located<String>, mistakes: &mut Mistakes) -> Option<Pattern> {
    Pattern::parse(&written.value)
        .map_err(|error| mistakes.push(super::mistake(written, "the pattern", error)))
        .ok()
}

fn bounded(text: Located<String>, what: &str, bytes_max: usize, mistakes: &mut Mistakes) -> Box<str> {
    if text.value.len() > bytes_max {
        mistakes.push(super::mistake(
            &text,
            what,
            format!("is longer than {bytes_max} bytes"),
        ));
    }
    text.value.into()
}

fn compile_default(written: Located<ClaimDefault>, kind: Kind, mistakes: &mut Mistakes) -> Value<'static> {
    let Located { value, place } = written;
    let fits = match &value {
        ClaimDefault::Text(_) => kind != Kind::List,
        ClaimDefault::Texts(_) => kind != Kind::Text,
        ClaimDefault::Integer(_) | ClaimDefault::Boolean(_) => kind == Kind::Any,
    };
    if !fits {
        let makes = match kind {
            Kind::Any | Kind::Text => "a text",
            Kind::Texts => "a text or a list of texts",
            Kind::List => "a list of texts",
        };
        let message = format!("the mapping makes {makes}, and its `default` is none");
        mistakes.push(Mistake::new(place.clone(), message));
    }
    let text = |text: String, mistakes: &mut Mistakes| {
        let text = Located {
            value: text,
            place: place.clone(),
        };
        let text = bounded(text, "the default", DEFAULT_BYTES_MAX, mistakes);
        Value::String(text.into_string().into())
    };
    match value {
        ClaimDefault::Text(one) => text(one, mistakes),
        ClaimDefault::Integer(number) => Value::Number(number.into()),
        ClaimDefault::Boolean(boolean) => Value::Bool(boolean),
        ClaimDefault::Texts(members) => {
            if let Some(first_too_many) = members.get(DEFAULT_MEMBERS_MAX) {
                let member = Located {
                    value: first_too_many.clone(),
                    place: place.clone(),
                };
                let rule = format!("a default has at most {DEFAULT_MEMBERS_MAX} members");
                mistakes.push(refused(&member, "the member", rule));
            }
            Value::Array(members.into_iter().map(|member| text(member, mistakes)).collect())
        }
    }
}

//! Plans for bearer tokens, and the issuers that they name: what each must be able to do for its plan.
//!
//! An opaque token does not say whose it is. Were several issuers asked about one, each would be shown tokens of the
//! others, and could use them. So all plans of an API that ask name one issuer, and the same one.

use super::apis::PlanDraft;
use super::audiences::{self, Said};
use super::issuers::Draft as IssuerDraft;
use super::{Names, mistake, shown, unknown};
use crate::api::Security;
use crate::config::{self, Located, Mistake, Mistakes};

/// Whether the plans of one API name issuers that can do what the plans are for.
pub(super) fn judge(plans: &[PlanDraft], issuers: &[IssuerDraft], mistakes: &mut Mistakes) {
    let mut first: Option<&str> = None;
    for (plan, name) in plans
        .iter()
        .flat_map(|plan| plan.issuers.iter().map(move |name| (plan, name)))
    {
        let mut drafts = issuers.iter();
        let Some(draft) = drafts.find(|draft| draft.issuer.name.as_str() == name.value) else {
            continue; // somebody else complains
        };
        match plan.security {
            Security::Jwt if draft.keyless => mistakes.push(
                mistake(name, "the issuer", "has no keys")
                    .help("a plan with `security = \"oauth2\"` asks it about tokens"),
            ),
            Security::OAuth2 if !draft.asked => mistakes.push(
                mistake(name, "the issuer", "has no `introspection`")
                    .help("say how it is asked: introspection = { url = \"…\", client_id = \"…\", … }"),
            ),
            Security::OAuth2 => match first {
                Some(first) if first != name.value => {
                    let message = format!(
                        "the API asks two issuers about tokens, `{}` and `{}`: each would be shown the other's",
                        shown(first),
                        shown(&name.value)
                    );
                    let help = "publish one API for each, or give one of them keys and a plan with `security = \"jwt\"`";
                    mistakes.push(Mistake::new(name.place.clone(), message).help(help));
                }
                _ => first = Some(&name.value),
            },
            Security::Jwt | Security::ApiKey | Security::Keyless => {}
        }
    }
}

/// A plan for tokens names issuers that exist, each once, and audiences are named by it or by the issuer.
pub(super) fn judge_issuers(
    name: &Located<String>,
    accepted: &[Located<String>],
    audiences: &Said,
    audience_from: Option<&Located<config::AudienceSource>>,
    issuers: &[IssuerDraft],
    mistakes: &mut Mistakes,
) {
    if accepted.is_empty() {
        mistakes.push(
            mistake(name, "the plan", "accepts tokens of no issuer")
                .help("name at least one in `issuers = [...]`"),
        );
    }
    let mut names = Names::default();
    for issuer in accepted {
        names.claim("the issuer", &issuer.value, &issuer.place, mistakes);
        match issuers.iter().find(|draft| draft.issuer.name.as_str() == issuer.value) {
            None => {
                let known = issuers.iter().map(|draft| draft.issuer.name.as_str());
                mistakes.push(unknown(issuer, "issuer", known));
            }
            Some(draft) if audiences::accepted(&draft.audiences, audiences, false, None).is_none() => mistakes.push(
                mistake(issuer, "neither the plan nor the issuer", "names `audiences`").help(
                    "list whom tokens must be for, or write `audiences = \"danger-accept-any\"` to take tokens \
                     meant for anybody",
                ),
            ),
            Some(draft) => {
                if let Some(source) = audience_from.filter(|_| !audiences.lists() && draft.audiences.accepts_any()) {
                    let message = format!(
                        "`audience_from` adds nothing: the issuer `{}` says \"danger-accept-any\"",
                        shown(&issuer.value)
                    );
                    mistakes.push(
                        Mistake::new(source.place.clone(), message).help("list the plan's `audiences`"),
                    );
                }
            }
        }
    }
}

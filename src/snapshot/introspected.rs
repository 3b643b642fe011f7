//! Plans and the issuers that they name, as far as it matters whether a token is verified here or its issuer is asked.
//!
//! An opaque token does not say whose it is. Were several issuers asked about one, each would be shown tokens of the
//! others, and could use them. So all plans of an API that ask name one issuer, and the same one.

use super::apis::PlanDraft;
use super::issuers::Draft as IssuerDraft;
use super::{mistake, shown};
use crate::api::Security;
use crate::config::{Mistake, Mistakes};

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

//! What to do next, for each way in which the gateway says no, or says nothing.
//! The refusal itself is the gateway's sentence; here is only what can be typed or looked at now.

use std::path::Path;

use super::text::View;
use crate::control::client::{Ask, AskError};

/// One sentence, if there is anything to do.
pub(super) fn next_step(
    view: &View,
    ask: &Ask,
    error: &AskError,
    token_file: Option<&Path>,
) -> Option<String> {
    let View { look, noun, .. } = view;
    Some(match error {
        AskError::Client { .. } => return None,
        AskError::Unreachable { .. } => {
            "nothing was done; does the gateway run, with [admin] at this address? if it has a certificate of a private \
             authority, name that by --ca-file; if it asks for one, show it by --cert and --key".to_owned()
        }
        AskError::Unanswered { .. } => match &ask.idempotency_key {
            Some(key) => format!(
                "it is not known whether it was done; to try again without doing it twice, add --idempotency-key {key}"
            ),
            None if ask.method.is_safe() => "try again".to_owned(),
            None => format!("it is not known whether it was done; see {look}"),
        },
        AskError::Foreign { .. } => "is this the address of [admin], and not of a [[listener]]?".to_owned(),
        AskError::Refused(problem) => match problem.code.as_str() {
            "unauthorized" => match token_file {
                Some(file) => format!(
                    "the token in {} is not this gateway's; it is the one in the file that [admin] token_file names",
                    file.display()
                ),
                None => "it wants its token besides: name the file by --admin-token-file".to_owned(),
            },
            "wrong_host" => {
                "call it by the address it listens at, or add this name to `hosts` in [admin]".to_owned()
            }
            "reconnect" => "try again".to_owned(),
            "not_found" => format!("see {look} for what there is"),
            "exists" => format!("see {look}; what is there can be changed"),
            "stale" => format!(
                "somebody else has changed it: look at the {noun} again, and repeat what is still meant"
            ),
            "read_only" => {
                "change it in the configuration files; the gateway reads them anew by itself".to_owned()
            }
            "conflict" => format!("see {look} for what it is now"),
            "idempotency_key_reused" => "use another --idempotency-key for another request".to_owned(),
            "store_unavailable" | "failed" => "see the gateway's log for why, and mend that; then try again, no restart is needed".to_owned(),
            "method_not_allowed" | "bad_request" => {
                "is the gateway of another version than this command? compare tollgate --version".to_owned()
            }
            _ => return None,
        },
    })
}

//! The list of what an issuer has taken back: from where, by what way, how often, and what is done without it.
//! The way to it is under the same rules as the way to the issuer's keys: whoever writes the list decides who is refused.

use super::super::{Inputs, mistake};
use super::fetched::{authorities, through};
use crate::config::{self, Mistakes};
use crate::id::IssuerName;
use crate::issuer::{LIST_FETCH_TIMEOUT, ListSchedule, ListSource, Via};
use crate::revocation::{Format, ListWhen};

pub(super) fn compile(
    id: &IssuerName,
    list: config::RevocationList,
    inputs: Inputs<'_>,
    mistakes: &mut Mistakes,
) -> Option<ListSource> {
    let config::RevocationList {
        url,
        format,
        refresh_interval,
        fail,
        danger_allow_http,
        follow_redirects,
        ca_file,
        proxy,
    } = list;
    let before = mistakes.len();
    let via = Via {
        authorities: ca_file.and_then(|file| authorities(&file, inputs, mistakes)),
        proxy: proxy.and_then(|proxy| through(&proxy, mistakes)),
        follow_redirects,
        danger_allow_http,
    };
    let parsed = via.url(&url.value);
    let parsed = parsed
        .map_err(|error| mistakes.push(mistake(&url, "the URL", error)))
        .ok()?;
    if mistakes.len() > before {
        return None;
    }
    let format = match format {
        config::ListFormat::Json => Format::Json,
        config::ListFormat::Lines => Format::Lines,
    };
    let when = match fail {
        config::ListFail::Open => ListWhen::Open,
        // The next refresh may come a tenth late, and takes its time.
        config::ListFail::Closed => {
            ListWhen::ClosedAfter(refresh_interval + refresh_interval / 10 + LIST_FETCH_TIMEOUT)
        }
        config::ListFail::ClosedAfter(after) => ListWhen::ClosedAfter(after),
    };
    Some(ListSource {
        list: inputs.key_ring.revocation_list(id, &parsed, format),
        when,
        schedule: ListSchedule {
            url: parsed,
            via,
            format,
            refresh_interval,
        },
    })
}

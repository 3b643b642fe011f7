//! Metrics of revocations: how many there are, and how issuers' lists do.
//! A list that is not refreshed is the first thing to look at when tokens are refused or, worse, are not.

use super::{Counter, Gauge, Named};

/// Those of the admin API.
pub const REVOCATIONS: Named<Gauge, 0> = Named::gauge(
    "tollgate_revocations",
    "Revocations in force that were made at the admin API.",
    [],
);

/// `result` is `success`, `unchanged`, or why not.
pub const REVOCATION_LIST_REFRESHES: Named<Counter, 2> = Named::counter(
    "tollgate_revocation_list_refreshes_total",
    "Attempts to fetch an issuer's revocation list, by result: success, unchanged, or the cause of the failure.",
    ["issuer", "result"],
);

/// Absent until there is one.
pub const REVOCATION_LIST_AGE: Named<Gauge, 1> = Named::gauge(
    "tollgate_revocation_list_age_seconds",
    "Age of the issuer's revocation list, since it was fetched or confirmed last.",
    ["issuer"],
);

/// Those that are over are not counted.
pub const REVOCATION_LIST_ENTRIES: Named<Gauge, 1> = Named::gauge(
    "tollgate_revocation_list_entries",
    "Entries of the issuer's revocation list.",
    ["issuer"],
);

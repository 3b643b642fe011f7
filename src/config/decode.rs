//! The language, table by table: which keys there are and what each must hold.
//!
//! Every table has its shape and its decoder side by side. All keys are read before the struct is put together, so one
//! bad value hides none of its neighbours; a decoder that returns `None` has reported why.

mod admin;
mod api;
mod application;
mod claim_mapping;
mod introspection;
mod issuer;
mod keys;
mod limits;
mod requirements;
mod revocation_list;
mod server;
mod token_service;
mod upstream;

use std::path::Path;
use std::time::Duration;

use toml::de::DeTable;

use super::outline::Written;
use super::place::{Located, Place};
use super::schema::Config;
use super::table::{Key, Shape, TableReader};
use super::value::{Sheet, Value};

/// The top level of a file.
static ROOT: Shape = Shape {
    path: "",
    title: "at the top level",
    keys: &[
        Key::Value("include"),
        Key::Table("server", &server::SERVER),
        Key::Table("listener", &server::LISTENER),
        Key::Table("metrics", &server::METRICS),
        Key::Table("access_log", &server::ACCESS_LOG),
        Key::Table("admin", &admin::ADMIN),
        Key::Table("state", &admin::STATE),
        Key::Table("claim_mapping", &claim_mapping::DEFAULT),
        Key::Table("keys", &keys::KEYS),
        Key::Table("issuer", &issuer::ISSUER),
        Key::Table("upstream", &upstream::UPSTREAM),
        Key::Table("tier", &limits::TIER),
        Key::Table("api", &api::API),
        Key::Table("application", &application::APPLICATION),
        Key::Table("subscription", &application::SUBSCRIPTION),
        Key::Table("counters", &limits::COUNTERS),
        Key::Table("token_service", &token_service::TOKEN_SERVICE),
        Key::Table("user", &token_service::USER),
        Key::Later("follow"),
    ],
};

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Every key of this version, as (table path, key): `("server", "threads")`, `("issuer.jwks", "url")`. The top level
/// has the empty path.
pub fn known_keys() -> Vec<(&'static str, &'static str)> {
    ROOT.known_keys()
}

/// A configuration while its files are read.
#[derive(Default)]
pub(super) struct Draft {
    config: Config,
    includes: Vec<Located<String>>,
    server_at: Option<Place>,
    metrics_at: Option<Place>,
    keys_at: Option<Place>,
    access_log_at: Option<Place>,
    admin_at: Option<Place>,
    state_at: Option<Place>,
    counters_at: Option<Place>,
    token_service_at: Option<Place>,
}

// === impl Draft ===

impl Draft {
    /// Adds what one file says.
    pub(super) fn decode(&mut self, sheet: &Sheet<'_>, document: &DeTable<'_>, main: bool) {
        let root = TableReader::open(sheet, &ROOT, document, 0..0);
        self.includes.extend(
            root.optional("include", |value| include(value, main))
                .unwrap_or_default(),
        );
        let config = &mut self.config;
        if let Some(server) = once(&root, "server", &mut self.server_at, server::server) {
            config.server = server;
        }
        if let Some(metrics) = once(&root, "metrics", &mut self.metrics_at, server::metrics) {
            config.metrics = Some(metrics);
        }
        if let Some(access_log) = once(&root, "access_log", &mut self.access_log_at, server::access_log) {
            config.access_log = Some(access_log);
        }
        if let Some(admin) = once(&root, "admin", &mut self.admin_at, admin::admin) {
            config.admin = Some(admin);
        }
        if let Some(state) = once(&root, "state", &mut self.state_at, admin::state) {
            config.state = Some(state);
        }
        if let Some(service) = once(
            &root,
            "token_service",
            &mut self.token_service_at,
            token_service::token_service,
        ) {
            config.token_service = Some(service);
        }
        if let Some(keys) = once(&root, "keys", &mut self.keys_at, keys::keys) {
            config.keys = keys;
        }
        if let Some(counters) = once(&root, "counters", &mut self.counters_at, limits::counters) {
            config.counters = counters;
        }
        all(&root, "tier", &mut config.tiers, limits::tier);
        all(&root, "listener", &mut config.listeners, server::listener);
        all(
            &root,
            "claim_mapping",
            &mut config.claim_mappings,
            claim_mapping::default_claim_mapping,
        );
        all(&root, "issuer", &mut config.issuers, issuer::issuer);
        all(&root, "upstream", &mut config.upstreams, upstream::upstream);
        all(&root, "api", &mut config.apis, api::api);
        all(
            &root,
            "application",
            &mut config.applications,
            application::application,
        );
        all(
            &root,
            "subscription",
            &mut config.subscriptions,
            application::subscription,
        );
        all(&root, "user", &mut config.users, token_service::user);
    }

    pub(super) fn note_file(&mut self, path: &Path) {
        self.config.files.push(path.to_owned());
    }

    pub(super) fn note_places(&mut self, written: Vec<Written>) {
        self.config.written.extend(written);
    }

    /// The patterns of `include`; the second time there are none.
    pub(super) fn take_includes(&mut self) -> Vec<Located<String>> {
        std::mem::take(&mut self.includes)
    }

    /// The headers of tables that were not written, and have defaults.
    pub(super) fn unwritten_tables(&self) -> String {
        let tables = [
            ("server", &self.server_at),
            ("keys", &self.keys_at),
            ("counters", &self.counters_at),
        ];
        let unwritten = tables.iter().filter(|(_, at)| at.is_none());
        unwritten.map(|(name, _)| format!("[{name}]\n")).collect()
    }

    pub(super) fn finish(self) -> Config {
        self.config
    }
}

/// `include`, which only the main file may have: what includes what must be seen in one place.
fn include(value: Value<'_>, main: bool) -> Option<Vec<Located<String>>> {
    if main {
        value.texts()
    } else {
        value.wrong("only the main file may have `include`")
    }
}

/// A table that all files together may have once.
fn once<'a, T>(
    root: &TableReader<'a>,
    name: &'static str,
    first: &mut Option<Place>,
    decode: impl FnOnce(Value<'a>) -> Option<T>,
) -> Option<T> {
    root.optional(name, |value| {
        if let Some(first) = first.as_ref() {
            return value.wrong(format!("[{name}] is defined twice; first at {first}"));
        }
        *first = Some(value.place());
        decode(value)
    })
}

/// A table that each file may have any number of times.
fn all<'a, T>(
    root: &TableReader<'a>,
    name: &'static str,
    list: &mut Vec<T>,
    decode: impl Fn(Value<'a>) -> Option<T>,
) {
    list.extend(
        root.optional(name, |value| value.tables(&format!("[[{name}]]"), decode))
            .unwrap_or_default(),
    );
}

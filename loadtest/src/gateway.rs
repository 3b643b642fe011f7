//! What the gateway is told, and what it tells: its configuration, its command line, its log, its metrics.
//! All of it is here, so that a change of the gateway's language is a change of this file.

use std::path::Path;

use serde_json::Value;

use crate::failure::{Result, While as _};
use crate::http;
use crate::process::Words;
use crate::scenario::Scenario;
use crate::tokens::{AUDIENCE, CLIENT_ID, ISSUER, KID, Keys};

/// The path that is asked for.
pub(crate) const PATH: &str = "/load/item";
/// The field that carries an API key.
pub(crate) const API_KEY_FIELD: &str = "X-Api-Key";
/// The subscription that configuration and store agree on.
pub(crate) const APPLICATION: &str = "load";
pub(crate) const API: &str = "load";
pub(crate) const PLAN: &str = "gold";

/// More than any machine here can send.
const LIMITS: &str = r#"rate = { requests = 1_000_000, per = "1s" }
quota = { requests = 1_000_000_000_000, per = "month", timezone = "Europe/Paris" }"#;

/// What a configuration is made from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting<'s> {
    pub(crate) scenario: Scenario,
    pub(crate) upstream: std::net::SocketAddr,
    pub(crate) threads: usize,
    pub(crate) keys: Option<&'s Keys>,
    /// The store, for scenarios that have one.
    pub(crate) store: Option<&'s Path>,
    /// Claims that may name the client id: what changes at each reload.
    pub(crate) client_id_claims: &'s str,
    /// The plan has a rate and a quota, which never deny.
    pub(crate) limited: bool,
}

/// Where a gateway listens.
#[derive(Debug, Clone)]
pub(crate) struct Addresses {
    pub(crate) callers: String,
    pub(crate) metrics: String,
}

/// Counters of the gateway that a round changes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Counters {
    pub(crate) cache_hits: f64,
    pub(crate) cache_misses: f64,
    pub(crate) cache_stale: f64,
    pub(crate) reloads: f64,
}

/// The claim that tokens name their client by, twice: alone, and after one that they do not have.
pub(crate) const CLIENT_ID_CLAIMS: [&str; 2] = [r#"["azp"]"#, r#"["client_id", "azp"]"#];

pub(crate) fn command(tollgate: &Path, configuration: &Path) -> Words {
    let [tollgate, configuration] = [tollgate, configuration].map(|path| path.display().to_string());
    [&tollgate, "run", "--config", &configuration]
        .map(str::to_owned)
        .into()
}

/// What one round changed.
impl std::ops::Sub for Counters {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            cache_hits: self.cache_hits - before.cache_hits,
            cache_misses: self.cache_misses - before.cache_misses,
            cache_stale: self.cache_stale - before.cache_stale,
            reloads: self.reloads - before.reloads,
        }
    }
}

/// The whole of a configuration file.
pub(crate) fn configuration(setting: &Setting<'_>) -> String {
    let Setting {
        scenario,
        upstream,
        threads,
        keys,
        store,
        client_id_claims,
        limited,
    } = *setting;
    let limits = match limited {
        true => LIMITS,
        false => "",
    };
    let entries = scenario.cache_entries();
    let budget = scenario.forgery_settings();
    let state = store.map_or_else(String::new, |store| {
        let token = store.with_extension("token");
        let (store, token) = (store.display(), token.display());
        format!("[state]\npath = \"{store}\"\n[admin]\naddress = \"127.0.0.1:0\"\ntoken_file = \"{token}\"\n")
    });
    let keys = keys.filter(|_| scenario.verifies_tokens());
    let issuer = keys.map_or_else(String::new, |keys| {
        let (algorithm, file) = (keys.algorithm.name(), keys.public_pem());
        let file = file.display();
        format!(
            r#"[[issuer]]
name = "{ISSUER}"
algorithms = ["{algorithm}"]
audiences = ["{AUDIENCE}"]
keys = {{ {KID} = {{ file = "{file}" }} }}
client_id_claims = {client_id_claims}
"#
        )
    });
    let (claim_headers, security) = match scenario {
        Scenario::ApiKey => (String::new(), "security = \"api_key\"".to_owned()),
        Scenario::Plain | Scenario::Keyless => (String::new(), "security = \"keyless\"".to_owned()),
        Scenario::Jwt(..)
        | Scenario::Limited
        | Scenario::Subscriptions
        | Scenario::Reload
        | Scenario::Flood => (
            "claim_headers = { \"X-User\" = \"sub\" }".to_owned(),
            format!("security = \"jwt\"\nissuers = [\"{ISSUER}\"]"),
        ),
    };
    // A million subscriptions are in the store; elsewhere one is here.
    let subscription = match scenario {
        Scenario::Plain | Scenario::Keyless | Scenario::Subscriptions => String::new(),
        Scenario::Jwt(..) | Scenario::Limited | Scenario::ApiKey | Scenario::Reload | Scenario::Flood => {
            format!(
                r#"[[application]]
id = "{APPLICATION}"
client_ids = ["{CLIENT_ID}"]

[[subscription]]
application = "{APPLICATION}"
api = "{API}"
plan = "{PLAN}"
"#
            )
        }
    };
    format!(
        r#"[server]
threads = {threads}
token_cache_entries = {entries}
{budget}

[[listener]]
address = "127.0.0.1:0"

[metrics]
address = "127.0.0.1:0"

{state}
[[upstream]]
name = "load"
peers = ["{upstream}"]
connect_timeout = "1s"
read_timeout = "30s"

{issuer}
[[api]]
name = "{API}"
version = "1"
context_path = "/load"
upstream = "load"
{claim_headers}

[[api.plan]]
name = "{PLAN}"
{security}
{limits}

{subscription}"#
    )
}

/// Where a gateway listens, from its log in JSON, once it is ready.
pub(crate) fn addresses(log: &str) -> Option<Addresses> {
    let (mut callers, mut metrics, mut ready) = (None, None, false);
    for line in log.lines() {
        let Ok(record) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let fields = record.get("fields").unwrap_or(&record);
        let text = |name: &str| fields.get(name).and_then(Value::as_str);
        match (text("event"), text("name")) {
            (Some("listening"), Some("listener")) => callers = text("address").map(str::to_owned),
            (Some("listening"), Some("metrics")) => metrics = text("address").map(str::to_owned),
            (Some("ready"), _) => ready = true,
            _ => {}
        }
    }
    let (callers, metrics) = callers.zip(metrics).filter(|_| ready)?;
    Some(Addresses { callers, metrics })
}

/// The counters as they are now.
pub(crate) fn counters(metrics: &str) -> Result<Counters> {
    let answer = http::get(metrics, "/metrics", "").during("the gateway's metrics")?;
    Ok(counters_in(&String::from_utf8_lossy(&answer.body)))
}

fn counters_in(text: &str) -> Counters {
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.trim().parse().ok()).unwrap_or_default()
    };
    Counters {
        cache_hits: value("tollgate_token_cache_hits_total "),
        cache_misses: value("tollgate_token_cache_misses_total "),
        cache_stale: value("tollgate_token_cache_stale_total "),
        reloads: value("tollgate_config_reloads_total{result=\"success\"} "),
    }
}

#[cfg(test)]
mod tests {
    use super::{Counters, addresses, counters_in};

    #[test]
    fn a_gateway_is_found_once_it_is_ready() {
        let listening = r#"a line that is no JSON
{"level":"INFO","fields":{"event":"listening","name":"listener","address":"127.0.0.1:1"}}
{"level":"INFO","fields":{"event":"listening","name":"metrics","address":"127.0.0.1:2"}}
"#;
        assert!(addresses(listening).is_none(), "not ready");
        let ready = format!("{listening}{}", r#"{"fields":{"event":"ready"}}"#);
        let found = addresses(&ready).unwrap();
        assert_eq!(
            (found.callers.as_str(), found.metrics.as_str()),
            ("127.0.0.1:1", "127.0.0.1:2")
        );
    }

    #[test]
    fn counters_are_read_from_the_exposition() {
        let text = "# HELP tollgate_token_cache_hits_total x\n# TYPE tollgate_token_cache_hits_total counter\n\
            tollgate_token_cache_hits_total 41\ntollgate_token_cache_misses_total 7\n\
            tollgate_config_reloads_total{result=\"success\"} 3\ntollgate_config_reloads_total{result=\"rejected\"} 9\n";
        let expected = Counters {
            cache_hits: 41.0,
            cache_misses: 7.0,
            cache_stale: 0.0,
            reloads: 3.0,
        };
        assert_eq!(counters_in(text), expected);
    }
}

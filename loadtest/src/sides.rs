//! The proxies that are compared: how each is started, and that each does the same work.
//! A refused request costs less than a served one, and an unchecked token nothing, so nothing is measured before that.

use std::collections::BTreeSet;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::failure::{Failure, Result, While as _};
use crate::gateway::{self, Addresses, CLIENT_ID_CLAIMS, PATH};
use crate::http::{self, Answer};
use crate::peers;
use crate::places;
use crate::process::{Process, Words};
use crate::scenario::Scenario;
use crate::store;
use crate::tokens::{Keys, forged};

const CONNECT_MAX: Duration = Duration::from_secs(1);

/// One of the proxies compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Gateway,
    /// The same binary a second time: what a difference between equals looks like.
    GatewayAgain,
    /// The same binary with one worker, however many the others have.
    GatewayOneWorker,
    /// The same binary, with a rate and a quota that never deny.
    GatewayLimited,
    /// Another binary.
    GatewayOther,
    Baseline,
    BaselineAgain,
    /// A runtime for each thread, in place of one whose threads take work from each other.
    BaselineNoSteal,
    Haproxy,
    Nginx,
    Envoy,
    EnvoyCache,
}

/// The programs that this repository builds.
#[derive(Debug, Clone)]
pub(crate) struct Binaries {
    pub(crate) tollgate: PathBuf,
    pub(crate) other: Option<PathBuf>,
    pub(crate) bare_proxy: PathBuf,
    pub(crate) origin: PathBuf,
}

/// What every request of a scenario may carry.
#[derive(Debug)]
pub(crate) enum Credentials {
    None,
    Tokens { keys: Keys, tokens: Vec<String> },
    ApiKey(String),
}

/// What sides are started with.
#[derive(Debug)]
pub(crate) struct Stage<'s> {
    pub(crate) scenario: Scenario,
    pub(crate) binaries: &'s Binaries,
    pub(crate) credentials: &'s Credentials,
    pub(crate) upstream: SocketAddr,
    pub(crate) threads: usize,
    pub(crate) proxy_cores: &'s [usize],
    /// Of this run alone.
    pub(crate) directory: &'s Path,
}

/// A side that takes requests.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) side: Side,
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    /// Of a gateway.
    pub(crate) metrics: Option<String>,
    /// Of a gateway: its configuration file.
    pub(crate) configuration: Option<PathBuf>,
}

const SIDES: [(Side, &str); 12] = [
    (Side::Gateway, "gateway"),
    (Side::GatewayAgain, "gateway-again"),
    (Side::GatewayOneWorker, "gateway-one-worker"),
    (Side::GatewayLimited, "gateway-limited"),
    (Side::GatewayOther, "gateway-other"),
    (Side::Baseline, "baseline"),
    (Side::BaselineAgain, "baseline-again"),
    (Side::BaselineNoSteal, "baseline-no-steal"),
    (Side::Haproxy, "haproxy"),
    (Side::Nginx, "nginx"),
    (Side::Envoy, "envoy"),
    (Side::EnvoyCache, "envoy-cache"),
];

// === impl Side ===

impl Side {
    pub(crate) fn name(self) -> &'static str {
        let named = SIDES.iter().find(|(side, _)| *side == self);
        named.map_or("", |(_, name)| *name)
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        SIDES
            .iter()
            .find(|(_, known)| *known == name)
            .map(|(side, _)| *side)
    }

    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        SIDES.iter().map(|(_, name)| *name)
    }

    pub(crate) fn is_gateway(self) -> bool {
        matches!(
            self,
            Self::Gateway
                | Self::GatewayAgain
                | Self::GatewayOneWorker
                | Self::GatewayLimited
                | Self::GatewayOther
        )
    }

    pub(crate) fn is_baseline(self) -> bool {
        matches!(self, Self::Baseline | Self::BaselineAgain | Self::BaselineNoSteal)
    }

    pub(crate) fn is_peer(self) -> bool {
        !self.is_gateway() && !self.is_baseline()
    }

    /// nginx as it comes with Debian verifies no tokens.
    pub(crate) fn can_verify(self) -> bool {
        !self.is_baseline() && self != Self::Nginx
    }

    /// What it answers to the requests of a scenario.
    pub(crate) fn status_expected(self, scenario: Scenario) -> u16 {
        if scenario.is_forged() && self.can_verify() {
            401
        } else {
            200
        }
    }
}

// === impl Credentials ===

impl Credentials {
    /// Whole header lines of the request with this number.
    pub(crate) fn fields(&self, number: usize) -> String {
        match self {
            Self::None => String::new(),
            Self::Tokens { tokens, .. } => bearer(
                tokens
                    .get(number.checked_rem(tokens.len()).unwrap_or_default())
                    .map_or("", String::as_str),
            ),
            Self::ApiKey(key) => format!("{}: {key}\r\n", gateway::API_KEY_FIELD),
        }
    }

    /// How many different ones there are.
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::None | Self::ApiKey(_) => 1,
            Self::Tokens { tokens, .. } => tokens.len(),
        }
    }

    pub(crate) fn keys(&self) -> Option<&Keys> {
        match self {
            Self::Tokens { keys, .. } => Some(keys),
            Self::None | Self::ApiKey(_) => None,
        }
    }

    /// What must be refused: nothing at all, and the like of these.
    fn bad(&self) -> Vec<(&'static str, String)> {
        let missing = ("is missing", String::new());
        match self {
            Self::None => Vec::new(),
            Self::Tokens { tokens, .. } => {
                let token = tokens.first().map_or("", String::as_str);
                vec![missing, ("is forged", bearer(&forged(token)))]
            }
            Self::ApiKey(key) => vec![
                missing,
                ("is unknown", format!("{}: {key}x\r\n", gateway::API_KEY_FIELD)),
            ],
        }
    }
}

// === impl Running ===

impl Running {
    pub(crate) fn start(side: Side, stage: &Stage<'_>) -> Result<Self> {
        let directory = places::private_directory(&stage.directory.join(side.name()))?;
        let log = stage.directory.join(format!("{}.log", side.name()));
        let started = |words: &Words| Process::start(side.name(), words, stage.proxy_cores, &log);
        if side.is_gateway() {
            let configuration = places::private_directory(&directory.join("etc"))?.join("tollgate.toml");
            let store = store_of(stage.scenario, stage.credentials, &directory)?;
            let mut setting = setting(stage, store.as_deref());
            if side == Side::GatewayOneWorker {
                setting.threads = 1;
            }
            setting.limited = side == Side::GatewayLimited;
            write_whole(&configuration, &gateway::configuration(&setting))?;
            let binary = match side {
                Side::GatewayOther => stage.binaries.other.as_ref(),
                _ => Some(&stage.binaries.tollgate),
            };
            let binary = binary.ok_or_else(|| Failure::new("gateway-other needs --other"))?;
            let mut process = started(&gateway::command(binary, &configuration))?;
            let Addresses { callers, metrics } = process.wait_until(gateway::addresses)?;
            return Ok(Self {
                side,
                process,
                address: callers.parse().during("the gateway's address")?,
                metrics: Some(metrics),
                configuration: Some(configuration),
            });
        }
        let listen = free_address()?;
        let words = if side.is_peer() {
            let setting = peers::Setting {
                listen,
                upstream: stage.upstream,
                keys: stage
                    .credentials
                    .keys()
                    .filter(|_| stage.scenario.verifies_tokens() && side.can_verify()),
                directory: &directory,
                cache_entries: stage.scenario.cache_entries(),
            };
            peers::command(side, &setting)?
        } else {
            bare_proxy(side, stage, listen)
        };
        let mut process = started(&words)?;
        process.wait_until(|_| TcpStream::connect_timeout(&listen, CONNECT_MAX).ok())?;
        Ok(Self {
            side,
            process,
            address: listen,
            metrics: None,
            configuration: None,
        })
    }

    /// One request by hand.
    pub(crate) fn ask(&self, fields: &str) -> Result<Answer> {
        http::get(&self.address.to_string(), PATH, fields)
            .during(format!("{} does not answer", self.side.name()))
    }

    /// Fails unless so many of the requests are answered as expected.
    pub(crate) fn check_some(
        &self,
        scenario: Scenario,
        credentials: &Credentials,
        count: usize,
    ) -> Result<()> {
        let expected = self.side.status_expected(scenario);
        for number in 0..count {
            let Answer { status, body } = self.ask(&credentials.fields(number))?;
            if status != expected {
                return Err(Failure::new(format!(
                    "{} answers {status} to a request of {scenario} that asks for {expected}: {}",
                    self.side.name(),
                    String::from_utf8_lossy(&body)
                )));
            }
        }
        Ok(())
    }
}

/// What is compared must be the same work: one answer from all sides, and sides that really decide.
pub(crate) fn check(
    sides: &[Running],
    scenario: Scenario,
    credentials: &Credentials,
    good: &str,
) -> Result<()> {
    let mut bodies = BTreeSet::new();
    for running in sides {
        let Answer { status, body } = running.ask(good)?;
        if status != 200 {
            return Err(Failure::new(format!(
                "{} answers {status} to a good request of {scenario}: {}",
                running.side.name(),
                String::from_utf8_lossy(&body)
            )));
        }
        bodies.insert(body);
        running.check_some(scenario, credentials, 3)?;
    }
    if bodies.len() != 1 {
        return Err(Failure::new("the sides answer with different bodies"));
    }
    let decides = scenario.verifies_tokens() || scenario == Scenario::ApiKey;
    for running in sides
        .iter()
        .filter(|running| decides && running.side.can_verify())
    {
        for (what, fields) in credentials.bad() {
            let Answer { status, .. } = running.ask(&fields)?;
            if status != 401 {
                return Err(Failure::new(format!(
                    "{} answers {status} where a credential {what}: nothing is verified here",
                    running.side.name()
                )));
            }
        }
    }
    Ok(())
}

/// Changes what a gateway is told: its claims are mapped in one of two ways.
pub(crate) fn reconfigure(configuration: &Path, number: usize) -> Result<()> {
    let text = fs::read_to_string(configuration).during(configuration.display())?;
    let [one, other] = CLIENT_ID_CLAIMS.map(|claims| format!("client_id_claims = {claims}"));
    let text = if number.is_multiple_of(2) {
        text.replace(&one, &other)
    } else {
        text.replace(&other, &one)
    };
    write_whole(configuration, &text)
}

pub(crate) fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

pub(crate) fn setting<'s>(stage: &'s Stage<'_>, store: Option<&'s Path>) -> gateway::Setting<'s> {
    let [claims, _] = CLIENT_ID_CLAIMS;
    gateway::Setting {
        scenario: stage.scenario,
        upstream: stage.upstream,
        threads: stage.threads,
        keys: stage.credentials.keys(),
        store,
        client_id_claims: claims,
        limited: false,
    }
}

pub(crate) fn bare_proxy(side: Side, stage: &Stage<'_>, listen: SocketAddr) -> Words {
    let mut words = vec![
        stage.binaries.bare_proxy.display().to_string(),
        format!("--listen={listen}"),
        format!("--upstream={}", stage.upstream),
        format!("--threads={}", stage.threads),
    ];
    if side == Side::BaselineNoSteal {
        words.push("--no-steal".to_owned());
    }
    words
}

/// An address nobody listens on; most proxies cannot tell which port the system gave them.
pub(crate) fn free_address() -> Result<SocketAddr> {
    let probe = TcpListener::bind(("127.0.0.1", 0)).during("a free port")?;
    probe.local_addr().during("a free port")
}

fn store_of(scenario: Scenario, credentials: &Credentials, directory: &Path) -> Result<Option<PathBuf>> {
    let path = directory.join("state.redb");
    match (scenario, credentials) {
        (Scenario::ApiKey, Credentials::ApiKey(key)) => store::with_api_key(&path, key)?,
        (Scenario::Subscriptions, _) => store::with_subscriptions(&path)?,
        _ => return Ok(None),
    }
    Ok(Some(path))
}

/// Put in place in one step: whoever reads sees the old text or the new one.
fn write_whole(path: &Path, text: &str) -> Result<()> {
    let beside = path.with_extension("new");
    fs::write(&beside, text).during(beside.display())?;
    fs::rename(&beside, path).during(path.display())
}

#[cfg(test)]
mod tests {
    use super::{Side, fs, reconfigure};

    #[test]
    fn every_side_is_found_by_its_name() {
        assert_eq!(Side::names().filter_map(Side::parse).count(), 12);
        assert!(Side::names().all(|name| Side::parse(name).is_some_and(|side| side.name() == name)));
    }

    #[test]
    fn a_configuration_goes_back_and_forth() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("t.toml");
        let first = "a = 1\nclient_id_claims = [\"azp\"]\n";
        fs::write(&path, first).unwrap();
        let texts: Vec<String> = (0..4)
            .map(|number| {
                reconfigure(&path, number).unwrap();
                fs::read_to_string(&path).unwrap()
            })
            .collect();
        assert_eq!([&texts[1], &texts[3]], [first, first]);
        assert_eq!(texts[0], texts[2]);
        assert_ne!(texts[0], first);
    }
}

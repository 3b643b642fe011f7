//! Other proxies beside which the gateway is put: those that are installed, each in its best fair configuration.
//!
//! Fair means: one worker, the same upstream with connections kept alive, no access log, and where a proxy verifies
//! tokens, the same checks as the gateway's plan: algorithm, issuer, audience, times, signature, and a claim handed to the
//! upstream. None of them knows applications and subscriptions. `make load-tools` installs them.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result, While as _};
use crate::machine::first_line;
use crate::places;
use crate::process::Words;
use crate::sides::Side;
use crate::tokens::{AUDIENCE, ISSUER, Keys};

const HAPROXY: &str = include_str!("../peers/haproxy.cfg");
const HAPROXY_JWT: &str = include_str!("../peers/haproxy-jwt.cfg");
const NGINX: &str = include_str!("../peers/nginx.conf");
const ENVOY: &str = include_str!("../peers/envoy.json");
const ENVOY_JWT: &str = include_str!("../peers/envoy-jwt.json");

/// A token that is longer than this is not remembered by Envoy; ours have some hundred bytes.
const ENVOY_TOKEN_BYTES_MAX: usize = 8_192;
/// What Envoy's cache holds where it is to hold all tokens: it needs about 7 KiB for one.
const ENVOY_CACHE_ENTRIES_MAX: usize = 20_000;

/// What a configuration is made from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting<'s> {
    pub(crate) listen: SocketAddr,
    pub(crate) upstream: SocketAddr,
    /// With keys, tokens are verified.
    pub(crate) keys: Option<&'s Keys>,
    /// Where it may write.
    pub(crate) directory: &'s Path,
    /// For Envoy with its cache.
    pub(crate) cache_entries: usize,
}

/// Where a peer is, if it is installed.
pub(crate) fn executable(side: Side) -> Result<PathBuf> {
    let found = match side {
        Side::Envoy | Side::EnvoyCache => places::envoy(),
        other => places::program(other.name()),
    };
    found.ok_or_else(|| Failure::new(format!("{} is not installed: make load-tools", side.name())))
}

/// What it says of itself.
pub(crate) fn version(side: Side) -> String {
    let flag = match side {
        Side::Envoy | Side::EnvoyCache => "--version",
        _ => "-v",
    };
    executable(side).map_or_else(
        |_| String::new(),
        |path| first_line(&path.to_string_lossy(), &[flag]),
    )
}

/// Writes the peer's configuration and returns what starts it in the foreground.
pub(crate) fn command(side: Side, setting: &Setting<'_>) -> Result<Words> {
    let own = executable(side)?.display().to_string();
    let directory = setting.directory.display().to_string();
    let file = setting.directory.join(format!("{}.conf", side.name()));
    let configuration = file.display().to_string();
    let words: Vec<&str> = match side {
        Side::Haproxy => vec![&own, "-db", "-f", &configuration],
        Side::Nginx => vec![&own, "-e", "stderr", "-p", &directory, "-c", &configuration],
        _ => vec![
            &own,
            "--config-path",
            &configuration,
            "--concurrency",
            "1",
            "--log-level",
            "error",
            "--disable-hot-restart",
        ],
    };
    fs::write(&file, text(side, setting)?).during(file.display())?;
    Ok(words.into_iter().map(str::to_owned).collect())
}

fn text(side: Side, setting: &Setting<'_>) -> Result<String> {
    let Setting {
        listen,
        upstream,
        keys,
        directory,
        cache_entries,
    } = *setting;
    let mut values = vec![
        ("LISTEN", listen.to_string()),
        ("LISTEN_HOST", listen.ip().to_string()),
        ("LISTEN_PORT", listen.port().to_string()),
        ("UPSTREAM", upstream.to_string()),
        ("UPSTREAM_HOST", upstream.ip().to_string()),
        ("UPSTREAM_PORT", upstream.port().to_string()),
        ("DIRECTORY", directory.display().to_string()),
        ("ISSUER", ISSUER.to_owned()),
        ("AUDIENCE", AUDIENCE.to_owned()),
    ];
    if let Some(keys) = keys {
        // A JSON text inside a JSON text.
        let jwks = serde_json::Value::String(keys.jwks()?).to_string();
        values.push(("ALGORITHM", keys.algorithm.name().to_owned()));
        values.push(("PUBLIC_KEY", keys.public_pem().display().to_string()));
        values.push(("JWKS", jwks.trim_matches('"').to_owned()));
    }
    let entries = cache_entries.min(ENVOY_CACHE_ENTRIES_MAX);
    let cache = match side {
        Side::EnvoyCache => format!(
            r#", "jwt_cache_config": {{ "jwt_cache_size": {entries}, "jwt_max_token_size": {ENVOY_TOKEN_BYTES_MAX} }}"#
        ),
        _ => String::new(),
    };
    values.push(("CACHE", cache));
    let (whole, checks, place) = match side {
        Side::Haproxy => (HAPROXY, HAPROXY_JWT, "VERIFY"),
        Side::Nginx => (NGINX, "", "VERIFY"),
        _ => (ENVOY, ENVOY_JWT, "JWT"),
    };
    let checks = keys.map_or_else(String::new, |_| filled(checks, &values));
    values.push((place, checks));
    Ok(filled(whole, &values))
}

fn filled(template: &str, values: &[(&str, String)]) -> String {
    values.iter().fold(template.to_owned(), |text, (name, value)| {
        text.replace(&format!("{{{name}}}"), value)
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Setting, text};
    use crate::sides::Side;

    #[test]
    fn no_place_in_a_configuration_is_left_open() {
        for side in [Side::Haproxy, Side::Nginx, Side::Envoy, Side::EnvoyCache] {
            let setting = Setting {
                listen: ([127, 0, 0, 1], 1).into(),
                upstream: ([127, 0, 0, 1], 2).into(),
                keys: None,
                directory: Path::new("/tmp"),
                cache_entries: 4_096,
            };
            let text = text(side, &setting).unwrap();
            let open = text.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
            let open: Vec<_> = open
                .map(|(name, _)| name)
                .filter(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
                .collect();
            assert!(open.is_empty(), "{}: {open:?}", side.name());
            assert!(text.contains("127.0.0.1"), "{}", side.name());
        }
    }
}

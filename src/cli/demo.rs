//! `tollgate demo`: everything that is needed to see the gateway work, in one process, gone when it ends.
//!
//! It makes a signing key, writes the sample configuration and the key set to a directory of its own, starts the
//! gateway on them beside a sample upstream, and prints requests to try. The configuration is a real one: edit it while
//! the demo runs, and the gateway follows.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use async_trait::async_trait;
use clap::Args;
use http::Response;
use pingora::apps::http_app::ServeHttp;
use pingora::protocols::http::ServerSession;
use serde_json::{Map, Value, json};
use tracing::level_filters::LevelFilter;

use super::{fail, keys, run, say};
use crate::app::{App, Bound, bind, catch_hangups, start_log};
use crate::exit;
use crate::mint::SigningKey;
use crate::time::Clock;
use crate::token::Algorithm;

/// The sample configuration; `{...}` in capitals is filled in.
const CONFIGURATION: &str = include_str!("demo.toml");
const ISSUER: &str = "https://demo.tollgate.invalid/";
const AUDIENCE: &str = "https://api.tollgate.invalid";
const KID: &str = "demo-1";
/// Long enough to play with, short enough to be worthless tomorrow.
const TOKEN_LIFETIME: Duration = Duration::from_secs(8 * 3600);

/// Names that are tried for the demo's directory.
const DIRECTORIES_MAX: u32 = 100;

/// Quick start.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// The port to listen on; the next free one is taken if this one is not.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// The port for metrics; the next free one is taken if this one is not.
    #[arg(long, default_value_t = 9190)]
    metrics_port: u16,
}

/// Answers every request with what it saw of it.
struct SampleUpstream;

/// A directory that goes when the demo ends.
struct Scratch(PathBuf);

// === impl Demo ===

impl Demo {
    pub(super) fn run(self) -> ExitCode {
        let hangups = match catch_hangups() {
            Ok(hangups) => hangups,
            Err(error) => return fail(exit::FAILED, &format!("signals cannot be caught: {error}")),
        };
        start_log(LevelFilter::WARN);
        let scratch = match Scratch::new() {
            Ok(scratch) => scratch,
            Err(error) => return fail(exit::FAILED, &format!("no directory for the demo: {error}")),
        };
        let upstream = match bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))) {
            Ok(upstream) => upstream,
            Err(error) => return fail(exit::CANNOT_BIND, &error.to_string()),
        };
        let prepared = SigningKey::generate(Algorithm::Es256)
            .map_err(|error| error.to_string())
            .and_then(|key| {
                self.write(&scratch.0, &upstream, &key)
                    .map(|tokens| (key, tokens))
            });
        let tokens = match prepared {
            Ok((_, tokens)) => tokens,
            Err(error) => return fail(exit::FAILED, &error),
        };
        let config = scratch.0.join("tollgate.toml");
        let mut app = match App::prepare(config.clone()) {
            Ok(app) => app,
            Err(error) => return run::refused(&error),
        };
        app.serve_beside("sample upstream", upstream, SampleUpstream);
        let (Some(address), Some(metrics)) = (app.addresses().first().copied(), app.metrics_address()) else {
            return fail(exit::FAILED, "the sample configuration has no listener");
        };
        let welcome = welcome(address, metrics, &config, &tokens);
        app.when_ready(move || say(&welcome));
        app.at_exit(move || drop(scratch));
        run::serve(app, hangups)
    }

    /// Writes configuration and key set; returns a token for everything and one for reading only.
    fn write(&self, directory: &Path, upstream: &Bound, key: &SigningKey) -> Result<[String; 2], String> {
        let configuration = CONFIGURATION
            .replace("{PORT}", &free_port(self.port).to_string())
            .replace("{METRICS_PORT}", &free_port(self.metrics_port).to_string())
            .replace("{UPSTREAM}", &upstream.address.to_string())
            .replace("{ISSUER}", ISSUER)
            .replace("{AUDIENCE}", AUDIENCE);
        let write = |name: &str, text: &str| {
            std::fs::write(directory.join(name), text).map_err(|error| format!("{name}: {error}"))
        };
        write("tollgate.toml", &configuration)?;
        write("jwks.json", &keys::jwks(key, KID))?;
        let now = Clock.now();
        let token = |scope: &str| {
            let claims = json!({
                "iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "azp": "demo-app", "scope": scope,
                "https://demo.tollgate.invalid/roles": ["cook", "waiter"],
                "iat": now.seconds(), "exp": now.plus(TOKEN_LIFETIME).seconds(),
            });
            key.mint(Some(KID), &claims).map_err(|error| error.to_string())
        };
        Ok([token("menu:read menu:write")?, token("menu:read")?])
    }
}

/// The port, if it is free; else one that is.
fn free_port(port: u16) -> u16 {
    let local = |port| bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    local(port)
        .or_else(|_| local(0))
        .map_or(0, |bound| bound.address.port())
}

fn welcome(address: SocketAddr, metrics: SocketAddr, config: &Path, tokens: &[String; 2]) -> String {
    let [all, read] = tokens;
    format!(
        "\
Tollgate listens on http://{address}, metrics on http://{metrics}/metrics.
The configuration is {config}; edit it, and the gateway follows.

# 200: the token is valid, its application has a subscription, its scopes suffice
curl -i http://{address}/orders/menu/1 -H 'Authorization: Bearer {all}'

# 401: no token
curl -i http://{address}/orders/menu/1

# 403: the token lacks the scope menu:write
curl -i -X DELETE http://{address}/orders/menu/1 -H 'Authorization: Bearer {read}'

# 200: a keyless plan
curl -i http://{address}/status

Ctrl-C stops everything.",
        config = config.display(),
    )
}

// === impl SampleUpstream ===

#[async_trait]
impl ServeHttp for SampleUpstream {
    async fn response(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
        let request = session.req_header();
        let mut headers = Map::new();
        for (name, value) in &request.headers {
            headers.insert(name.to_string(), json!(String::from_utf8_lossy(value.as_bytes())));
        }
        let seen = json!({
            "upstream": "sample",
            "method": request.method.as_str(),
            "path": request.uri.path(),
            "query": request.uri.query(),
            "headers": Value::Object(headers),
        });
        // Whatever body came is taken, so that the connection can be kept.
        while let Ok(Some(_)) = session.read_request_body().await {}
        let body = format!("{seen:#}\n").into_bytes();
        Response::builder()
            .header(http::header::CONTENT_TYPE, "application/json")
            .header(http::header::CONTENT_LENGTH, body.len())
            .body(body)
            .unwrap_or_default()
    }
}

// === impl Scratch ===

impl Scratch {
    fn new() -> std::io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt as _;
        // In a container every process may have the same id, and a killed demo leaves its directory.
        for number in 0..DIRECTORIES_MAX {
            let path = std::env::temp_dir().join(format!("tollgate-demo-{}-{number}", std::process::id()));
            match std::fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(std::io::ErrorKind::AlreadyExists.into())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is in the system's temporary directory, and says whose it is.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

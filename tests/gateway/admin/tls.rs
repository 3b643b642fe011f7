//! The door of the admin API: certificates on both sides, and connections that nobody means well with.
//! Rows are what is configured, what a caller shows, and how far that brings them.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;
use tollgate::token::Algorithm::Es256;

use super::{config, json_body};
use crate::harness::{Gateway, Issuer, Request, Upstream, get, post, request, wait_until};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// An address, what stands in `[admin]` besides, a file in place of the good one, and what is said, if anything.
type Row<'r> = (&'r str, &'r str, Option<(&'r str, &'r str)>, &'r str);

/// A certificate and its key.
struct Pair {
    certificate: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
}

fn pair(authority: &Authority, name: &str, expired: bool) -> Pair {
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    if expired {
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    }
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    Pair {
        pem: certificate.pem(),
        certificate: certificate.der().clone(),
        key,
    }
}

/// A gateway whose `[admin]` has these keys in place of the token file's.
struct Door {
    gateway: Gateway,
    server: Authority,
    clients: Authority,
    _upstream: Upstream,
}

const TLS: &str = "tls = { certificate = \"tls/admin.pem\", key = \"tls/admin.key\" }";
const MUTUAL: &str =
    "tls = { certificate = \"tls/admin.pem\", key = \"tls/admin.key\", client_ca = \"tls/clients.pem\" }";
const TOKEN: &str = "token_file = \"admin.token\"";

fn files(
    admin: &str,
    server: &Authority,
    clients: &Authority,
) -> (Upstream, String, Vec<(&'static str, String)>) {
    let upstream = Upstream::start();
    let text = config(&upstream, "").replace(TOKEN, admin);
    let shown = pair(server, "admin", false);
    let acme = Issuer::new("https://acme.example/", "k1", Es256);
    let files = vec![
        ("acme.json", acme.jwks()),
        ("tls/admin.pem", shown.pem.clone()),
        ("tls/admin.key", shown.key.serialize_pem()),
        ("tls/clients.pem", clients.pem()),
    ];
    (upstream, text, files)
}

// === impl Door ===

impl Door {
    fn start(admin: &str) -> Self {
        let (server, clients) = (authority(), authority());
        let (upstream, text, files) = files(admin, &server, &clients);
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let gateway = Gateway::start_with(&text, &files);
        Self {
            gateway,
            server,
            clients,
            _upstream: upstream,
        }
    }

    fn address(&self) -> SocketAddr {
        self.gateway.admin_address()
    }

    fn token(&self) -> String {
        let file = self.gateway.directory().join("admin.token");
        std::fs::read_to_string(file).unwrap().trim_end().to_owned()
    }

    /// What comes of a request over TLS: nothing, if the connection is refused.
    fn ask(&self, request: Request, shown: Option<&Pair>) -> Option<(u16, Value)> {
        let (text, _) = self.exchange(request, shown)?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, serde_json::from_str(body).unwrap_or_default()))
    }

    /// The whole answer, and the certificate that the gateway showed.
    fn exchange(&self, request: Request, shown: Option<&Pair>) -> Option<(String, CertificateDer<'static>)> {
        let mut stream = self.connect(shown);
        let request = request
            .host(&self.address().to_string())
            .header("Connection", "close");
        stream.write_all(&request.bytes()).ok()?;
        let mut text = Vec::new();
        let _ = stream.read_to_end(&mut text);
        let certificate = stream.conn.peer_certificates()?.first()?.clone().into_owned();
        Some((String::from_utf8_lossy(&text).into_owned(), certificate))
    }

    /// A connection on which no byte has gone yet.
    fn connect(&self, shown: Option<&Pair>) -> StreamOwned<ClientConnection, TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(self.server.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = builder.with_root_certificates(roots);
        let config = match shown {
            None => builder.with_no_client_auth(),
            Some(pair) => {
                let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pair.key.serialize_der()));
                builder
                    .with_client_auth_cert(vec![pair.certificate.clone()], key)
                    .unwrap()
            }
        };
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let session = ClientConnection::new(Arc::new(config), name).unwrap();
        StreamOwned::new(session, connect(self.address()))
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

#[test]
fn everything_that_is_configured_is_asked_for() {
    let rows = [
        // What is configured, what is shown; the status, or none if no answer comes at all.
        (format!("{TOKEN}\n{TLS}"), "nothing", "no token", Some(401)),
        (format!("{TOKEN}\n{TLS}"), "nothing", "token", Some(200)),
        (format!("{TOKEN}\n{TLS}"), "good", "no token", Some(401)),
        (MUTUAL.to_owned(), "nothing", "no token", None),
        (MUTUAL.to_owned(), "good", "no token", Some(200)),
        (MUTUAL.to_owned(), "stranger", "no token", None),
        (MUTUAL.to_owned(), "expired", "no token", None),
        (MUTUAL.to_owned(), "of the server", "no token", None),
        (format!("{TOKEN}\n{MUTUAL}"), "good", "no token", Some(401)),
        (format!("{TOKEN}\n{MUTUAL}"), "good", "wrong", Some(401)),
        (format!("{TOKEN}\n{MUTUAL}"), "nothing", "token", None),
        (format!("{TOKEN}\n{MUTUAL}"), "stranger", "token", None),
        (format!("{TOKEN}\n{MUTUAL}"), "good", "token", Some(200)),
    ];
    let stranger = authority();
    let mut started: Option<(String, Door)> = None;
    for (admin, certificate, token, expected) in rows {
        if started.as_ref().is_none_or(|(own, _)| *own != admin) {
            started = Some((admin.clone(), Door::start(&admin)));
        }
        let (_, door) = started.as_ref().unwrap();
        let shown = match certificate {
            "nothing" => None,
            "stranger" => Some(pair(&stranger, "alice", false)),
            "of the server" => Some(pair(&door.server, "alice", false)),
            word => Some(pair(&door.clients, "alice", word == "expired")),
        };
        let request = get("/v1/snapshot");
        let request = match token {
            "no token" => request,
            "wrong" => request.bearer("wrong"),
            _ => request.bearer(&door.token()),
        };
        let answer = door.ask(request, shown.as_ref());
        let status = answer.map(|(status, _)| status);
        assert_eq!(status, expected, "{admin}: {certificate}, {token}");
    }
}

#[test]
fn a_page_in_a_browser_changes_nothing_although_the_browser_shows_the_certificate() {
    for (admin, token) in [(MUTUAL.to_owned(), false), (format!("{TOKEN}\n{MUTUAL}"), true)] {
        let door = Door::start(&admin);
        let alice = pair(&door.clients, "alice", false);
        let ask = |asked: Request| {
            let asked = if token { asked.bearer(&door.token()) } else { asked };
            let (status, answer) = door.ask(asked, Some(&alice)).unwrap();
            (status, answer["code"].as_str().unwrap_or_default().to_owned())
        };
        let done = |status| (status, String::new());
        let refused = (403, "cross_origin".to_owned());
        let close = || request("POST", "/v1/plans/orders/gold/close").header("Content-Length", "0");
        let site = |site| close().header("Sec-Fetch-Site", site);
        let origin = format!("https://{}", door.address());
        for (row, asked) in [
            close().header("Origin", "https://evil.example"),
            close().header("Origin", "null"),
            close().header("Origin", &origin),
            close()
                .header("Origin", &origin)
                .header("Sec-Fetch-Site", "same-origin"),
            site("cross-site"),
            site("same-site"),
            site("CROSS-SITE"),
            site(""),
            site("none").header("Sec-Fetch-Site", "cross-site"),
            request("DELETE", "/v1/applications/nobody").header("Origin", "https://evil.example"),
            request("PUT", "/v1/nothing").header("Origin", "https://evil.example"),
            request("POST", "/v1/reload")
                .header("Content-Length", "0")
                .header("Sec-Fetch-Site", "cross-site"),
        ]
        .into_iter()
        .enumerate()
        {
            assert_eq!(ask(asked), refused, "{admin}: row {row}");
        }
        // What changes nothing is only looked at, and cannot be read from a page.
        let looked = get("/v1/plans/orders/gold")
            .header("Origin", "https://evil.example")
            .header("Sec-Fetch-Site", "cross-site");
        assert_eq!(ask(looked), done(200), "{admin}");
        let deprecate = request("POST", "/v1/plans/orders/gold/deprecate").header("Content-Length", "0");
        assert_eq!(
            ask(deprecate.header("Sec-Fetch-Site", "none")),
            done(200),
            "{admin}"
        );
        assert_eq!(ask(site("same-origin")), done(200), "{admin}");
    }
}

#[test]
fn the_audit_log_names_the_certificate() {
    let door = Door::start(&format!("{TOKEN}\n{MUTUAL}"));
    let token = door.token();
    let alice = pair(&door.clients, "alice\u{7}", false);
    let new = json_body(post("/v1/applications", "{\"id\":\"mobile\"}")).bearer(&token);
    assert_eq!(door.ask(new, Some(&alice)).unwrap().0, 201);
    let (_, audit) = door.ask(get("/v1/audit").bearer(&token), Some(&alice)).unwrap();
    let actor = audit["items"][0]["actor"].as_str().unwrap();
    assert!(
        actor.starts_with("certificate:") && actor.contains("CN=alice"),
        "{actor}"
    );
    assert!(!actor.chars().any(char::is_control), "{actor:?}");
    // Whoever speaks HTTP to it gets nothing of HTTP.
    let mut stream = connect(door.address());
    stream
        .write_all(&get("/v1/snapshot").bearer(&token).bytes())
        .unwrap();
    let mut answered = Vec::new();
    let _ = stream.read_to_end(&mut answered);
    assert!(!answered.starts_with(b"HTTP"), "{answered:?}");
}

#[test]
fn a_new_certificate_needs_no_restart_and_a_bad_one_changes_nothing() {
    let door = Door::start(&format!("{TOKEN}\n{TLS}"));
    let token = door.token();
    let shown = || door.exchange(get("/v1/snapshot").bearer(&token), None).unwrap();
    let (_, first) = shown();
    door.gateway.write("tls/admin.pem", "no certificate");
    door.gateway
        .wait_for_log(|line| line["event"] == "configuration_rejected");
    assert_eq!(shown().1, first);
    let next = pair(&door.server, "admin", false);
    door.gateway.write("tls/admin.key", &next.key.serialize_pem());
    door.gateway.write("tls/admin.pem", &next.pem);
    wait_until("the new certificate", || {
        (shown().1 == next.certificate).then_some(())
    });
    assert!(shown().0.starts_with("HTTP/1.1 200"));
}

#[test]
fn whose_authority_is_taken_away_has_nothing_done_on_an_open_connection_either() {
    let door = Door::start(MUTUAL);
    let alice = pair(&door.clients, "alice", false);
    let asked = get("/v1/snapshot").host(&door.address().to_string());
    let mut stream = door.connect(Some(&alice));
    let mut ask = || {
        stream.write_all(&asked.bytes()).unwrap();
        let mut text = String::new();
        while !text.ends_with('}') {
            let mut bytes = [0; 4096];
            let read = stream.read(&mut bytes).unwrap();
            assert!(read > 0, "{text}");
            text.push_str(&String::from_utf8_lossy(&bytes[..read]));
        }
        text
    };
    assert!(ask().starts_with("HTTP/1.1 200 "));
    // A reload that leaves the certificates as they are ends nothing.
    let generation = |text: &str| {
        text.split("\"generation\":")
            .nth(1)
            .map(|rest| rest[..1].to_owned())
    };
    let reload = request("POST", "/v1/reload").header("Content-Length", "0");
    assert_eq!(door.ask(reload, Some(&alice)).unwrap().0, 202);
    let reloaded = wait_until("the reload", || {
        let text = ask();
        (generation(&text).as_deref() != Some("1")).then_some(text)
    });
    assert!(reloaded.starts_with("HTTP/1.1 200 "), "{reloaded}");
    let others = authority();
    door.gateway.write("tls/clients.pem", &others.pem());
    let refused = wait_until("the new authority", || {
        let text = ask();
        (!text.starts_with("HTTP/1.1 200 ")).then_some(text)
    });
    assert!(refused.starts_with("HTTP/1.1 421 "), "{refused}");
    assert!(refused.contains("\"reconnect\""), "{refused}");
    assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0, "it stays open");
    assert!(door.ask(get("/v1/snapshot"), Some(&alice)).is_none());
    let bob = pair(&others, "bob", false);
    assert_eq!(door.ask(get("/v1/snapshot"), Some(&bob)).unwrap().0, 200);
}

#[test]
fn whoever_is_turned_away_is_counted_and_named_by_nothing_but_an_address() {
    let door = Door::start(&format!("{TOKEN}\n{MUTUAL}"));
    let alice = pair(&door.clients, "alice", false);
    let stranger = pair(&authority(), "stranger-4711", false);
    let planted = "planted-7f3c9b1e5d";
    let token = door.token();
    let ask = |asked: Request, shown: &Pair| door.ask(asked, Some(shown)).map(|(status, _)| status);
    for (count, status, asked) in [
        (2, Some(401), get(&format!("/{planted}")).bearer(planted)),
        (1, Some(401), get("/v1/snapshot")),
        (3, Some(200), get("/v1/snapshot").bearer(&token)),
        (
            2,
            Some(403),
            post(&format!("/v1/{planted}"), "{}")
                .bearer(&token)
                .header("Origin", planted),
        ),
    ] {
        for _ in 0..count {
            assert_eq!(ask(asked.clone(), &alice), status);
        }
    }
    for _ in 0..4 {
        assert_eq!(ask(get("/v1/snapshot").bearer(&token), &stranger), None);
    }
    let sum = |outcome| {
        let labels = [("outcome", outcome)];
        door.gateway
            .metrics()
            .sum("tollgate_admin_sign_ins_total", &labels)
    };
    for (outcome, count) in [
        ("unauthorized", 3.0),
        ("admitted", 3.0),
        ("cross_origin", 2.0),
        ("wrong_host", 0.0),
        ("reconnect", 0.0),
    ] {
        assert_eq!(sum(outcome), count, "{outcome}");
    }
    // A handshake may fail after the caller has been told.
    wait_until("all handshakes", || {
        (sum("handshake_failed") == 4.0).then_some(())
    });
    let lines: Vec<Value> = door
        .gateway
        .log_lines()
        .iter()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    for outcome in ["unauthorized", "cross_origin", "handshake_failed"] {
        let told = lines
            .iter()
            .filter(|line| line["event"] == "admin_refused" && line["outcome"] == outcome);
        let told: Vec<&Value> = told.collect();
        assert_eq!(told.len(), 1, "{outcome}: {told:?}");
        assert_eq!(
            (&told[0]["peer"], &told[0]["count"]),
            (&"127.0.0.1".into(), &1.into())
        );
    }
    let log = door.gateway.log_lines().join("\n");
    for secret in [planted, "stranger-4711", &token] {
        assert!(!log.contains(secret), "{secret}");
    }
}

#[test]
fn whoever_connects_and_says_nothing_keeps_nobody_out() {
    for admin in [TOKEN.to_owned(), format!("{TOKEN}\n{TLS}")] {
        let door = Door::start(&admin);
        let token = door.token();
        let ask = || match admin.contains("tls") {
            true => door
                .ask(get("/v1/snapshot").bearer(&token), None)
                .map(|(status, _)| status),
            false => {
                let request = get("/v1/snapshot")
                    .bearer(&token)
                    .host(&door.address().to_string());
                Some(request.send(door.address()).status)
            }
        };
        let begun = Instant::now();
        // Silent ones, those that stop in the head, and those that announce a body and have no token.
        let beginnings: [&[u8]; 3] = [
            b"",
            b"GET /v1/snapshot HTTP/1.1\r\nHost: ",
            b"POST /v1/applications HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n",
        ];
        let mut held = Vec::new();
        for round in 0..300 {
            let mut stream = connect(door.address());
            let _ = stream.write_all(beginnings[round % 3]);
            held.push(stream);
            if round % 50 == 49 {
                assert_eq!(ask(), Some(200), "{admin}: after {round} connections");
            }
        }
        assert!(
            begun.elapsed() < Duration::from_secs(8),
            "{admin}: {:?}",
            begun.elapsed()
        );
        // The oldest were closed for the sake of the newest; all others end by themselves.
        for mut stream in held {
            let ended = stream.read_to_end(&mut Vec::new());
            let late =
                ended.is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
            assert!(!late, "{admin}: a connection stays open");
        }
        assert!(
            begun.elapsed() < Duration::from_secs(25),
            "{admin}: {:?}",
            begun.elapsed()
        );
        assert_eq!(ask(), Some(200), "{admin}");
    }
}

#[test]
fn a_door_that_would_stand_open_is_a_mistake() {
    let (server, clients) = (authority(), authority());
    let other = KeyPair::generate().unwrap().serialize_pem();
    // What stands in [admin], a file instead of the good one, and what is said, if anything.
    let rows: [Row<'_>; 12] = [
        ("127.0.0.1:0", TOKEN, None, ""),
        ("0.0.0.0:0", TOKEN, None, "which others can reach, without TLS"),
        ("[::]:0", TOKEN, None, "which others can reach, without TLS"),
        (
            "0.0.0.0:0",
            &format!("{TOKEN}\ndanger_allow_http = true"),
            None,
            "",
        ),
        ("0.0.0.0:0", &format!("{TOKEN}\n{TLS}"), None, ""),
        ("0.0.0.0:0", MUTUAL, None, ""),
        ("127.0.0.1:0", "", None, "asks nobody who they are"),
        ("127.0.0.1:0", TLS, None, "asks nobody who they are"),
        (
            "127.0.0.1:0",
            MUTUAL,
            Some(("tls/clients.pem", "")),
            "it holds no certificate",
        ),
        (
            "127.0.0.1:0",
            MUTUAL,
            Some(("tls/admin.key", "")),
            "it holds no private key",
        ),
        (
            "127.0.0.1:0",
            MUTUAL,
            Some(("tls/admin.key", &other)),
            "cannot be used",
        ),
        (
            "127.0.0.1:0",
            "tls = { certificate = \"tls/admin.pem\" }",
            None,
            "missing required key `key`",
        ),
    ];
    for (row, (address, admin, file, said)) in rows.into_iter().enumerate() {
        let (_upstream, text, files) = files(admin, &server, &clients);
        let text = text.replacen(
            "address = \"127.0.0.1:0\"",
            &format!("address = \"{address}\""),
            1,
        );
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("tls")).unwrap();
        let main = directory.path().join("tollgate.toml");
        std::fs::write(
            &main,
            format!("{text}\n[[listener]]\naddress = \"127.0.0.1:0\"\n"),
        )
        .unwrap();
        for (name, text) in &files {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        if let Some((name, text)) = file {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        let check = Command::new(env!("CARGO_BIN_EXE_tollgate"))
            .args(["check", "--config"])
            .arg(&main)
            .output();
        let check = check.unwrap();
        let text = String::from_utf8_lossy(&check.stderr);
        assert_eq!(check.status.success(), said.is_empty(), "row {row}: {text}");
        assert!(text.contains(said), "row {row}: {text}");
    }
}

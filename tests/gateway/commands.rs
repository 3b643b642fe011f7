//! Every command as an operator or a script uses it: what it prints, what it leaves behind, and its exit code.
//!
//! Whatever waits does so for something that is printed, logged or answered.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{
    Answer, Connection, DEADLINE, Gateway, Response, Upstream, get, request, respond, wait_until,
};

/// `EX_CONFIG`
const BAD_CONFIGURATION: i32 = 78;
/// `EX_UNAVAILABLE`
const CANNOT_BIND: i32 = 69;
/// The command line itself is wrong.
const BAD_USAGE: i32 = 2;

/// Mistakes in the shape of the file, and what must be said about them; the shape must be right before names are
/// looked up.
const MISSHAPEN: &str = r#"[[listener]]
address = "127.0.0.1:99999"

[[api]]
name = "orders"
contextpath = "/orders"
context_path = "/orders"
upstream = "sample"
"#;
const SHAPE_MISTAKES: [&str; 5] = [
    "misshapen.toml:2:11",
    "2 | address = \"127.0.0.1:99999\"",
    "misshapen.toml:6:1",
    "6 | contextpath = \"/orders\"",
    "did you mean `context_path`?",
];

/// Mistakes in what its values mean.
const MISTAKEN: &str = r#"[[listener]]
address = "127.0.0.1:0"

[[issuer]]
name = "acme"
algorithms = ["ES256"]
audiences = ["orders"]
jwks.file = "missing.json"

[[upstream]]
name = "sample"
peers = ["127.0.0.1:1"]

[[api]]
name = "orders"
context_path = "/orders"
upstream = "simple"

[[api]]
name = "orders"
context_path = "/again"
upstream = "sample"

[[api.plan]]
name = "gold"
security = "jwt"
issuers = ["acne"]
"#;
const MEANING_MISTAKES: [&str; 8] = [
    "mistaken.toml:8:13",
    "missing.json",
    "mistaken.toml:17:12",
    "did you mean `sample`?",
    "mistaken.toml:20:8",
    "is defined twice; first at mistaken.toml:15:8",
    "mistaken.toml:27:12",
    "did you mean `acme`?",
];

fn tollgate(directory: &Path, args: &[&str]) -> Output {
    let output = command(directory, args).stdin(Stdio::null()).output();
    output.expect("the binary starts")
}

fn command(directory: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.current_dir(directory).args(args);
    command
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn check_and_run_refuse_a_bad_file_with_every_mistake_and_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let here = directory.path();
    let minimal = root.join("conf/minimal.toml");
    let checked = tollgate(here, &["check", "--config", minimal.to_str().unwrap()]);
    assert!(checked.status.success(), "{}", err(&checked));
    assert!(out(&checked).contains("valid"), "{}", out(&checked));

    std::fs::write(here.join("misshapen.toml"), MISSHAPEN).unwrap();
    std::fs::write(here.join("mistaken.toml"), MISTAKEN).unwrap();
    for command in ["check", "run"] {
        for (file, says) in [
            ("misshapen.toml", &SHAPE_MISTAKES[..]),
            ("mistaken.toml", &MEANING_MISTAKES),
            ("none.toml", &["none.toml"]),
        ] {
            let refused = tollgate(here, &[command, "--config", file]);
            let said = err(&refused);
            assert_eq!(
                refused.status.code(),
                Some(BAD_CONFIGURATION),
                "{command} {file}: {said}"
            );
            assert_eq!(out(&refused), "", "{command} {file}");
            for part in says {
                assert!(said.contains(part), "{command}: no `{part}` in\n{said}");
            }
        }
    }
}

#[test]
fn run_on_a_port_that_is_taken_ends_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let table = |name: &str, address: SocketAddr| format!("{name}\naddress = \"{address}\"\n");
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    for (listener, metrics) in [(address, any), (any, address)] {
        let config = table("[[listener]]", listener) + &table("[metrics]", metrics);
        std::fs::write(directory.path().join("tollgate.toml"), config).unwrap();
        let began = Instant::now();
        let refused = tollgate(directory.path(), &["run", "--config", "tollgate.toml"]);
        let took = began.elapsed();
        assert_eq!(refused.status.code(), Some(CANNOT_BIND), "{}", err(&refused));
        assert!(err(&refused).contains(&address.to_string()), "{}", err(&refused));
        assert!(took < Duration::from_secs(3), "{took:?}");
    }
}

#[test]
fn help_and_version_succeed_and_everything_unknown_fails() {
    let directory = tempfile::tempdir().unwrap();
    for (args, code, says) in [
        (&["--help"][..], 0, "Usage"),
        (&["--version"], 0, env!("CARGO_PKG_VERSION")),
        (&["run", "--help"], 0, "--config"),
        (&["keygen", "--help"], 0, "--algorithm"),
        (&[], BAD_USAGE, "Usage"),
        (&["serve"], BAD_USAGE, "serve"),
        (&["run", "--confg", "x"], BAD_USAGE, "--confg"),
        (&["keygen"], BAD_USAGE, "--out"),
        (
            &["keygen", "--out", "k.pem", "--algorithm", "none"],
            BAD_USAGE,
            "ES256",
        ),
    ] {
        let output = tollgate(directory.path(), args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", err(&output));
        let said = if code == 0 { out(&output) } else { err(&output) };
        assert!(said.contains(says), "{args:?}: {said}");
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn keygen_makes_a_private_file_once_and_its_tokens_pass_the_gateway() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let upstream = Upstream::start();
    let names = ["RS256", "PS384", "ES256", "ES384", "EdDSA", "HS256", "HS512"];
    let mut config = format!(
        "[[upstream]]\nname = \"sample\"\npeers = [\"{}\"]\n",
        upstream.address()
    );
    let mut key_sets = Vec::new();
    for name in names {
        let private = format!("{name}.pem");
        let args = ["keygen", "--algorithm", name, "--kid", "k", "--out", &private];
        let made = tollgate(here, &args);
        assert!(made.status.success(), "{name}: {}", err(&made));
        let mode = std::fs::metadata(here.join(&private))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
        let pem = std::fs::read_to_string(here.join(&private)).unwrap();
        let shared = name.starts_with("HS");
        assert_eq!(pem.starts_with("-----BEGIN PRIVATE KEY-----"), !shared, "{name}");
        assert!(
            !out(&made).contains("\"d\"") && !out(&made).contains(pem.trim()),
            "a private member in {}",
            out(&made)
        );

        let again = tollgate(here, &args);
        assert_eq!(again.status.code(), Some(1), "{name} is overwritten");
        assert!(err(&again).contains(&private), "{}", err(&again));
        assert_eq!(std::fs::read_to_string(here.join(&private)).unwrap(), pem);

        let keys = match shared {
            true => format!("secrets = {{ k = {{ file = \"{name}.txt\", encoding = \"base64url\" }} }}"),
            false => format!("jwks.file = \"{name}.json\""),
        };
        config += &format!(
            "[[issuer]]\nname = \"{name}\"\nalgorithms = [\"{name}\"]\naudiences = [\"orders\"]\n\
             {keys}\n\
             [[api]]\nname = \"{name}\"\ncontext_path = \"/{name}\"\nupstream = \"sample\"\n\
             claim_headers = {{ \"X-Tenant\" = \"tenant\" }}\n\
             [[api.plan]]\nname = \"open\"\nsecurity = \"jwt\"\nissuers = [\"{name}\"]\n\
             subscription_validation = false\n\
             [[api.route]]\npath = \"/\"\nscopes = [\"menu:read\"]\n"
        );
        match shared {
            true => key_sets.push((format!("{name}.txt"), pem)),
            false => key_sets.push((format!("{name}.json"), out(&made))),
        }
    }
    let files: Vec<_> = key_sets.iter().map(|(name, text)| (&**name, &**text)).collect();
    let gateway = Gateway::start_with(&config, &files);
    for name in names {
        let private = format!("{name}.pem");
        let mint = |more: &[&str]| {
            let usual = [
                "token",
                "--key",
                &private,
                "--algorithm",
                name,
                "--kid",
                "k",
                "--issuer",
                name,
                "--subject",
                "alice",
            ];
            let minted = tollgate(here, &[&usual, more].concat());
            assert!(minted.status.success(), "{name}: {}", err(&minted));
            let token = out(&minted).trim().to_owned();
            get(&format!("/{name}")).bearer(&token).send(gateway.address())
        };
        let good = [
            "--audience",
            "orders",
            "--scope",
            "menu:read",
            "--claim",
            "tenant=acme",
        ];
        let answer = mint(&good);
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        assert!(answer.text().contains("acme"), "{name}: {}", answer.text());
        assert_eq!(
            mint(&["--audience", "orders"]).code(),
            "insufficient_scope",
            "{name}"
        );
        assert_eq!(mint(&["--audience", "other"]).code(), "invalid_token", "{name}");
    }
    let missing = tollgate(here, &["token", "--key", "none.pem", "--issuer", "x"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(err(&missing).contains("none.pem"), "{}", err(&missing));
}

#[test]
fn the_demo_prints_requests_that_answer_as_announced_and_cleans_up() {
    let temporary = tempfile::tempdir().unwrap();
    for end in ["INT", "TERM"] {
        let mut demo = Demo::start(temporary.path());
        let lines = demo.read_to("Ctrl-C");
        let mut announced = Vec::new();
        for (above, line) in std::iter::zip(&lines, lines.iter().skip(1)) {
            let Some(expected) = above.strip_prefix("# ").and_then(|line| line.get(..3)) else {
                continue;
            };
            let answer = curl(line);
            assert_eq!(answer.status.to_string(), expected, "{line}: {}", answer.text());
            announced.push(expected.to_owned());
        }
        for status in ["200", "401", "403"] {
            assert!(
                announced.iter().any(|own| own == status),
                "no {status}: {lines:#?}"
            );
        }
        assert_eq!(entries(temporary.path()), 1, "a directory of the demo's own");
        signal(&demo.child, end);
        assert_eq!(demo.wait(), Some(0), "SIG{end}");
        assert_eq!(entries(temporary.path()), 0, "after SIG{end}");
    }
}

#[test]
fn sigterm_lets_a_slow_answer_finish_and_sigint_does_not_wait() {
    const PIECES: usize = 5;
    let upstream = Upstream::answering(|_| {
        let whole = respond(200, &[], &"x".repeat(1000));
        let pieces = whole.chunks(whole.len().div_ceil(PIECES)).map(<[u8]>::to_vec);
        Answer::Pieces(pieces.collect(), Duration::from_millis(300))
    });
    let config = format!(
        "[[upstream]]\nname = \"sample\"\npeers = [\"{}\"]\n\
         [[api]]\nname = \"status\"\ncontext_path = \"/status\"\nupstream = \"sample\"\n\
         [[api.plan]]\nname = \"public\"\nsecurity = \"keyless\"\n",
        upstream.address()
    );
    let mut gateway = Gateway::start(&config);
    // A connection that was open before may still ask how the gateway is; new ones are refused.
    let mut status = Connection::open(gateway.metrics_address());
    assert_eq!(status.ask(&get("/ready")).status, 200);
    thread::scope(|scope| {
        let slow = scope.spawn(|| get("/status").send(gateway.address()));
        upstream.take_one();
        gateway.signal("TERM");
        gateway.wait_for_log(|line| line["event"] == "stopping");
        assert_eq!(status.ask(&get("/ready")).status, 503);
        assert!(!slow.is_finished());
        let answer = slow.join().unwrap();
        assert_eq!((answer.status, answer.body.len()), (200, 1000));
    });
    assert!(gateway.wait_for_exit().success());
    assert_eq!(gateway.access_lines().len(), 1, "the slow request is logged");

    let mut gateway = Gateway::start(&config);
    let mut slow = Connection::open(gateway.address());
    slow.write(&get("/status").bytes());
    upstream.take_one();
    let began = Instant::now();
    gateway.signal("INT");
    assert!(gateway.wait_for_exit().success());
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

/// The demo as a process.
struct Demo {
    child: Child,
    lines: std::sync::mpsc::Receiver<String>,
}

impl Demo {
    /// Starts it with this directory for temporary files, on ports of the system's choice.
    fn start(temporary: &Path) -> Self {
        let mut child = command(temporary, &["demo", "--port", "0", "--metrics-port", "0"])
            .env("TMPDIR", temporary)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let written = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = std::sync::mpsc::channel();
        thread::spawn(move || {
            written
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        Self { child, lines }
    }

    /// The lines up to one that begins so.
    fn read_to(&self, end: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.lines.recv_timeout(DEADLINE);
            let line = line.unwrap_or_else(|_| panic!("`{end}` after {lines:#?}"));
            if line.starts_with(end) {
                return lines;
            }
            lines.push(line);
        }
    }

    fn wait(&mut self) -> Option<i32> {
        let child = &mut self.child;
        wait_until("the demo to end", || child.try_wait().unwrap()).code()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill")
        .arg(format!("-{name}"))
        .arg(child.id().to_string())
        .status();
    assert!(status.unwrap().success(), "kill -{name}");
}

fn entries(directory: &Path) -> usize {
    std::fs::read_dir(directory).unwrap().count()
}

/// Does what a line of the form `curl -i [-X METHOD] http://host/path [-H 'Name: value']` would do.
fn curl(line: &str) -> Response {
    let (command, header) = match line.split_once(" -H '") {
        Some((command, header)) => (command, header.strip_suffix('\'')),
        None => (line, None),
    };
    let words: Vec<&str> = command.split(' ').collect();
    assert_eq!(words[..2], ["curl", "-i"], "{line}");
    let method = match words[2] {
        "-X" => words[3],
        _ => "GET",
    };
    let url = words.iter().find_map(|word| word.strip_prefix("http://"));
    let (host, path) = url.and_then(|url| url.split_once('/')).expect(line);
    let mut asked = request(method, &format!("/{path}")).host(host);
    if let Some((name, value)) = header.and_then(|header| header.split_once(": ")) {
        asked = asked.header(name, value);
    }
    asked.send(host.parse().expect(line))
}

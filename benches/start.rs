//! What the process itself costs: how soon it is ready, what it holds in memory, and what each connection adds.
//!
//! The gateway runs as an operator runs it, with keys in a file, so that no issuer is waited for. Everything that is
//! measured is seen from outside: the page `/ready`, and what the kernel says of the process (Linux, `proc(5)`).

#![expect(clippy::print_stdout, reason = "its output is what it is for")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a bench that cannot be set up says so and ends"
)]

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tollgate::mint::SigningKey;
use tollgate::token::Algorithm;

const APIS: usize = 1_000;
const STARTS: usize = 5;
const CONNECTIONS: usize = 2_000;
/// Both ends of every connection, and some.
const FILES: &str = "8192";
/// Whatever is waited for comes sooner, or not at all.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at whether it is ready.
const STEP: Duration = Duration::from_millis(1);
/// What memory the process has given back after it became ready, it has given back by then.
const REST: Duration = Duration::from_secs(2);

/// What is promised, and held by `make start`: ready within, resident when idle, resident for each idle connection.
const READY_MAX: Duration = Duration::from_millis(300);
const IDLE_KIB_MAX: u64 = 32 * 1024;
const CONNECTION_KIB_MAX: f64 = 24.0;

/// A gateway that runs; dropping it ends it.
struct Gateway {
    child: Child,
    listener: SocketAddr,
    took: Duration,
    _directory: TempDir,
}

fn main() -> ExitCode {
    let own = env::current_exe().unwrap();
    // Open files of this process and of the gateway, which inherits the limit.
    if !env::args().any(|argument| argument == "within") {
        let limit = format!("ulimit -n {FILES} && exec \"$0\" within");
        let status = Command::new("sh").arg("-c").arg(limit).arg(own).status();
        return match status.is_ok_and(|status| status.success()) {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        };
    }
    let mut kept = true;
    let mut say = |what: String, holds: bool| {
        println!("{what}{}", if holds { "" } else { "  <- too much" });
        kept &= holds;
    };

    let mut starts: Vec<(Duration, u64)> = (0..STARTS)
        .map(|_| {
            let gateway = Gateway::start(&many_apis());
            (gateway.took, gateway.resident_kib())
        })
        .collect();
    starts.sort_unstable();
    let (median, resident) = starts[STARTS / 2];
    let ready =
        format!("{APIS} APIs: ready after {median:.0?} (median of {STARTS}), {resident} KiB resident");
    say(ready, median <= READY_MAX);

    let upstream = upstream();
    let gateway = Gateway::start(&one_api(upstream));
    say(
        format!("one API: ready after {:.0?}", gateway.took),
        gateway.took <= READY_MAX,
    );
    thread::sleep(REST);
    let idle = gateway.resident_kib();
    say(
        format!("one API, idle: {idle} KiB resident"),
        idle <= IDLE_KIB_MAX,
    );

    // The first requests set up what all share.
    let warm: Vec<TcpStream> = (0..100).map(|_| gateway.connection()).collect();
    let before = gateway.resident_kib();
    let connections: Vec<TcpStream> = (0..CONNECTIONS).map(|_| gateway.connection()).collect();
    let after = gateway.resident_kib();
    let each = after.saturating_sub(before) as f64 / CONNECTIONS as f64;
    let held = format!("{CONNECTIONS} idle connections, one request each: {each:.1} KiB resident for each");
    say(held, each <= CONNECTION_KIB_MAX);
    drop((warm, connections));
    match kept {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Every API with a JWT plan, two routes and a subscription.
fn many_apis() -> String {
    let mut configuration = base("127.0.0.1:9");
    configuration.push_str("[[application]]\nid = \"mobile\"\nclient_ids = [\"mobile-app\"]\n");
    for api in 0..APIS {
        configuration.push_str(&format!(
            "[[api]]\nname = \"api-{api}\"\ncontext_path = \"/group/api-{api}\"\nupstream = \"sample\"\n\
             [[api.plan]]\nname = \"gold\"\nsecurity = \"jwt\"\nissuers = [\"https://login.example.com/\"]\n"
        ));
        for route in 0..2 {
            configuration.push_str(&format!(
                "[[api.route]]\npath = \"/menu-{route}/{{id}}\"\nmethods = [\"GET\"]\nscopes = [\"menu:read\"]\n"
            ));
        }
        configuration.push_str(&format!(
            "[[subscription]]\napplication = \"mobile\"\napi = \"api-{api}\"\nplan = \"gold\"\n"
        ));
    }
    configuration
}

fn one_api(upstream: SocketAddr) -> String {
    let mut configuration = base(&upstream.to_string());
    configuration.push_str(
        "[[api]]\nname = \"status\"\ncontext_path = \"/status\"\nupstream = \"sample\"\n\
         [[api.plan]]\nname = \"public\"\nsecurity = \"keyless\"\n",
    );
    configuration
}

fn base(peer: &str) -> String {
    format!(
        "[[listener]]\naddress = \"127.0.0.1:0\"\n[metrics]\naddress = \"127.0.0.1:0\"\n\
         [[issuer]]\nname = \"https://login.example.com/\"\nalgorithms = [\"ES256\"]\n\
         audiences = [\"https://api.example.com\"]\njwks.file = \"jwks.json\"\n\
         [[upstream]]\nname = \"sample\"\npeers = [\"{peer}\"]\n"
    )
}

/// Answers whatever it is asked, and keeps its connections.
fn upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || {
                let mut stream = stream.unwrap();
                while read_head(&mut stream) {
                    let answered = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
                    answered.unwrap();
                }
            });
        }
    });
    address
}

/// Reads to the empty line; says whether there was anything.
fn read_head(stream: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    let mut bytes = [0; 4096];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut bytes) {
            Ok(read) if read > 0 => head.extend_from_slice(&bytes[..read]),
            _ => return false,
        }
    }
    true
}

// === impl Gateway ===

impl Gateway {
    /// Starts one and waits until it says that it is ready.
    fn start(configuration: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        let jwks = json!({ "keys": [key.public_jwk("k1")] }).to_string();
        let path = directory.path().join("tollgate.toml");
        fs::write(&path, configuration).unwrap();
        fs::write(directory.path().join("jwks.json"), jwks).unwrap();
        let begun = Instant::now();
        let mut child = Self::run(&path);
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut address = |wanted: &str| -> SocketAddr {
            let told = log.by_ref().map_while(Result::ok).find_map(|line| {
                let line: Value = serde_json::from_str(&line).ok()?;
                let told = line["event"] == "listening" && line["name"] == wanted;
                told.then(|| line["address"].as_str()?.parse().ok())?
            });
            told.unwrap_or_else(|| panic!("the gateway has ended before it said where {wanted} is"))
        };
        let (listener, metrics) = (address("listener"), address("metrics"));
        while !is_ready(metrics) {
            assert!(begun.elapsed() < PATIENCE, "the gateway does not become ready");
            thread::sleep(STEP);
        }
        let took = begun.elapsed();
        // Whoever does not read on may hold up who writes.
        thread::spawn(move || log.for_each(drop));
        Self {
            child,
            listener,
            took,
            _directory: directory,
        }
    }

    fn run(configuration: &Path) -> Child {
        Command::new(env!("CARGO_BIN_EXE_tollgate"))
            .args(["run", "--config"])
            .arg(configuration)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// A connection that has had one answer and is kept.
    fn connection(&self) -> TcpStream {
        let mut stream = TcpStream::connect(self.listener).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request =
            b"GET /status HTTP/1.1\r\nhost: api.example.com\r\nuser-agent: bench\r\naccept: */*\r\n\r\n";
        stream.write_all(request).unwrap();
        let mut first = [0; 12];
        stream.peek(&mut first).unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        assert!(read_head(&mut stream));
        stream
    }

    fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        kib.and_then(|kib| kib.parse().ok()).unwrap()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_ready(metrics: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(metrics) else {
        return false;
    };
    let asked = stream.write_all(b"GET /ready HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    let mut answer = Vec::new();
    asked.is_ok() && stream.read_to_end(&mut answer).is_ok() && answer.starts_with(b"HTTP/1.1 200")
}

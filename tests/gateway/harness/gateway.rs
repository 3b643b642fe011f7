//! The gateway as a process: its directory, its ports, and every line that it has written.
//!
//! It is started as an operator starts it (`tollgate run --config`), and told its ports by the system; what it says of
//! itself in its log is all that is known about it. Dropping it ends the process.

use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use serde_json::Value;
use tempfile::TempDir;

use super::{DEADLINE, Metrics, Response, get, wait_until};

/// Tables that every configuration needs and that few tests care about: `(header, table)`.
const USUAL: [(&str, &str); 3] = [
    ("[[listener]]", "[[listener]]\naddress = \"127.0.0.1:0\"\n"),
    ("[metrics]", "[metrics]\naddress = \"127.0.0.1:0\"\n"),
    ("[access_log]", "[access_log]\npath = \"-\"\n"),
];

/// A gateway that runs.
pub(crate) struct Gateway {
    child: Child,
    directory: TempDir,
    addresses: Vec<SocketAddr>,
    metrics: SocketAddr,
    admin: Option<SocketAddr>,
    token_service: Option<SocketAddr>,
    log: Lines,
    access: Lines,
}

/// Lines as a thread reads them.
#[derive(Debug, Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

// === impl Gateway ===

impl Gateway {
    /// Starts with this configuration and waits until it is ready. `[[listener]]`, `[metrics]` and `[access_log]` are
    /// added where they are absent: ports of the system's choice, the access log on standard output.
    pub(crate) fn start(config: &str) -> Self {
        Self::start_with(config, &[])
    }

    /// The same, with further files beside the configuration: `(name, text)`.
    pub(crate) fn start_with(config: &str, files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            write(directory.path(), name, text);
        }
        write(directory.path(), "tollgate.toml", &complete(config));
        let mut child = run(directory.path());
        let access = Lines::of(child.stdout.take().unwrap());
        let log = Lines::of(child.stderr.take().unwrap());
        let mut gateway = Self {
            child,
            directory,
            addresses: Vec::new(),
            metrics: SocketAddr::from(([127, 0, 0, 1], 0)),
            admin: None,
            token_service: None,
            log,
            access,
        };
        gateway.wait_for_ready();
        gateway
    }

    /// Where callers connect: the first listener.
    pub(crate) fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Where Prometheus connects.
    pub(crate) fn metrics_address(&self) -> SocketAddr {
        self.metrics
    }

    /// Where operators connect.
    pub(crate) fn admin_address(&self) -> SocketAddr {
        self.admin.expect("the configuration has [admin]")
    }

    /// Where clients ask for tokens.
    pub(crate) fn token_address(&self) -> SocketAddr {
        self.token_service.expect("the configuration has [token_service]")
    }

    /// Ends the process by a signal, and starts another one on the same directory; the log begins anew.
    pub(crate) fn restart(&mut self, signal: &str) {
        self.signal(signal);
        self.restart_after_end();
    }

    /// Waits until the process has ended, and starts another one on the same directory.
    pub(crate) fn restart_after_end(&mut self) {
        self.wait_for_exit();
        self.follow(run(self.directory.path()));
    }

    fn follow(&mut self, child: Child) {
        self.child = child;
        self.access = Lines::of(self.child.stdout.take().unwrap());
        self.log = Lines::of(self.child.stderr.take().unwrap());
        self.wait_for_ready();
    }

    /// Ends the process, and starts another one that outlives [`Gateway::limit_files`].
    pub(crate) fn restart_for_limits(&mut self) {
        self.signal("TERM");
        self.wait_for_exit();
        self.follow(run_by(
            Command::new("sh")
                // Whoever writes beyond the limit gets a signal besides the error.
                .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
                .arg(env!("CARGO_BIN_EXE_tollgate")),
            self.directory.path(),
        ));
    }

    /// From now on no file can grow beyond this many bytes; nothing: each can.
    pub(crate) fn limit_files(&self, bytes: Option<u64>) {
        let limit = bytes.map_or_else(|| "unlimited".to_owned(), |bytes| bytes.to_string());
        let status = Command::new("prlimit")
            .arg(format!("--pid={}", self.child.id()))
            .arg(format!("--fsize={limit}:"))
            .status();
        assert!(status.unwrap().success(), "prlimit");
    }

    /// Where its configuration is.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Replaces a file of the gateway's directory in one step, as an editor does.
    pub(crate) fn write(&self, name: &str, text: &str) {
        write(self.directory.path(), name, text);
    }

    /// Replaces the configuration; adds the usual tables as [`Gateway::start`] does.
    pub(crate) fn write_config(&self, config: &str) {
        self.write("tollgate.toml", &complete(config));
    }

    /// Sends a signal by its name (`HUP`, `TERM`).
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.child.id().to_string())
            .status();
        assert!(status.unwrap().success(), "kill -{name}");
    }

    /// Waits until the process has ended by itself.
    pub(crate) fn wait_for_exit(&mut self) -> ExitStatus {
        let child = &mut self.child;
        wait_until("the process to end", || child.try_wait().unwrap())
    }

    /// The first line of the operator's log that is like this, from now or before.
    pub(crate) fn wait_for_log(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        self.wait_for("a line of log", || self.log.json().into_iter().find(&wanted))
    }

    /// The operator's log so far, line by line.
    pub(crate) fn log_lines(&self) -> Vec<String> {
        self.log.text()
    }

    /// The access log so far, line by line.
    pub(crate) fn access_lines(&self) -> Vec<String> {
        self.access.text()
    }

    /// The line of the access log that belongs to an answer, found by its request id.
    pub(crate) fn access_line(&self, answer: &Response) -> Value {
        let id = answer
            .header("x-request-id")
            .expect("an answer names its request")
            .to_owned();
        self.wait_for("a line of access log", || {
            let lines = self.access.json();
            lines.into_iter().find(|line| line["request_id"] == *id)
        })
    }

    /// A page of the metrics listener.
    pub(crate) fn status_page(&self, path: &str) -> Response {
        get(path).send(self.metrics)
    }

    /// All metrics at this moment.
    pub(crate) fn metrics(&self) -> Metrics {
        let page = self.status_page("/metrics");
        assert_eq!(page.status, 200);
        Metrics::parse(&page.text())
    }

    /// The sum of the samples of this name that have these labels.
    pub(crate) fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.metrics().sum(name, labels)
    }

    fn wait_for<T>(&self, what: &str, found: impl FnMut() -> Option<T>) -> T {
        wait_until(&format!("{what}; the log so far:\n{}", self.log), found)
    }

    fn wait_for_ready(&mut self) {
        let started = Instant::now();
        loop {
            let lines = self.log.json();
            if lines.iter().any(|line| line["event"] == "ready") {
                let listening = |name: &str| -> Vec<SocketAddr> {
                    let named = lines
                        .iter()
                        .filter(|line| line["event"] == "listening" && line["name"] == name);
                    named
                        .map(|line| line["address"].as_str().unwrap().parse().unwrap())
                        .collect()
                };
                self.addresses = listening("listener");
                self.metrics = listening("metrics")[0];
                self.admin = listening("admin").first().copied();
                self.token_service = listening("token_service").first().copied();
                return;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(
                ended.is_none() && started.elapsed() < DEADLINE,
                "the gateway did not get ready ({ended:?}):\n{}",
                self.log
            );
            thread::sleep(super::STEP);
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

// === impl Lines ===

impl Lines {
    fn of(source: impl Read + Send + 'static) -> Self {
        let lines = Self::default();
        let written = lines.clone();
        thread::spawn(move || {
            for line in BufReader::new(source).lines() {
                let Ok(line) = line else { return };
                written.0.lock().unwrap().push(line);
            }
        });
        lines
    }

    fn text(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// Those that are JSON.
    fn json(&self) -> Vec<Value> {
        let lines = self.text();
        lines
            .iter()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }
}

impl std::fmt::Display for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text().join("\n"))
    }
}

fn run(directory: &Path) -> Child {
    run_by(&mut Command::new(env!("CARGO_BIN_EXE_tollgate")), directory)
}

fn run_by(command: &mut Command, directory: &Path) -> Child {
    command
        .args(["run", "--config"])
        .arg(directory.join("tollgate.toml"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the gateway's binary starts")
}

fn complete(config: &str) -> String {
    let mut whole = config.to_owned();
    for (header, table) in USUAL {
        if !config.lines().any(|line| line.trim() == header) {
            whole.push('\n');
            whole.push_str(table);
        }
    }
    whole
}

fn write(directory: &Path, name: &str, text: &str) {
    let path = directory.join(name);
    let new = directory.join(format!(".{}.new", name.replace('/', "-")));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, path).unwrap();
}

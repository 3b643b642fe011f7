//! The commands over the admin API, as an operator and a script use them: what they print, their exit code, and what the
//! next request of a caller meets.
//!
//! A [`Desk`] is a place to type at: a gateway to talk to, or something that pretends to be one, and a file with a token.

mod ask_back;
mod failures;
mod hostile;
mod keys;
mod life;
mod lists;
mod revocations;
mod tls;
mod ways;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::admin::Scene;

/// What was said, and how it ended.
#[derive(Debug)]
struct Said {
    code: i32,
    out: String,
    err: String,
}

/// Where somebody types.
struct Desk {
    url: String,
    token_file: PathBuf,
    _directory: Option<TempDir>,
}

// === impl Desk ===

impl Desk {
    /// Before this gateway.
    fn at(scene: &Scene) -> Self {
        Self {
            url: format!("http://{}", scene.gateway.admin_address()),
            token_file: scene.gateway.directory().join("admin.token"),
            _directory: None,
        }
    }

    /// Before something that pretends to be one.
    fn before(address: SocketAddr) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let token_file = directory.path().join("admin.token");
        write_private(&token_file, "a-token-that-is-long-enough\n");
        Self {
            url: format!("http://{address}"),
            token_file,
            _directory: Some(directory),
        }
    }

    /// Types a line; `'` holds words together.
    fn types(&self, line: &str) -> Said {
        self.runs(&words(line))
    }

    fn runs(&self, args: &[String]) -> Said {
        let mut command = tollgate(args);
        command.args(["--admin-url", &self.url, "--admin-token-file"]);
        said(&command.arg(&self.token_file).output().unwrap())
    }

    /// What is answered, which must be one JSON value.
    fn json(&self, line: &str) -> Value {
        let said = self.types(&format!("{line} --json"));
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{line}");
        serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{line}: {error}: {}", said.out))
    }
}

/// The binary, without whatever the environment says, and with nobody to ask.
fn tollgate(args: &[String]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command
        .args(args)
        .env_remove("TOLLGATE_ADMIN_URL")
        .env_remove("TOLLGATE_ADMIN_TOKEN_FILE")
        .stdin(Stdio::null());
    command
}

fn said(output: &Output) -> Said {
    Said {
        code: output.status.code().expect("it ended by itself"),
        out: String::from_utf8(output.stdout.clone()).unwrap(),
        err: String::from_utf8(output.stderr.clone()).unwrap(),
    }
}

fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (number, part) in line.split('\'').enumerate() {
        match number % 2 {
            0 => words.extend(part.split_whitespace().map(ToOwned::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}

fn write_private(path: &std::path::Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

//! What a sender of requests reports, whichever it was.
//!
//! wrk keeps the proxy saturated, oha and our own sender hold a rate. A file for each; here is what they have in common.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::failure::{Result, While as _};
use crate::sides::Credentials;

/// One run of a sender.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load<'l> {
    pub(crate) address: SocketAddr,
    pub(crate) credentials: &'l Credentials,
    /// Where in the list of credentials it begins: where the run before ended.
    pub(crate) start: usize,
    pub(crate) connections: usize,
    pub(crate) seconds: u64,
    /// Requests per second; none: as many as can be answered.
    pub(crate) rate: Option<u32>,
    pub(crate) cores: &'l [usize],
    /// For its script and its raw output.
    pub(crate) directory: &'l Path,
    pub(crate) name: &'l str,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Sent {
    pub(crate) requests: u64,
    pub(crate) seconds: f64,
    /// Answers that are neither 2xx nor 3xx.
    pub(crate) refused: u64,
    pub(crate) socket_errors: u64,
    pub(crate) latency: Latency,
}

/// In microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Latency {
    pub(crate) p50_us: f64,
    pub(crate) p90_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p999_us: f64,
}

// === impl Load ===

impl Load<'_> {
    pub(crate) fn file(&self, extension: &str) -> PathBuf {
        self.directory.join(format!("{}.{extension}", self.name))
    }

    pub(crate) fn write(&self, extension: &str, text: &str) -> Result<PathBuf> {
        let path = self.file(extension);
        crate::tokens::write_private(&path, text)?;
        Ok(path)
    }

    /// The header lines of all credentials, one after the other, from a file that is made once.
    pub(crate) fn credentials_file(&self) -> Result<PathBuf> {
        let path = self.directory.join("credentials.list");
        if !path.exists() {
            let lines = (0..self.credentials.count()).map(|number| self.credentials.fields(number));
            let text: String = lines.map(|line| line.replace("\r\n", "\n")).collect();
            crate::tokens::write_private(&path, &text).during("the credentials")?;
        }
        Ok(path)
    }
}

//! The way to the gateway: flags, then the environment, then the configuration of this machine.
//!
//! On the gateway's own host nothing need be said: its configuration names the address and the file of the token. From
//! elsewhere a URL and a file are. The token itself is on no command line and in no environment, where others read it.

use std::ffi::OsString;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::Failure;
use crate::config;
use crate::control::client::{AdminClient, AdminUrl, Trust};
use crate::control::load;
use crate::control::private_file::{self, PrivateFileError};
use crate::exit;
use crate::issuer::Authorities;
use crate::secret::Secret;

/// The configuration of `run`, where none is named.
const CONFIG: &str = "/etc/tollgate/tollgate.toml";
/// Where the admin API is.
const URL_VARIABLE: &str = "TOLLGATE_ADMIN_URL";
/// The file of its token.
const TOKEN_VARIABLE: &str = "TOLLGATE_ADMIN_TOKEN_FILE";
/// Certificates and a key are a few KiB; a bundle of all public authorities is 250.
const PEM_BYTES_MAX: u64 = 1024 * 1024;

/// Where the gateway is, and what to show it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Where the gateway is")]
pub(super) struct Door {
    /// The gateway's configuration, of which `[admin]` is read; default: /etc/tollgate/tollgate.toml.
    #[arg(long, value_name = "FILE", global = true, conflicts_with = "admin_url")]
    config: Option<PathBuf>,
    /// Where its admin API is, instead of what the configuration says; or TOLLGATE_ADMIN_URL.
    #[arg(long, value_name = "URL", global = true)]
    admin_url: Option<String>,
    /// The file of the admin token, instead of what the configuration says; or TOLLGATE_ADMIN_TOKEN_FILE.
    #[arg(long, value_name = "FILE", global = true)]
    admin_token_file: Option<PathBuf>,
    /// Certificates (PEM) that an https gateway must lead to, in place of the public ones.
    #[arg(long, value_name = "FILE", global = true)]
    ca_file: Option<PathBuf>,
    /// A certificate (PEM, with its chain) to show to a gateway that asks for one; needs --key.
    #[arg(long, value_name = "FILE", global = true)]
    cert: Option<PathBuf>,
    /// The private key of --cert (PEM).
    #[arg(long, value_name = "FILE", global = true)]
    key: Option<PathBuf>,
    /// Send the token to another machine over http, where everybody on the way can read it.
    #[arg(long, global = true)]
    danger_allow_http: bool,
}

/// An address, and where it was found.
struct Found {
    url: AdminUrl,
    /// Nothing: a certificate is shown instead.
    token_file: Option<PathBuf>,
    /// It is this machine's, as the configuration says.
    is_own: bool,
}

// === impl Door ===

impl Door {
    /// The client, and the file of its token, if it shows one.
    pub(super) fn open(&self) -> Result<(AdminClient, Option<PathBuf>), Failure> {
        let Found {
            url,
            token_file,
            is_own,
        } = self.find(|name| std::env::var_os(name).filter(|value| !value.is_empty()))?;
        if !(url.is_https() || url.is_loopback() || is_own || self.danger_allow_http) {
            return Err(Failure::new(
                exit::BAD_USAGE,
                format!(
                    "{url} is http to another machine: everybody on the way would read the token\n\
                     next: use https, a tunnel to the gateway's loopback address, or --danger-allow-http"
                ),
            ));
        }
        let token = token_file.as_deref().map(token).transpose()?;
        let client = AdminClient::new(url, token.as_ref(), &self.trust()?)
            .map_err(|error| Failure::new(exit::FAILED, error.to_string()))?;
        Ok((client, token_file))
    }

    fn find(&self, environment: impl Fn(&str) -> Option<OsString>) -> Result<Found, Failure> {
        let token_file = || self.admin_token_file.clone();
        let token_variable = || environment(TOKEN_VARIABLE).map(PathBuf::from);
        let named = match (&self.admin_url, &self.config) {
            (Some(url), _) => Some(("--admin-url", url.clone())),
            (None, Some(_)) => None,
            (None, None) => {
                environment(URL_VARIABLE).map(|url| (URL_VARIABLE, url.to_string_lossy().into_owned()))
            }
        };
        let Some((source, url)) = named else {
            return self.configured(token_file().or_else(token_variable));
        };
        let usage = |text: String| Failure::new(exit::BAD_USAGE, text);
        let url = AdminUrl::parse(&url).map_err(|error| usage(format!("{source} {error}")))?;
        let token_file = token_file().or_else(token_variable);
        if token_file.is_none() && self.cert.is_none() {
            return Err(usage(format!(
                "{source} needs --admin-token-file or {TOKEN_VARIABLE}, or a certificate (--cert and --key)"
            )));
        }
        Ok(Found {
            url,
            token_file,
            is_own: false,
        })
    }

    /// As the configuration says, but for the token file if one is named.
    fn configured(&self, token_file: Option<PathBuf>) -> Result<Found, Failure> {
        let path = self.config.clone().unwrap_or_else(|| PathBuf::from(CONFIG));
        let wrong = |text: String| {
            let next =
                "name the gateway by --admin-url and --admin-token-file, or its configuration by --config";
            Failure::new(exit::BAD_CONFIGURATION, format!("{text}\nnext: {next}"))
        };
        let admin = load::admin(&path).map_err(|mistakes| wrong(mistakes.to_string()))?;
        let Some(admin) = admin else {
            return Err(wrong(format!("{} has no [admin] table", path.display())));
        };
        let config::Admin {
            place: _,
            address,
            token_file: configured,
            hosts: _,
            tls,
            danger_allow_http: _,
        } = admin;
        let url = AdminUrl::of_listener(address.value, tls.is_some())
            .map_err(|error| wrong(format!("{}: `admin.address` {error}", address.place)))?;
        Ok(Found {
            url,
            token_file: token_file.or_else(|| configured.map(|file| file.value)),
            is_own: true,
        })
    }

    fn trust(&self) -> Result<Trust, Failure> {
        let authorities = match &self.ca_file {
            None => None,
            Some(file) => {
                let read = Authorities::from_pem(&pem(file)?);
                Some(read.map_err(|error| no_token(format!("{}: {error}", file.display())))?)
            }
        };
        let identity = match (&self.cert, &self.key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => {
                let mut both = pem(certificate)?;
                both.push(b'\n');
                both.extend(pem(key)?);
                Some(Secret::new(both))
            }
            _ => {
                let text = "--cert and --key belong together: a certificate and its private key";
                return Err(Failure::new(exit::BAD_USAGE, text));
            }
        };
        Ok(Trust {
            authorities,
            identity,
        })
    }
}

fn no_token(text: String) -> Failure {
    Failure::new(exit::NO_TOKEN, text)
}

fn token(file: &Path) -> Result<Secret<String>, Failure> {
    let next = match private_file::read(file) {
        Ok(Some(token)) => return Ok(token),
        Ok(None) => format!(
            "there is no token file {}\nnext: the gateway makes it at its first start with [admin]; name another one \
             by --admin-token-file",
            file.display()
        ),
        Err(error @ PrivateFileError::Rule { .. }) => error.to_string(),
        Err(error) => format!("{error}\nnext: become the user who may read it, such as the gateway's own"),
    };
    Err(no_token(next))
}

fn pem(file: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error: std::io::Error| no_token(format!("{}: {error}", file.display()));
    let mut text = Vec::new();
    let opened = std::fs::File::open(file).map_err(failed)?;
    opened
        .take(PEM_BYTES_MAX)
        .read_to_end(&mut text)
        .map_err(failed)?;
    Ok(text)
}

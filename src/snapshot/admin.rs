//! `[admin]`: where the admin API is, who may use it, and the certificates on its door.
//!
//! Certificates are read and tried here, so that a pair that does not fit is a mistake with a place, and `check` finds it.
//! What is demanded of an operator is what is written: a token, a certificate, or both. Nothing written is nobody let in.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};

use super::{Inputs, mistake};
use crate::config::{self, Located, Mistake, Mistakes};
use crate::issuer::Authorities;

/// Where the admin API is, and who may use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminSettings {
    /// Where operators connect.
    pub address: SocketAddr,
    /// The file of its bearer token; `None`: a client certificate is asked for instead.
    pub token_file: Option<PathBuf>,
    /// Further names under which it is called, in lower case, with their port if it has one.
    pub hosts: Vec<String>,
    /// `None`: plain HTTP.
    pub tls: Option<ServerTls>,
}

/// The certificates of a listener. Two are equal if they are from the same files, whatever is in them by now: so new
/// certificates need no restart.
#[derive(Clone)]
pub struct ServerTls {
    files: (PathBuf, PathBuf, Option<PathBuf>),
    /// SHA-256 of what is in each.
    contents: [Option<[u8; 32]>; 3],
    config: Arc<rustls::ServerConfig>,
}

// === impl ServerTls ===

impl ServerTls {
    /// Whether a caller must show a certificate.
    pub const fn demands_certificate(&self) -> bool {
        self.files.2.is_some()
    }

    /// Whether the same is in the files, wherever they are.
    pub fn has_the_same_contents(&self, other: &Self) -> bool {
        self.contents == other.contents
    }

    /// What connections are accepted with.
    pub const fn config(&self) -> &Arc<rustls::ServerConfig> {
        &self.config
    }
}

impl PartialEq for ServerTls {
    fn eq(&self, other: &Self) -> bool {
        self.files == other.files
    }
}

impl Eq for ServerTls {}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ServerTls").field(&self.files).finish()
    }
}

pub(super) fn compile(
    admin: config::Admin,
    state: Option<&config::State>,
    inputs: Inputs<'_>,
    warnings: &mut Vec<String>,
    mistakes: &mut Mistakes,
) -> Option<AdminSettings> {
    let config::Admin {
        place,
        address,
        token_file,
        hosts,
        tls,
        danger_allow_http,
    } = admin;
    if state.is_none() {
        mistakes.push(
            Mistake::new(
                place,
                "[admin] needs [state]: what it changes must be kept somewhere",
            )
            .help("add one: [state] path = \"state/tollgate.redb\""),
        );
        return None;
    }
    let certificates_asked = tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
    if token_file.is_none() && !certificates_asked {
        mistakes.push(
            Mistake::new(place, "[admin] asks nobody who they are")
                .help("add `token_file`, or `tls` with `client_ca`; with both, both are asked for"),
        );
    }
    match (&tls, address.value.ip().is_loopback()) {
        (None, false) if !danger_allow_http => {
            let message = format!(
                "[admin] listens on {}, which others can reach, without TLS: its token would cross the network in the clear",
                address.value
            );
            let help = "add `tls`, or listen on loopback; `danger_allow_http = true` allows it all the same";
            mistakes.push(Mistake::new(address.place, message).help(help));
        }
        (None, false) => warnings.push(format!(
            "[admin] listens on {}, which others can reach, without TLS: its token crosses the network in the clear",
            address.value
        )),
        (Some(_), _) | (None, true) => {}
    }
    let bad = |host: &Located<String>| {
        let good = |byte: u8| byte.is_ascii_graphic() && byte != b'/';
        host.value.is_empty() || !host.value.bytes().all(good)
    };
    for host in hosts.iter().filter(|host| bad(host)) {
        mistakes.push(mistake(
            host,
            "the host",
            "is none; write it as in `Host`, such as `admin.internal`",
        ));
    }
    Some(AdminSettings {
        address: address.value,
        token_file: token_file.map(|file| file.value),
        hosts: hosts
            .into_iter()
            .map(|host| host.value.to_ascii_lowercase())
            .collect(),
        tls: match tls {
            Some(tls) => Some(compile_tls(tls, inputs, mistakes)?),
            None => None,
        },
    })
}

pub(super) fn compile_tls(
    tls: config::ServerTls,
    inputs: Inputs<'_>,
    mistakes: &mut Mistakes,
) -> Option<ServerTls> {
    let config::ServerTls {
        certificate,
        key,
        client_ca,
    } = tls;
    let mut wrong = |file: &Located<PathBuf>, what: &str, error: String| {
        let message = format!("the {what} {} cannot be used: {error}", file.value.display());
        mistakes.push(Mistake::new(file.place.clone(), message));
    };
    let read = |file: &Located<PathBuf>| {
        let text = inputs.files.read(&file.value);
        text.map_err(|error| error.to_string())
    };
    let files = [Some(&certificate), Some(&key), client_ca.as_ref()];
    let contents = files.map(|file| hash(&read(file?).ok()?));
    let chain = read(&certificate).and_then(|text| authorities(&text));
    let chain = chain
        .map_err(|error| wrong(&certificate, "certificate", error))
        .ok();
    let private = read(&key).and_then(|text| private_key(&text));
    let private = private.map_err(|error| wrong(&key, "private key", error)).ok();
    let roots = client_ca.as_ref().map(|file| {
        let roots = read(file).and_then(|text| authorities(&text));
        roots
            .map_err(|error| wrong(file, "file of authorities", error))
            .ok()
    });
    let roots = match roots {
        Some(roots) => Some(roots?),
        None => None,
    };
    let config = server_config(&chain?, private?, roots.as_ref());
    let config = config
        .map_err(|error| wrong(&certificate, "certificate", error))
        .ok()?;
    Some(ServerTls {
        contents,
        files: (certificate.value, key.value, client_ca.map(|file| file.value)),
        config: Arc::new(config),
    })
}

fn hash(text: &[u8]) -> Option<[u8; 32]> {
    digest(&SHA256, text).as_ref().try_into().ok()
}

fn authorities(text: &[u8]) -> Result<Authorities, String> {
    Authorities::from_pem(text).map_err(|error| error.to_string())
}

/// PKCS #8, PKCS #1 or SEC 1.
fn private_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    let blocks = pem::parse_many(text).map_err(|error| format!("it is no PEM: {error}"))?;
    let keys = blocks.into_iter().filter_map(|block| match block.tag() {
        "PRIVATE KEY" => Some(PrivateKeyDer::Pkcs8(block.into_contents().into())),
        "RSA PRIVATE KEY" => Some(PrivateKeyDer::Pkcs1(block.into_contents().into())),
        "EC PRIVATE KEY" => Some(PrivateKeyDer::Sec1(block.into_contents().into())),
        _ => None,
    });
    match <[_; 1]>::try_from(keys.collect::<Vec<_>>()) {
        Ok([key]) => Ok(key),
        Err(keys) if keys.is_empty() => Err("it holds no private key in PEM".to_owned()),
        Err(_) => Err("it holds more than one private key".to_owned()),
    }
}

fn server_config(
    chain: &Authorities,
    key: PrivateKeyDer<'static>,
    clients: Option<&Authorities>,
) -> Result<rustls::ServerConfig, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authorities) => {
            let mut roots = RootCertStore::empty();
            for certificate in authorities.certificates() {
                let added = roots.add(CertificateDer::from(certificate));
                added.map_err(|error| error.to_string())?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| error.to_string())?)
        }
    };
    let chain = chain.certificates().map(|der| CertificateDer::from(der.to_vec()));
    let config = builder.with_single_cert(chain.collect(), key);
    let mut config = config.map_err(|error| error.to_string())?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Each connection shows its certificate anew: one that has expired is not believed for an earlier handshake's sake.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

//! A gateway behind TLS that asks for a certificate.
//! Both sides show what the other believes, or nothing is sent: the requests that arrived are counted.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use tollgate::token::Algorithm;

use super::{Desk, said, tollgate, words, write_private};
use crate::admin::config;
use crate::harness::{Gateway, Issuer, Upstream, closed_port, respond};

/// Whoever signs certificates.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// Something that answers everything with a snapshot, to whom it believes.
struct Server {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

// === impl Authority ===

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A certificate and its key, in PEM.
    fn sign(&self, name: &str, purpose: ExtendedKeyUsagePurpose) -> (String, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![purpose];
        (params.signed_by(&key, &self.0).unwrap().pem(), key)
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }
}

// === impl Server ===

impl Server {
    fn start(authority: &Authority, clients: Option<&Authority>) -> Self {
        let (certificate, key) = authority.sign("127.0.0.1", ExtendedKeyUsagePurpose::ServerAuth);
        let certificate = pem::parse(certificate).unwrap().into_contents();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(clients) => {
                let roots = Arc::new(clients.roots());
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = Arc::new(builder.with_single_cert(vec![certificate.into()], key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = StreamOwned::new(connection, stream);
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
                    head.push(byte[0]);
                }
                if head.ends_with(b"\r\n\r\n") {
                    counted.fetch_add(1, Ordering::Relaxed);
                    let _ =
                        stream.write_all(&respond(200, &[("Connection", "close")], r#"{"generation":1}"#));
                    stream.conn.send_close_notify();
                }
                let _ = stream.flush();
                // Whoever is refused reads why before the connection is gone.
                let _ = stream.sock.shutdown(std::net::Shutdown::Write);
                let _ = stream.sock.read_to_end(&mut head);
            }
        });
        Self { address, requests }
    }
}

#[test]
fn both_sides_are_believed_or_nothing_is_sent() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let plain = Server::start(&ours, None);
    let asking = Server::start(&ours, Some(&ours));
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    for (name, authority) in [("ours", &ours), ("theirs", &theirs)] {
        write(here, &format!("{name}-ca.pem"), &authority.0.pem());
        let (certificate, key) = authority.sign("operator", ExtendedKeyUsagePurpose::ClientAuth);
        write(here, &format!("{name}.pem"), &certificate);
        write(here, &format!("{name}.key"), &key.serialize_pem());
    }
    write(here, "empty.pem", "");
    let shown = |name: &str| format!("--cert {0}/{name}.pem --key {0}/{name}.key", here.display());
    let believed = |name: &str| format!("--ca-file {}/{name}-ca.pem", here.display());
    for (server, flags, code, says) in [
        (&plain, believed("ours"), 0, "generation"),
        (
            &plain,
            format!("{} {}", believed("ours"), shown("theirs")),
            0,
            "generation",
        ),
        (&plain, believed("theirs"), 69, "is not reached"),
        (&plain, String::new(), 69, "is not reached"),
        (
            &asking,
            format!("{} {}", believed("ours"), shown("ours")),
            0,
            "generation",
        ),
        (&asking, believed("ours"), 69, "is not reached"),
        (
            &asking,
            format!("{} {}", believed("ours"), shown("theirs")),
            69,
            "is not reached",
        ),
        (
            &plain,
            format!("--ca-file {}/none.pem", here.display()),
            77,
            "none.pem",
        ),
        (
            &plain,
            format!("--ca-file {}/empty.pem", here.display()),
            77,
            "holds no certificate",
        ),
        (
            &plain,
            format!("--ca-file {}/ours.key", here.display()),
            77,
            "only certificates",
        ),
        (
            &plain,
            format!("--cert {}/ours.pem", here.display()),
            2,
            "belong together",
        ),
        (
            &plain,
            format!(
                "--cert {0}/ours.pem --key {0}/theirs.key {1}",
                here.display(),
                believed("ours")
            ),
            1,
            "client cannot be made",
        ),
    ] {
        let desk = Desk {
            url: format!("https://{}", server.address),
            ..Desk::before(server.address)
        };
        let before = server.requests.load(Ordering::Relaxed);
        let said = desk.types(&format!("status {flags}"));
        assert_eq!(said.code, code, "{flags}: {said:?}");
        let speaks = if code == 0 { &said.out } else { &said.err };
        assert!(speaks.contains(says), "{flags}: no `{says}` in {speaks}");
        let requests = server.requests.load(Ordering::Relaxed) - before;
        assert_eq!(requests, usize::from(code == 0), "{flags}");
    }
}

#[test]
fn a_gateway_with_certificates_is_found_by_its_configuration() {
    let ours = Authority::new();
    let acme = Issuer::new("https://acme.example/", "k1", Algorithm::Es256);
    let upstream = Upstream::start();
    let (certificate, key) = ours.sign("127.0.0.1", ExtendedKeyUsagePurpose::ServerAuth);
    let (shown, shown_key) = ours.sign("operator", ExtendedKeyUsagePurpose::ClientAuth);
    let (key, shown_key) = (key.serialize_pem(), shown_key.serialize_pem());
    let files = [
        ("acme.json", &*acme.jwks()),
        ("ca.pem", &ours.0.pem()),
        ("admin.pem", &certificate),
        ("admin.key", &key),
        ("operator.pem", &shown),
        ("operator.key", &shown_key),
    ];
    let tls = "tls = { certificate = \"admin.pem\", key = \"admin.key\", client_ca = \"ca.pem\" }\n";
    let token = "token_file = \"admin.token\"\n";
    for (asked, flags, code, says) in [
        (
            tls.to_owned(),
            "--cert operator.pem --key operator.key",
            0,
            "generation",
        ),
        (tls.to_owned(), "", 69, "show it by --cert and --key"),
        (
            [tls, token].concat(),
            "--cert operator.pem --key operator.key",
            0,
            "generation",
        ),
        ([tls, token].concat(), "", 69, "is not reached"),
    ] {
        let text = config(&upstream, "").replacen("127.0.0.1:0", &closed_port().to_string(), 1);
        let gateway = Gateway::start_with(&text.replacen(token, &asked, 1), &files);
        let types = |line: &str| {
            let mut command = tollgate(&words(line));
            said(&command.current_dir(gateway.directory()).output().unwrap())
        };
        let answered = types(&format!("status --config tollgate.toml --ca-file ca.pem {flags}"));
        assert_eq!(answered.code, code, "{asked} {flags}: {answered:?}");
        let speaks = if code == 0 { &answered.out } else { &answered.err };
        assert!(speaks.contains(says), "{asked} {flags}: no `{says}` in {speaks}");
        if code == 0 {
            let url = format!(
                "--admin-url https://{} --ca-file ca.pem {flags}",
                gateway.admin_address()
            );
            let without = types(&format!("status {url}"));
            let expected = if asked.contains("token_file") { 1 } else { 0 };
            assert_eq!(without.code, expected, "{without:?}");
            assert!(
                expected == 0 || without.err.contains("wants its token besides"),
                "{}",
                without.err
            );
        }
    }
}

fn write(directory: &Path, name: &str, text: &str) {
    write_private(&directory.join(name), text);
}

//! An authority, and TLS in front of a key server; and a proxy that remembers where it was asked to connect.
//! Both relay whole answers to a `KeyServer`, which knows nothing of them: what it is told to do, it does behind TLS, too.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Whoever signs certificates.
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// TLS for this machine, in front of a server that closes each connection after its answer.
pub(super) struct TlsFront {
    address: SocketAddr,
}

/// A proxy for HTTP.
pub(super) struct Proxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    down: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

// === impl Authority ===

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer }
    }

    /// Its certificate.
    pub(super) fn pem(&self) -> String {
        self.issuer.pem()
    }
}

// === impl TlsFront ===

impl TlsFront {
    /// With a certificate of this authority.
    pub(super) fn start(authority: &Authority, server: SocketAddr) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &authority.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
            );
        let config = Arc::new(config.unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let config = Arc::clone(&config);
                // A client that believes somebody else hangs up; that is what some tests are about.
                thread::spawn(move || relayed(stream, config, server).ok());
            }
        });
        Self { address }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// One request and its answer.
fn relayed(stream: TcpStream, config: Arc<ServerConfig>, server: SocketAddr) -> std::io::Result<()> {
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    let request = head(&mut stream)?;
    let mut server = TcpStream::connect(server)?;
    server.write_all(&request)?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    stream.write_all(&answer)?;
    stream.conn.send_close_notify();
    stream.flush()
}

fn head(stream: &mut impl Read) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    Ok(head)
}

// === impl Proxy ===

impl Proxy {
    pub(super) fn start() -> Self {
        let mut proxy = Self {
            address: crate::harness::closed_port(),
            asked: Arc::default(),
            down: Arc::default(),
            accepting: None,
        };
        proxy.up();
        proxy
    }

    pub(super) fn up(&mut self) {
        let listener = TcpListener::bind(self.address).unwrap();
        self.down.store(false, Ordering::SeqCst);
        let (asked, down) = (Arc::clone(&self.asked), Arc::clone(&self.down));
        self.accepting = Some(thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if down.load(Ordering::SeqCst) {
                    return;
                }
                let asked = Arc::clone(&asked);
                thread::spawn(move || proxied(stream, &asked).ok());
            }
        }));
    }

    pub(super) fn go_down(&mut self) {
        self.down.store(true, Ordering::SeqCst);
        if let Some(accepting) = self.accepting.take() {
            let _ = TcpStream::connect(self.address);
            accepting.join().unwrap();
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The first line of each request.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.go_down();
    }
}

fn proxied(mut stream: TcpStream, asked: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let request = String::from_utf8_lossy(&head(&mut stream)?).into_owned();
    let line = request.lines().next().unwrap_or_default().to_owned();
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    asked.lock().unwrap().push(line.clone());
    let authority = target.strip_prefix("http://").unwrap_or(target);
    let authority = authority.split('/').next().unwrap_or_default();
    let mut server = TcpStream::connect(authority)?;
    if method == "CONNECT" {
        stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n")?;
    } else {
        server.write_all(request.as_bytes())?;
    }
    let (mut from_client, mut to_server) = (stream.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    std::io::copy(&mut server, &mut stream)?;
    stream.shutdown(Shutdown::Both)
}

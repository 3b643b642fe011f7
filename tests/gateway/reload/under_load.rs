//! Two hundred reloads in a row, in every way in which a file can change, while callers never stop.
//!
//! Each version maps another claim to the header `X-Version`, publishes another API, and knows another application.
//! So every answer shows which version decided it, and it must be one that was in place while the request was under
//! way. The bar is zero failed requests.

use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use tollgate::token::Algorithm;

use super::{Log, MAIN, Reload, seen_by_upstream};
use crate::harness::{Connection, Gateway, Issuer, Request, Response, Upstream, get};

const RELOADS: usize = 200;
/// Claims that versions take turns in mapping.
const CLAIMS: usize = 8;
/// Requests between two new tokens of one caller: most are found among the verified ones, some are not.
const NEW_TOKEN_EVERY: usize = 25;

/// How the file changes.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// Truncated and written.
    InPlace,
    /// Written beside and renamed over.
    Rename,
    /// A link to a directory is swapped, as Kubernetes does.
    Swap,
    /// It does not; a signal asks for a reload.
    Hangup,
}

const WAYS: [Way; 5] = [Way::InPlace, Way::Rename, Way::Swap, Way::Hangup, Way::Swap];

/// What callers and the operator know of each other.
#[derive(Default)]
struct Course {
    /// The version that is in place for certain.
    applied: AtomicUsize,
    /// The latest that may be.
    written: AtomicUsize,
    over: AtomicBool,
    sent: AtomicUsize,
}

/// Ends the callers, however the operator ends.
struct Stop<'c>(&'c Course);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::SeqCst);
    }
}

#[test]
fn two_hundred_reloads_under_load_fail_no_request_and_each_shows_at_once() {
    let acme = Issuer::new("https://acme.example/", "k1", Algorithm::Es256);
    let globex = Issuer::new("https://globex.example/", "k1", Algorithm::Ed25519);
    let upstream = Upstream::start();
    let files = [("acme.json", &*acme.jwks()), ("globex.json", &globex.jwks())];
    let gateway = Gateway::start_with(&config(0, upstream.address()), &files);
    let course = Course::default();
    let address = gateway.address();
    thread::scope(|scope| {
        let _stop = Stop(&course);
        for issuer in [&acme, &globex] {
            scope.spawn(|| {
                let mut connection = Connection::open(address);
                course.call(Some(issuer), |request| connection.ask(request));
            });
        }
        scope.spawn(|| {
            let mut connection = Connection::open(address);
            course.call(None, |request| connection.ask(request));
        });
        scope.spawn(|| course.call(Some(&acme), |request| request.send(address)));
        reload_again_and_again(&gateway, &upstream, &acme, &course);
    });
    let (sent, log) = (course.sent.load(Ordering::SeqCst), gateway.log_lines().len());
    println!("{sent} requests during {RELOADS} reloads, {log} lines of log");
    assert!(sent > 20 * RELOADS, "only {sent} requests: that was no load");
}

fn reload_again_and_again(gateway: &Gateway, upstream: &Upstream, acme: &Issuer, course: &Course) {
    let mut log = Log::of(gateway);
    let (mut version, mut generation) = (0, 1);
    let (mut applied, mut rejected) = (0.0, 0.0);
    let mut on_disk: Option<&str> = None; // what is wrong with it, if something is
    for step in 1..=RELOADS {
        let way = WAYS[step % WAYS.len()];
        let next = config(version + 1, upstream.address());
        if let Way::Hangup = way {
            gateway.signal("HUP");
        } else if step % 4 == 0 {
            let (text, fragment) = spoil(step / 4, &next);
            change(gateway.directory(), way, step, &text);
            on_disk = Some(fragment);
        } else {
            version += 1;
            course.written.store(version, Ordering::SeqCst);
            change(gateway.directory(), way, step, &next);
            on_disk = None;
        }
        let reload = log.next_reload();
        let context = format!("step {step}, {way:?}, wrong: {on_disk:?}, {reload:#?}");
        match on_disk {
            None => {
                generation += 1;
                applied += 1.0;
                assert_eq!(reload.event, "configuration_applied", "{context}");
                assert_eq!(reload.line["generation"], generation, "{context}");
                course.applied.store(version, Ordering::SeqCst);
            }
            Some(fragment) => {
                rejected += 1.0;
                assert_refused(&reload, fragment, generation, &context);
            }
        }
        assert_in_place(gateway.address(), acme, version, &context);
        // Kept by the upstream, wanted by nobody.
        drop(upstream.take());
    }
    let metrics = gateway.metrics();
    let reloads = |result| metrics.sum("tollgate_config_reloads_total", &[("result", result)]);
    assert_eq!((reloads("success"), reloads("rejected")), (applied, rejected));
    assert_eq!(reloads("failed"), 0.0);
    assert_eq!(applied + rejected, RELOADS as f64);
    assert_eq!(metrics.sum("tollgate_config_generation", &[]), generation as f64);
}

/// A refusal names each mistake's file, line and column and quotes what is meant.
fn assert_refused(reload: &Reload, fragment: &str, generation: i32, context: &str) {
    assert_eq!(reload.event, "configuration_rejected", "{context}");
    assert_eq!(reload.line["kept"], generation, "{context}");
    let mistakes = reload.mistakes();
    assert_eq!(reload.line["mistakes"], mistakes.len(), "{context}");
    assert!(
        mistakes.iter().any(|mistake| mistake.contains(fragment)),
        "{context}"
    );
    for mistake in &mistakes {
        let (_, place) = mistake.split_once("tollgate.toml:").expect(context);
        let mut place = place.split(':').map(|part| part.parse::<u32>());
        assert!(
            matches!((place.next(), place.next()), (Some(Ok(1..)), Some(Ok(1..)))),
            "{context}"
        );
    }
}

/// The very next requests see this version and no other.
fn assert_in_place(address: SocketAddr, acme: &Issuer, version: usize, context: &str) {
    let mut connection = Connection::open(address);
    let token = |client: &str| with_claims(acme).client(client).text();
    for client in ["mobile-app".to_owned(), format!("client-{version}")] {
        let answer = connection.ask(&get("/orders/1").bearer(&token(&client)));
        assert_eq!(answer.status, 200, "{client}, {context}");
        assert_eq!(
            seen_by_upstream(&answer, "X-Version"),
            shown(version),
            "{context}"
        );
    }
    if let Some(former) = version.checked_sub(1) {
        let request = get("/orders/1").bearer(&token(&format!("client-{former}")));
        assert_eq!(
            connection.ask(&request).code(),
            "subscription_not_found",
            "{context}"
        );
    }
    for (path, status) in [(version, 200), (version + 1, 404), (version.wrapping_sub(1), 404)] {
        let answer = connection.ask(&get(&format!("/extra-{path}")));
        assert_eq!(answer.status, status, "/extra-{path}, {context}");
    }
}

// === impl Course ===

impl Course {
    /// Calls until it is over.
    fn call(&self, issuer: Option<&Issuer>, mut ask: impl FnMut(&Request) -> Response) {
        let mut request = get("/status");
        for round in 0_usize.. {
            if self.over.load(Ordering::SeqCst) {
                return;
            }
            if let Some(issuer) = issuer
                && round % NEW_TOKEN_EVERY == 0
            {
                let token = with_claims(issuer).claim("jti", round).text();
                request = get("/orders/1").bearer(&token);
            }
            let earliest = self.applied.load(Ordering::SeqCst);
            let answer = ask(&request);
            let latest = self.written.load(Ordering::SeqCst);
            self.sent.fetch_add(1, Ordering::SeqCst);
            assert_eq!(
                answer.status,
                200,
                "between versions {earliest} and {latest}: {}",
                answer.text()
            );
            if issuer.is_some() {
                let seen = seen_by_upstream(&answer, "X-Version");
                assert!(
                    (earliest..=latest).any(|version| seen == shown(version)),
                    "{seen:?} between versions {earliest} and {latest}"
                );
            }
        }
    }
}

/// A token with every claim that a version may map.
fn with_claims(issuer: &Issuer) -> crate::harness::Token<'_> {
    let token = issuer.token().scopes("orders:read");
    (0..CLAIMS).fold(token, |token, claim| {
        token.claim(&format!("m{claim}"), format!("map-{claim}"))
    })
}

/// `X-Version` under a version.
fn shown(version: usize) -> Option<String> {
    Some(format!("map-{}", version % CLAIMS))
}

fn config(version: usize, upstream: SocketAddr) -> String {
    let odd = version % 2 == 1;
    // In turns, the callers' client id moves to another application and their plan gets another name. Not both at once:
    // the new owner has no agreement to the former plan, and would be refused until the new one is in place.
    let gold = if (version / 2).is_multiple_of(2) {
        "gold"
    } else {
        "golden"
    };
    let mobile = format!("mobile-{}", version.div_ceil(2) % 2);
    let issuer = |name: &str, algorithm: &str| {
        format!(
            r#"
            [[issuer]]
            name = "https://{name}.example/"
            algorithms = ["{algorithm}"]
            audiences = ["https://api.example.com"]
            jwks.file = "{name}.json"
            [[issuer.claim_mapping]]
            remote_claim = "m{}"
            local_claim = "version"
            "#,
            version % CLAIMS
        )
    };
    let mut issuers = [issuer("acme", "ES256"), issuer("globex", "EdDSA")];
    let silver = r#"
            [[api.plan]]
            name = "silver"
            security = "jwt"
            issuers = ["https://globex.example/"]
            audiences = ["https://nobody.example/"]
    "#;
    let mut apis = [
        format!(
            r#"
            [[api]]
            name = "orders"
            context_path = "/orders"
            upstream = "sample"
            claim_headers = {{ "X-Version" = "version" }}
            {}
            [[api.plan]]
            name = "{gold}"
            security = "jwt"
            issuers = ["https://globex.example/", "https://acme.example/"]
            [[api.route]]
            path = "/{{id}}"
            scopes = ["orders:v{version}", "orders:read"]
            "#,
            if odd { silver } else { "" }
        ),
        r#"
            [[api]]
            name = "status"
            context_path = "/status"
            upstream = "sample"
            [[api.plan]]
            name = "public"
            security = "keyless"
        "#
        .to_owned(),
        format!(
            r#"
            [[api]]
            name = "extra"
            context_path = "/extra-{version}"
            upstream = "sample"
            [[api.plan]]
            name = "public"
            security = "keyless"
            "#
        ),
    ];
    // Nothing may depend on the order in which things are declared.
    if odd {
        issuers.reverse();
    }
    apis.rotate_left(version % 3);
    let application = |id: &str, client: &str| {
        format!(
            r#"
            [[application]]
            id = "{id}"
            client_ids = ["{client}"]
            [[subscription]]
            application = "{id}"
            api = "orders"
            plan = "{gold}"
            "#
        )
    };
    [
        "[access_log]\npath = \"/dev/null\"\n".to_owned(),
        "[metrics]\naddress = \"127.0.0.1:0\"\n".to_owned(),
        "[[listener]]\naddress = \"127.0.0.1:0\"\n".to_owned(),
        issuers.concat(),
        format!("[[upstream]]\nname = \"sample\"\npeers = [\"{upstream}\"]\n"),
        apis.concat(),
        application(&format!("app-{version}"), &format!("client-{version}")),
        application(&mobile, "mobile-app"),
    ]
    .concat()
}

/// Something wrong, and a piece of what must be said about it.
fn spoil(turn: usize, text: &str) -> (String, &'static str) {
    match turn % 6 {
        0 => (format!("{text}\n[[api]\nname = \"x\"\n"), "[[api]"),
        1 => (
            text.replace("remote_claim", "remote_clam"),
            "did you mean `remote_claim`?",
        ),
        2 => (
            text.replace("\"https://acme.example/\"]", "\"https://acmee.example/\"]"),
            "did you mean `https://acme.example/`?",
        ),
        3 => (text.replace("acme.json", "missing.json"), "missing.json"),
        4 => (
            format!(
                "{text}\n[[api]]\nname = \"status\"\ncontext_path = \"/again\"\nupstream = \"sample\"\n\
                 [[api.plan]]\nname = \"public\"\nsecurity = \"keyless\"\n"
            ),
            "is defined twice",
        ),
        _ => {
            let half = text.find("client_ids = [\"mob").unwrap() + "client_ids = [\"mob".len();
            (text[..half].to_owned(), "client_ids = [\"mob")
        }
    }
}

fn change(directory: &Path, way: Way, step: usize, text: &str) {
    let main = directory.join(MAIN);
    match way {
        Way::InPlace => std::fs::write(main, text).unwrap(),
        Way::Rename => {
            let new = directory.join(".tollgate.toml.swp");
            std::fs::write(&new, text).unwrap();
            std::fs::rename(new, main).unwrap();
        }
        Way::Swap => {
            let publish = |name: &str, text: &str| {
                std::fs::create_dir(directory.join(name)).unwrap();
                std::fs::write(directory.join(name).join(MAIN), text).unwrap();
                relink(directory, "..data", name);
            };
            if !main.is_symlink() {
                // A link to the same contents first, which is no change.
                publish(
                    &format!("..{step}-before"),
                    &std::fs::read_to_string(&main).unwrap(),
                );
                relink(directory, MAIN, "..data/tollgate.toml");
            }
            publish(&format!("..{step}"), text);
        }
        Way::Hangup => {}
    }
}

fn relink(directory: &Path, name: &str, target: &str) {
    let new = directory.join("..new");
    symlink(target, &new).unwrap();
    std::fs::rename(new, directory.join(name)).unwrap();
}

//! `tollgate explain`: what it says becomes of a request is what becomes of it, and the lines that it cites are those
//! that decide.
//!
//! The first test asks it about every request of the gateway's own table. The others look at what only it says: places,
//! hints, the moment, where keys come from.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tollgate::token::Algorithm;

use crate::decisions::{Row, table};
use crate::harness::{Answer, Issuer, Upstream, now, respond};
use crate::world::World;

mod lives;
mod refusals;

/// Rows that the flags have words for.
const EXPRESSIBLE_MIN: usize = 150;

fn explain(directory: &Path, args: &[String], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .current_dir(directory)
        .args(["explain", "--config", "tollgate.toml"])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    // It need not read what it has no use for.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn words(args: &[&str]) -> Vec<String> {
    args.iter().map(|arg| (*arg).to_owned()).collect()
}

/// The JSON form and the exit code.
fn explained(directory: &Path, args: &[String], input: &str) -> (Value, i32) {
    let args = [args, &words(&["--json"])].concat();
    let output = explain(directory, &args, input);
    let code = output.status.code().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let explanation = serde_json::from_str(&text);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (
        explanation.unwrap_or_else(|error| panic!("{error}: {code} {text} {said}")),
        code,
    )
}

/// The value of a fact.
fn fact<'e>(explanation: &'e Value, stage: &str, name: &str) -> &'e Value {
    let mut stages = explanation["stages"].as_array().unwrap().iter();
    let stage = stages.find(|own| own["stage"] == *stage).unwrap();
    let facts = stage["facts"].as_array().unwrap();
    let found = facts.iter().find(|fact| fact["fact"] == *name);
    found.map_or(&Value::Null, |fact| &fact["value"])
}

#[test]
fn what_it_says_is_what_the_gateway_does() {
    let world = World::start();
    let directory = world.gateway.directory();
    let (mut asked, mut wrong) = (0, Vec::new());
    for Row { what, request, .. } in table(&world) {
        let Some(mut args) = request.explain_args() else {
            continue;
        };
        // Who sends the request below comes from there.
        args.extend(["--offline", "--client-ip", "127.0.0.1"].map(ToOwned::to_owned));
        let answer = world.send(&request);
        world.upstream.take();
        let line = world.gateway.access_line(&answer);
        let (explanation, exit) = explained(directory, &args, "");
        asked += 1;
        let text = explanation.to_string();
        for secret in request.secrets() {
            assert!(!text.contains(&secret), "{what}: the token is shown");
        }
        let denial = &explanation["denial"];
        let said = match line["outcome"].as_str().unwrap() {
            "permit" => json!([
                0,
                "permitted",
                fact(&explanation, "upstream", "plan"),
                fact(&explanation, "subscription", "application"),
            ]),
            _ => json!([
                exit,
                denial["status"],
                denial["code"],
                denial["reason"],
                denial["challenge"],
                denial["allow"],
                denial["retry_after"]
            ]),
        };
        let field = |name: &str| answer.header(name).map(ToOwned::to_owned);
        let done = match line["outcome"].as_str().unwrap() {
            "permit" => json!([exit, explanation["verdict"], line["plan"], line["application"]]),
            _ => json!([
                1,
                answer.status,
                answer.code(),
                line["reason"],
                field("www-authenticate"),
                field("allow"),
                field("retry-after").map(|seconds| seconds.parse::<u32>().unwrap()),
            ]),
        };
        if said != done {
            wrong.push(format!("{what}\n  explained {said}\n  done      {done}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(asked >= EXPRESSIBLE_MIN, "only {asked} rows were asked about");
}

#[test]
fn a_permitted_request_is_told_from_its_route_to_its_upstream() {
    let world = World::start();
    let directory = world.gateway.directory();
    let token = world
        .token()
        .scopes("menu:read")
        .claim("https://acme.example/roles", json!(["cook", "waiter"]))
        .text();
    let args = words(&[
        "--token",
        "-",
        "--url",
        "https://gateway.test/orders/menu/7?secret=1#top",
    ]);
    let output = explain(directory, &args, &format!("{token}\n"));
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    for part in [
        "/orders/menu/7?…",
        "/menu/{id} (GET)",
        "ES256, of RS256, ES256",
        "k1, named by the token",
        "is the key's",
        "leeway 30 s",
        "\"https://api.example.com\", accepted by a plan",
        "roles = [\"cook\",\"waiter\"], from https://acme.example/roles",
        "(issuer.claim_mapping.local_claim)",
        "gold: the subscription is in force",
        "demanded: one of menu:read, menu:admin",
        "x-roles: cook,waiter",
        "sample",
        "/menu/7?…",
        "PERMITTED",
    ] {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
    let (_, signature) = token.rsplit_once('.').unwrap();
    assert!(
        !text.contains(&token) && !text.contains(signature),
        "the token is shown"
    );
    assert!(!text.contains("secret"), "{text}");

    std::fs::write(directory.join("token.txt"), &token).unwrap();
    let args = words(&["--token-file", "token.txt", "--url", "/orders/menu/7"]);
    assert_eq!(explained(directory, &args, "").1, 0);
    // The moment is the operator's.
    let later = jiff_of(now() + 330 + 3);
    for (at, exit) in [
        (later.as_str(), 1),
        ("2020-01-01T00:00:00Z", 1),
        (&*now().to_string(), 0),
    ] {
        let args = [&args[..], &words(&["--at", at])].concat();
        let (explanation, code) = explained(directory, &args, "");
        assert_eq!(code, exit, "{at}: {explanation}");
    }
}

/// A moment as an operator writes it.
fn jiff_of(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).unwrap().to_string()
}

#[test]
fn what_a_token_says_cannot_write_to_the_terminal() {
    let world = World::start();
    let directory = world.gateway.directory();
    let odd = "\u{1b}[2J\u{9b}31m\u{202e}evil\u{7f}\n";
    let tokens = [
        world.token().claim("sub", odd).text(),
        world.token().claim("iss", odd).text(),
        world.token().client(odd).text(),
        world.token().header("kid", odd).text(),
        world.token().claim("aud", odd).text(),
    ];
    for token in &tokens {
        for form in [&[][..], &["--json"]] {
            let args = words(&[&["--token", "-", "--url", "/orders/menu/today"], form].concat());
            let output = explain(directory, &args, token);
            let text = String::from_utf8(output.stdout).unwrap();
            let unruly = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(!text.contains(unruly), "{text:?}");
            assert!(text.contains("evil"), "{text}");
            assert!(!text.contains("evil\n"), "{text}");
        }
    }
}

#[test]
fn keys_are_given_fetched_or_refused() {
    let world = World::start();
    let directory = world.gateway.directory();
    let issuer = Issuer::new("https://far.example/", "f1", Algorithm::Es256);
    let jwks = issuer.jwks();
    let server = Upstream::answering(move |_| {
        Answer::BytesThenClose(respond(200, &[("Content-Type", "application/json")], &jwks))
    });
    let config = format!(
        "[[listener]]\naddress = \"127.0.0.1:0\"\n\
         [[issuer]]\nname = \"https://far.example/\"\nalgorithms = [\"ES256\"]\naudiences = \"danger-accept-any\"\n\
         jwks.url = \"http://{}/jwks\"\n\
         [[upstream]]\nname = \"sample\"\npeers = [\"127.0.0.1:1\"]\n\
         [[api]]\nname = \"far\"\ncontext_path = \"/far\"\nupstream = \"sample\"\n\
         [[api.plan]]\nname = \"any\"\nsecurity = \"jwt\"\nissuers = [\"https://far.example/\"]\n\
         subscription_validation = false\n",
        server.address()
    );
    let here = tempfile::tempdir().unwrap();
    std::fs::write(here.path().join("tollgate.toml"), config).unwrap();
    std::fs::write(here.path().join("far.json"), issuer.jwks()).unwrap();
    std::fs::write(here.path().join("acme.json"), world.acme.jwks()).unwrap();
    let token = issuer.token().text();
    let usual = ["--token", "-", "--url", "/far"];
    for (more, exit, reason, note) in [
        (&[][..], 0, "", "were fetched from http://"),
        (
            &["--offline"],
            1,
            "keys_unavailable",
            "were not fetched (--offline)",
        ),
        (
            &["--offline", "--jwks", "far.json"],
            0,
            "",
            "are those of far.json",
        ),
        (
            &["--jwks", "https://far.example/=far.json"],
            0,
            "",
            "are those of far.json",
        ),
        (
            &["--jwks", "acme.json"],
            1,
            "key_unknown",
            "are those of acme.json",
        ),
    ] {
        let asked = server.take().len();
        assert_eq!(asked, 0, "{more:?}");
        let args = words(&[&usual[..], more].concat());
        let (explanation, code) = explained(here.path(), &args, &token);
        assert_eq!(code, exit, "{more:?}: {explanation}");
        assert_eq!(
            explanation["denial"]["reason"].as_str().unwrap_or_default(),
            reason,
            "{more:?}"
        );
        let notes = explanation["notes"].to_string();
        assert!(notes.contains(note), "{more:?}: {notes}");
        assert_eq!(server.take().len(), usize::from(more.is_empty()), "{more:?}");
    }
    // An issuer that does not answer is said not to.
    let args = words(&["--token", "-", "--url", "/dark"]);
    let (explanation, code) = explained(directory, &args, &world.dark.token().text());
    assert_eq!((code, &explanation["denial"]["status"]), (1, &json!(503)));
    let notes = explanation["notes"].to_string();
    assert!(notes.contains("could not be fetched: http://"), "{notes}");
}

#[test]
fn a_wrong_command_line_is_no_denial() {
    let world = World::start();
    let directory = world.gateway.directory();
    for (args, exit, says) in [
        (
            &["--url", "/public", "--config", "none.toml"][..],
            78,
            "none.toml",
        ),
        (&[], 2, "--url"),
        (
            &["--url", "/public", "--token", "x", "--token-file", "y"],
            2,
            "--token-file",
        ),
        (&["--url", "/public", "--token-file", "none.txt"], 2, "none.txt"),
        (&["--url", "/public", "--jwks", "none.json"], 2, "none.json"),
        (
            &["--url", "/public", "--jwks", "tollgate.toml"],
            2,
            "no JSON Web Key Set",
        ),
        (
            &["--url", "/public", "--jwks", "acme.json", "--jwks", "globex.json"],
            2,
            "ISSUER=FILE",
        ),
        (&["--url", "/public", "--header", "word"], 2, "Name: value"),
        (&["--url", "/public", "--header", "a b: c"], 2, "no header name"),
        (
            &["--url", "/public", "--token", "a\nb"],
            2,
            "no header field can carry",
        ),
        (
            &["--url", "/public", "--at", "yesterday"],
            2,
            "2026-01-31T12:00:00Z",
        ),
        (&["--url", "/pub lic"], 2, "no request target"),
        (&["--url", ""], 2, "no request target"),
        (&["--url", "/public", "--method", "G T"], 2, "no method"),
        (&["--url", "/public", "--client-ip", "here"], 2, "--client-ip"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_tollgate"))
            .current_dir(directory)
            .arg("explain")
            .args(if args.contains(&"--config") {
                &[][..]
            } else {
                &["--config", "tollgate.toml"]
            })
            .args(args)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(exit), "{args:?}: {said}");
        assert!(said.contains(says), "{args:?}: {said}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}

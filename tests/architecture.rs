//! What is built on what, and what has no business where: the layers of `ARCHITECTURE.md`, held against the source.
//!
//! The tables in `architecture/rules.rs` say what is allowed and why; the tests read `src` as text and name every place
//! that disagrees, with the reason. So a rule is met where it is broken, and nobody needs to have read the page first.
//! An exception that nothing needs any more is reported as well.

#[path = "architecture/rules.rs"]
mod rules;
#[path = "architecture/scan.rs"]
mod scan;
#[path = "architecture/tidy.rs"]
mod tidy;
#[path = "architecture/tree.rs"]
mod tree;

use std::collections::BTreeSet;
use std::fs;
use std::io;

use rules::{BANNED, Banned, DECISION, FORBIDDEN, LAYERS, Layer, NEIGHBOURS, Neighbour};

#[test]
fn modules_use_lower_layers_only() -> io::Result<()> {
    let mut wrong = Vec::new();
    for file in tree::files(&["rs"])?.iter().filter(|file| !file.is_test()) {
        if let Some(module) = file.module() {
            wrong.extend(uses(module, file.depth(), &file.path, &file.text));
        }
    }
    assert!(wrong.is_empty(), "{}", report(&wrong));
    Ok(())
}

#[test]
fn nothing_waits_locks_talks_or_reads_the_clock_under_the_edges() -> io::Result<()> {
    let mut wrong = Vec::new();
    for file in tree::files(&["rs"])?.iter().filter(|file| !file.is_test()) {
        if let Some(module) = file.module() {
            wrong.extend(words(module, &file.path, &file.text));
        }
    }
    assert!(wrong.is_empty(), "{}", report(&wrong));
    Ok(())
}

#[test]
fn every_module_has_its_layer() -> io::Result<()> {
    let present: BTreeSet<String> = tree::files(&["rs"])?
        .iter()
        .filter_map(|file| file.module())
        .map(str::to_owned)
        .collect();
    let placed: Vec<&str> = LAYERS.iter().flat_map(|layer| layer.modules).copied().collect();
    let homeless = present
        .iter()
        .filter(|module| layer_of(module).is_none())
        .map(|module| {
            format!("src/{module}.rs: no layer has `{module}`; give it one in tests/architecture/rules.rs")
        });
    let gone = placed
        .iter()
        .filter(|module| !present.contains(**module))
        .map(|module| {
            format!("tests/architecture/rules.rs: `{module}` has a layer, but src/{module}.rs is not there")
        });
    let doubled = placed
        .iter()
        .enumerate()
        .filter(|(place, module)| placed.iter().take(*place).any(|other| other == *module))
        .map(|(_, module)| format!("tests/architecture/rules.rs: `{module}` has two layers"));
    let wrong: Vec<String> = homeless.chain(gone).chain(doubled).collect();
    assert!(wrong.is_empty(), "{}", report(&wrong));
    Ok(())
}

#[test]
fn the_library_declares_every_module() -> io::Result<()> {
    let code = scan::code(&fs::read_to_string(tree::root().join("src/lib.rs"))?);
    let declared: BTreeSet<&str> = scan::tokens(&code)
        .windows(2)
        .filter_map(|pair| match pair {
            [keyword, name] if keyword.text == "mod" => Some(name.text),
            _ => None,
        })
        .collect();
    let files = tree::files(&["rs"])?;
    let missing: BTreeSet<&str> = files
        .iter()
        .filter_map(|file| file.module())
        .filter(|module| *module != "main" && !declared.contains(module))
        .collect();
    assert!(
        missing.is_empty(),
        "src/lib.rs does not declare {missing:?}: they are not compiled"
    );
    Ok(())
}

#[test]
fn the_page_shows_the_same_layers() -> io::Result<()> {
    let page = fs::read_to_string(tree::root().join("ARCHITECTURE.md"))?;
    let mut wrong = Vec::new();
    for (
        level,
        Layer {
            name,
            modules,
            reason: _,
        },
    ) in LAYERS.iter().enumerate()
    {
        let names: Vec<String> = modules.iter().map(|module| format!("`{module}`")).collect();
        let row = format!("| {level} {name} | {} |", names.join(" "));
        if !page.contains(&row) {
            wrong.push(format!("ARCHITECTURE.md has no row {row}"));
        }
    }
    assert!(wrong.is_empty(), "{}", report(&wrong));
    Ok(())
}

#[test]
fn no_exception_is_left_over() -> io::Result<()> {
    let files = tree::files(&["rs"])?;
    let sources = |module: &str| {
        let own = files
            .iter()
            .filter(|file| file.module() == Some(module) && !file.is_test());
        own.map(|file| scan::without_tests(&scan::code(&file.text)))
            .collect::<Vec<_>>()
    };
    let mut wrong = Vec::new();
    for Neighbour {
        user,
        used,
        reason: _,
    } in &NEIGHBOURS
    {
        let needed = sources(user).iter().any(|code| {
            let paths = scan::paths(&scan::tokens(code))
                .into_iter()
                .map(|path| path.segments);
            paths
                .into_iter()
                .any(|segments| segments.starts_with(&["crate", used]))
        });
        if !needed {
            wrong.push(format!("`{user}` may use its neighbour `{used}`, but does not"));
        }
    }
    for Banned {
        patterns,
        except,
        reason: _,
    } in &BANNED
    {
        for module in *except {
            let needed = sources(module).iter().any(|code| {
                let tokens = scan::tokens(code);
                let paths = scan::paths(&tokens);
                patterns
                    .iter()
                    .any(|pattern| !scan::lines_with(pattern, &tokens, &paths).is_empty())
            });
            if !needed {
                wrong.push(format!("`{module}` may use {patterns:?}, but does not"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", report(&wrong));
    Ok(())
}

/// The scanner itself: each row is a module, a source, and a part of every report that it must give.
#[test]
fn the_scanner_sees_code_and_nothing_else() {
    let rows: &[(&str, &str, &[&str])] = &[
        // Layers.
        (
            "upstream",
            "use crate::proxy::Gateway;",
            &["x.rs:1: `upstream` (layer 2, parts) uses `proxy` (layer 6"],
        ),
        ("upstream", "use crate::id::UpstreamName;", &[]),
        (
            "upstream",
            "use crate::issuer::Issuer;",
            &["uses `issuer` (layer 2"],
        ),
        (
            "issuer",
            "\nfn f() { crate::api::Api::new() }",
            &["x.rs:2: `issuer`"],
        ),
        (
            "api",
            "use crate::{\n    id::ApiName,\n    access::{Permit, Denial},\n};",
            &["x.rs:3: `api`", "x.rs:3: `api`"],
        ),
        (
            "api",
            "use crate::{upstream::Upstream, api::Plan, identity as who};",
            &[],
        ),
        ("api", "pub(crate) struct Api;", &[]),
        ("api", "use super::snapshot::Snapshot;", &["uses `snapshot`"]),
        ("api", "use crate::*;", &["`crate::*`"]),
        ("api", "use crate::undeclared::X;", &["no layer has `undeclared`"]),
        (
            "api",
            "macro_rules! m { () => { $crate::access::f() } }",
            &["uses `access`"],
        ),
        ("mint", "use crate::token::Algorithm;", &[]),
        ("token", "use crate::mint::SigningKey;", &["uses `mint`"]),
        ("route", "use crate::id::ApiName;", &["stands alone"]),
        ("access", "use crate::config::Config;", &["judged once"]),
        (
            "access",
            "use crate::telemetry::Telemetry;",
            &["edges count them"],
        ),
        (
            "snapshot",
            "use crate::config::Config;\nuse crate::api::Api;",
            &[],
        ),
        ("control", "use crate::proxy::Gateway;", &["who reads them"]),
        (
            "control",
            "use crate::config::parse;\nuse crate::snapshot::Snapshot;",
            &[],
        ),
        ("proxy", "use crate::control::Reload;", &["layer 6"]),
        ("proxy", "use crate::config::Server;", &["judged once"]),
        ("main", "fn main() { tollgate::cli::main() }", &[]),
        // Words.
        ("token", "async fn fetch() {}", &["`async`"]),
        ("token", "let keys = fetch().await;", &["`await`"]),
        (
            "token",
            "// tokio\n/* tokio /* twice */ tokio */\n//! tokio\n/// tokio\nfn f() {}",
            &[],
        ),
        (
            "token",
            "let s = \"tokio\"; let r = r#\"a \"tokio\" b\"#; let b = b\"tokio\"; let br = br\"tokio\\\";",
            &[],
        ),
        (
            "token",
            "let quote = '\"'; tokio::spawn(x); let other = '\"';",
            &["`tokio`"],
        ),
        (
            "token",
            "let escaped = '\\''; tokio::spawn(x); let other = '\\'';",
            &["`tokio`"],
        ),
        ("token", "fn f<'a>(x: &'a str) { tokio::spawn(x) }", &["`tokio`"]),
        (
            "token",
            "let text = \"over\ntwo \\\" lines\";\nuse tokio::time;",
            &["x.rs:3"],
        ),
        (
            "token",
            "use std::{\n    fs,\n    io,\n};",
            &["x.rs:2: `std::fs`"],
        ),
        ("token", "fn f() { std::fs::read(p); }", &["`std::fs`"]),
        ("token", "let profile = offset_fs::fs;", &[]),
        (
            "token",
            "let at = std::time::Instant::now();",
            &["`Instant::now`"],
        ),
        ("token", "use std::time::Instant;", &[]),
        ("time", "use std::time::SystemTime;", &[]),
        ("token", "use std::time::SystemTime;", &["`SystemTime`"]),
        (
            "subscription",
            "struct S { m: std::sync::Mutex<u8> }",
            &["`Mutex`"],
        ),
        ("subscription", "struct MutexLike; struct S { m: MutexLike }", &[]),
        (
            "telemetry",
            "use std::sync::{Arc, Mutex};\nuse prometheus::proto;",
            &[],
        ),
        ("access", "use prometheus::core::Collector;", &["`prometheus`"]),
        (
            "access",
            "info!(x); tracing::warn!(y);",
            &["`info!`", "`tracing::`", "`warn!`"],
        ),
        ("access", "if error != warn { println!(\"x\") }", &["`println!`"]),
        ("access", "#[error(\"x\")] struct E;", &[]),
        ("upstream", "use pingora::upstreams::peer::HttpPeer;", &[]),
        (
            "access",
            "use pingora::upstreams::peer::HttpPeer;",
            &["`pingora`"],
        ),
        ("token", "use jsonwebtoken::decode;", &["`jsonwebtoken`"]),
        (
            "control",
            "async fn refresh() { tokio::time::sleep(s).await; tracing::info!(\"x\") }",
            &[],
        ),
        // Tests may use what they like, and end where they end.
        (
            "token",
            "#[cfg(test)]\nmod tests {\n    use crate::mint::SigningKey;\n    const S: &str = \"}\";\n}\n",
            &[],
        ),
        (
            "token",
            "#[cfg(test)]\nmod tests;\nuse tokio::time;",
            &["x.rs:3: `tokio`"],
        ),
        (
            "token",
            "#[cfg(test)]\nuse crate::{mint::A, mint::B};\nuse tokio::time;",
            &["x.rs:3: `tokio`"],
        ),
        (
            "token",
            "#[cfg(test)]\n#[expect(x)]\nmod tests { fn f() { tokio() } }\nasync fn f() {}",
            &["x.rs:4: `async`"],
        ),
    ];
    for (module, source, expected) in rows {
        let mut found = uses(module, 1, "x.rs", source);
        found.extend(words(module, "x.rs", source));
        let matches = found.len() == expected.len()
            && found
                .iter()
                .zip(*expected)
                .all(|(found, expected)| found.contains(expected));
        assert!(
            matches,
            "{module}: {source}\n  expected {expected:?}\n  found    {found:#?}"
        );
    }
}

/// What the source of `module` uses and may not.
fn uses(module: &str, depth: usize, place: &str, source: &str) -> Vec<String> {
    let code = scan::without_tests(&scan::code(source));
    let mut wrong = Vec::new();
    for path in scan::paths(&scan::tokens(&code)) {
        let supers = path
            .segments
            .iter()
            .take_while(|segment| **segment == "super")
            .count();
        let used = match path.segments.as_slice() {
            ["crate", used, ..] => used,
            // From an inner module `super` leads elsewhere; what is no module of ours is somebody else's name.
            segments if supers >= depth => match segments.get(supers) {
                Some(used) if layer_of(used).is_some() => used,
                _ => continue,
            },
            _ => continue,
        };
        if let Some(reason) = refusal(module, used) {
            wrong.push(format!("{place}:{}: {reason}", path.line));
        }
    }
    wrong
}

/// Why `user` may not use `used`, if it may not.
fn refusal(user: &str, used: &str) -> Option<String> {
    if user == used {
        return None;
    }
    if used == "*" {
        return Some("`crate::*` hides what is used: name the modules".to_owned());
    }
    let Some((low, high)) = layer_of(used).zip(layer_of(user)) else {
        return Some(format!(
            "no layer has `{used}` or `{user}`; give it one in tests/architecture/rules.rs"
        ));
    };
    let forbidden = FORBIDDEN
        .iter()
        .find(|rule| rule.users.contains(&user) && rule.used.contains(&used));
    let neighbour = NEIGHBOURS
        .iter()
        .any(|rule| rule.user == user && rule.used == used);
    let (using, of) = (LAYERS.get(high)?, LAYERS.get(low)?);
    let reason = match forbidden {
        Some(rule) => rule.reason,
        None if low < high || neighbour || of.name == "command line" && high == low => return None,
        None if low == high => of.reason,
        None => using.reason,
    };
    let (high_name, low_name) = (using.name, of.name);
    Some(format!(
        "`{user}` (layer {high}, {high_name}) uses `{used}` (layer {low}, {low_name}): {reason}"
    ))
}

/// The banned words in the source of `module`.
fn words(module: &str, place: &str, source: &str) -> Vec<String> {
    if layer_of(module).is_none_or(|layer| layer > DECISION) {
        return Vec::new();
    }
    let code = scan::without_tests(&scan::code(source));
    let tokens = scan::tokens(&code);
    let paths = scan::paths(&tokens);
    let mut wrong = Vec::new();
    for Banned {
        patterns,
        except,
        reason,
    } in &BANNED
    {
        for pattern in patterns.iter().filter(|_| !except.contains(&module)) {
            for line in scan::lines_with(pattern, &tokens, &paths) {
                wrong.push((
                    line,
                    format!("{place}:{line}: `{pattern}` in `{module}`: {reason}"),
                ));
            }
        }
    }
    wrong.sort();
    wrong.into_iter().map(|(_, report)| report).collect()
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.modules.contains(&module))
}

fn report(wrong: &[String]) -> String {
    format!("{} found:\n  {}", wrong.len(), wrong.join("\n  "))
}

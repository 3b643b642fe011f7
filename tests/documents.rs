//! Pages of the documentation that repeat what the code says must say the same.
//!
//! Each such part stands between `<!-- generated: name -->` and `<!-- end -->`. With `UPDATE_DOCUMENTS=1` in the
//! environment the test writes the part instead of comparing it.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

type Outcome = Result<(), Box<dyn Error>>;

#[test]
fn metrics() -> Outcome {
    check("docs/metrics.md", "metrics", &tollgate::telemetry::describe())
}

#[test]
fn denials() -> Outcome {
    check("docs/denials.md", "denials", &tollgate::access::describe())
}

#[test]
fn reasons() -> Outcome {
    check(
        "docs/denials.md",
        "reasons",
        &tollgate::access::describe_reasons(),
    )
}

#[test]
fn commands() -> Outcome {
    check("docs/cli.md", "common", &tollgate::cli::describe_common())?;
    check("docs/cli.md", "commands", &tollgate::cli::describe())
}

#[test]
fn openapi() -> Outcome {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    let expected = format!("{:#}\n", tollgate::control::admin::document());
    if env::var_os("UPDATE_DOCUMENTS").is_some_and(|value| value == "1") {
        fs::write(&path, expected)?;
        return Ok(());
    }
    assert!(
        fs::read_to_string(&path)? == expected,
        "docs/openapi.json is not what the code says; UPDATE_DOCUMENTS=1 cargo test --test documents"
    );
    Ok(())
}

/// Compares the part `name` of a page with `generated`, or writes it.
fn check(page: &str, name: &str, generated: &str) -> Outcome {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let text = fs::read_to_string(&path)?;
    let begin = format!("<!-- generated: {name} -->\n");
    let (before, rest) = text
        .split_once(&begin)
        .ok_or_else(|| format!("{page} has no {begin:?}"))?;
    let (_, after) = rest
        .split_once("<!-- end -->")
        .ok_or_else(|| format!("{page}: part {name} has no end"))?;
    let expected = format!("{before}{begin}{generated}<!-- end -->{after}");
    if env::var_os("UPDATE_DOCUMENTS").is_some_and(|value| value == "1") {
        fs::write(&path, expected)?;
        return Ok(());
    }
    assert!(
        text == expected,
        "{page} is not what the code says; UPDATE_DOCUMENTS=1 cargo test --test documents"
    );
    Ok(())
}

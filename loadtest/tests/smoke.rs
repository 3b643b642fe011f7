//! The runner from outside, with the programs that a test build has made: it starts what it compares, checks that each side
//! does the same work, and stops it again. Nothing is measured, so neither wrk nor a free core is needed.

use std::io;
use std::path::Path;
use std::process::Command;

/// Beside our own program are the others; `cargo test --workspace` and `make test` build all of them.
fn checked(arguments: &[&str]) -> io::Result<(bool, String)> {
    let own = Path::new(env!("CARGO_BIN_EXE_loadtest"));
    let mut runner = Command::new(own);
    runner.args(["--check", "--binaries"]).args(own.parent());
    let done = runner.args(arguments).output()?;
    let text = [done.stdout, done.stderr].concat();
    Ok((done.status.success(), String::from_utf8_lossy(&text).into_owned()))
}

#[test]
fn sides_are_started_and_answer_as_they_should() -> io::Result<()> {
    let scenarios = ["keyless", "jwt-es256-warm", "api-key"];
    let (success, text) = checked(
        &[
            &["--scenario"],
            &scenarios[..],
            &["--sides", "gateway", "baseline"],
        ]
        .concat(),
    )?;
    assert!(success, "{text}");
    for scenario in scenarios {
        assert!(text.contains(&format!("{scenario}: gateway, baseline")), "{text}");
    }
    assert_eq!(text.matches("each answers as it should").count(), 3, "{text}");
    Ok(())
}

#[test]
fn a_side_that_cannot_be_started_ends_the_run_with_its_name() -> io::Result<()> {
    let (success, text) = checked(&[
        "--scenario",
        "plain",
        "--sides",
        "gateway",
        "gateway-other",
        "--other",
        "/bin/false",
    ])?;
    assert!(!success && text.contains("gateway-other ended"), "{text}");
    let (success, text) = checked(&["--sides", "gateway", "gateway-other"])?;
    assert!(!success && text.contains("--other"), "{text}");
    let (success, text) = checked(&["--scenario", "api-key", "--sides", "envoy"])?;
    assert!(
        !success && text.contains("it is given no API keys here"),
        "{text}"
    );
    Ok(())
}

//! What operators get to read, word for word.
//!
//! A row is a file and the lines it is answered with, in the one-line form; the rendered form has its own tests. What
//! good configurations become is in `tests/decoded.rs`, what hostile ones do not achieve in `tests/hostile.rs`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::{Config, FILE_BYTES_MAX, FILES_MAX, Files, Mistakes, parse};

mod decoded;
mod hostile;
mod keys;
mod limits;
mod rendered;
mod written;

/// Files in memory; the main one is `conf/t.toml`.
#[derive(Default)]
struct Memory(BTreeMap<PathBuf, Vec<u8>>);

impl Memory {
    fn file(mut self, path: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.0.insert(PathBuf::from(path), bytes.into());
        self
    }

    fn parse(&self) -> Result<Config, Mistakes> {
        parse(Path::new(MAIN), self)
    }

    fn lines(&self) -> Vec<String> {
        let mistakes = self.parse().err().unwrap_or_default();
        mistakes.iter().map(|mistake| mistake.one_line()).collect()
    }
}

impl Files for Memory {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, "no such file");
        self.0.get(path).cloned().ok_or_else(missing)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let inside = self.0.keys().filter(|path| path.parent() == Some(directory));
        Ok(inside.rev().cloned().collect())
    }
}

const MAIN: &str = "conf/t.toml";

fn main_file(text: impl Into<Vec<u8>>) -> Memory {
    Memory::default().file(MAIN, text)
}

/// A file, and every line it is answered with; `conf/t.toml:` is left out.
#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let found = main_file(text).lines();
    let found: Vec<&str> = found
        .iter()
        .map(|line| line.trim_start_matches("conf/t.toml:"))
        .collect();
    assert_eq!(found, expected, "\n{text}");
}

/// The same, below `[[issuer]]` with its required keys in lines 1 to 3.
#[track_caller]
fn check_issuer(text: &str, expected: &[&str]) {
    check(
        &format!("[[issuer]]\nname = \"a\"\nalgorithms = [\"RS256\"]\n{text}"),
        expected,
    );
}

#[test]
fn syntax() {
    check(
        "[server\nthreads = 1\n",
        &["1:8: unclosed table, expected `]`: [server"],
    );
    // What stands below a broken header belongs to nobody; the next one counts again.
    check(
        "[server\nthread = 1\n[[listener]]\n[[listener]]\nadress = 1\n",
        &[
            "1:8: unclosed table, expected `]`: [server",
            "5:1: unknown key `adress` in [[listener]] (did you mean `address`?): adress = 1",
        ],
    );
    check(
        "[server]\nthreads = 1\nthreads = 2\n[metrics]\naddress = 1\n",
        &[
            "3:1: duplicate key: threads = 2",
            "5:11: expected a string, found an integer: address = 1",
        ],
    );
    // What was meant cannot be known after a syntax error, so nothing is said to be missing.
    check(
        "[[issuer]]\nname = \"a\nalgorithms = [\"RS256\"]\n[[api]]\n",
        &["2:10: invalid basic string, expected `\"`: name = \"a"],
    );
    check(
        "server = 1\n[server.x]\n",
        &[
            "1:10: expected a table, found an integer: server = 1",
            "2:2: cannot extend value of type integer with a dotted key: [server.x]",
        ],
    );
}

#[test]
fn types() {
    check(
        "[server]\nthreads = \"2\"\n",
        &["2:11: expected an integer, found a string: threads = \"2\""],
    );
    check(
        "[server]\nverbose_errors = 1.5\n",
        &["2:18: expected a boolean, found a float: verbose_errors = 1.5"],
    );
    check(
        "[server]\ntrusted_proxies = \"10.0.0.0/8\"\n",
        &["2:19: expected an array, found a string: trusted_proxies = \"10.0.0.0/8\""],
    );
    check(
        "[server]\ntrusted_proxies = [true, \"a\", 2026-01-01]\n",
        &[
            "2:20: expected a string, found a boolean: trusted_proxies = [true, \"a\", 2026-01-01]",
            "2:31: expected a string, found a date-time: trusted_proxies = [true, \"a\", 2026-01-01]",
        ],
    );
    check(
        "server = 1\n",
        &["1:10: expected a table, found an integer: server = 1"],
    );
    check(
        "[[server]]\n",
        &["1:1: expected a table, found an array: [[server]]"],
    );
    check(
        "[listener]\naddress = \"127.0.0.1:80\"\n",
        &["1:1: expected an array of tables, found a table (write [[listener]]): [listener]"],
    );
    check_issuer(
        "[issuer.claim_mapping]\n",
        &[
            "4:1: expected an array of tables, found a table (write [[issuer.claim_mapping]]): [issuer.claim_mapping]",
        ],
    );
    check(
        "listener = [1]\n",
        &["1:13: expected a table, found an integer: listener = [1]"],
    );
    check_issuer(
        "keys = [\"a\"]\n",
        &["4:8: expected a table, found an array: keys = [\"a\"]"],
    );
    check_issuer(
        "keys.a = \"a.pem\"\n",
        &["4:10: expected a table, found a string: keys.a = \"a.pem\""],
    );
    check_issuer(
        "audiences = \"https://a\"\n",
        &[
            "4:13: `audiences` is a list, or exactly \"danger-accept-any\" (write a list: audiences = [\"…\"]): \
           audiences = \"https://a\"",
        ],
    );
}

#[test]
fn bounds() {
    check(
        "[server]\nthreads = 0\nheaders_max = 0x101\nbody_bytes_max = -1\nidle_timeout = \"999ms\"\n",
        &[
            "2:11: `threads` must be between 1 and 1024, not 0: threads = 0",
            "3:15: `headers_max` must be between 1 and 256, not 0x101: headers_max = 0x101",
            "4:18: `body_bytes_max` must be between 0 and 9223372036854775807, not -1: body_bytes_max = -1",
            "5:16: `idle_timeout` must be between 1s and 1h, not 999ms: idle_timeout = \"999ms\"",
        ],
    );
    check(
        "[server]\nthreads = 1024\nheader_bytes_max = 1_048_576\ngrace_period = \"1h\"\nread_timeout = \"1s\"\n",
        &[],
    );
    check(
        "[server]\nthreads = 99999999999999999999999999999999999999999\n",
        &[
            "2:11: `threads` must be between 1 and 1024, not 99999999999999999999999999999999999999999: \
         threads = 99999999999999999999999999999999999999999",
        ],
    );
    check_issuer(
        "leeway = \"301s\"\nmax_lifetime = \"0s\"\n",
        &[
            "4:10: `leeway` must be between 0s and 5m, not 301s: leeway = \"301s\"",
            "5:16: `max_lifetime` must be at least 1s, not 0s: max_lifetime = \"0s\"",
        ],
    );
    check_issuer(
        "[issuer.jwks]\nurl = \"u\"\nfile = \"f\"\n",
        &["4:1: `jwks` has both `url` and `file` (keep one): [issuer.jwks]"],
    );
    check_issuer(
        "discovery = \"u\"\n[issuer.jwks]\nfile = \"f\"\n",
        &["5:1: an issuer has one source of keys, and `discovery` is one \
           (remove `discovery`, or `url` or `file` from `jwks`): [issuer.jwks]"],
    );
    check_issuer("discovery = \"u\"\njwks.proxy = \"http://p\"\n", &[]);
    check_issuer("discovery = \"u\"\n", &[]);
    for key in [
        "follow_redirects = true",
        "ca_file = \"c\"",
        "proxy = \"p\"",
        "allow_full_replacement = false",
    ] {
        let name = key.split(' ').next().unwrap_or_default();
        check_issuer(
            &format!("[issuer.jwks]\nfile = \"f\"\n{key}\n"),
            &[&format!(
                "4:1: `{name}` is for keys that are fetched, not for a `file`: [issuer.jwks]"
            )],
        );
    }
    check_issuer(
        "jwks = { url = \"u\", refresh_interval = \"2h\", stale_after = \"1h\" }\n",
        &[
            "4:60: `stale_after` must be at least `refresh_interval`, which is 2h: \
         jwks = { url = \"u\", refresh_interval = \"2h\", stale_after = \"1h\" }",
        ],
    );
    check_issuer("jwks = { url = \"u\", refresh_interval = \"24h\" }\n", &[]);
}

#[test]
fn a_revocation_list_says_what_happens_without_it() {
    let list = |more: &str| format!("revocation_list = {{ url = \"u\"{more} }}\n");
    for good in [
        ", fail = \"open\"",
        ", fail = \"closed\", format = \"lines\"",
        ", fail = \"closed_after\", closed_after = \"30s\"",
        ", fail = \"closed_after\", closed_after = \"30d\", refresh_interval = \"1h\"",
    ] {
        check_issuer(&list(good), &[]);
    }
    for (more, says) in [
        (
            "",
            "4:19: missing required key `fail` in `revocation_list` of [[issuer]]",
        ),
        (
            ", fail = \"closed_after\"",
            "4:19: missing required key `closed_after` in `revocation_list` of [[issuer]]",
        ),
        (
            ", fail = \"open\", closed_after = \"1h\"",
            "4:19: `closed_after` says how long the last list counts, and `fail` says something else \
             (write fail = \"closed_after\", or remove `closed_after`)",
        ),
        (
            ", fail = \"shut\"",
            "4:39: unknown word `shut` for `fail` (known are `open`, `closed`, `closed_after`)",
        ),
        (
            ", fail = \"closed_after\", closed_after = \"29s\"",
            "4:70: `closed_after` must be at least `refresh_interval`, which is 30s",
        ),
        (
            ", fail = \"open\", refresh_interval = \"2h\"",
            "4:66: `refresh_interval` must be between 1s and 1h, not 2h",
        ),
    ] {
        let list = list(more);
        check_issuer(&list, &[&format!("{says}: {}", list.trim_end())]);
    }
    check_issuer(
        "revocation_list.fail = \"open\"\n",
        &[
            "4:1: missing required key `url` in `revocation_list` of [[issuer]]: revocation_list.fail = \"open\"",
        ],
    );
}

#[test]
fn durations() {
    let text =
        "[server]\ngrace_period = 10\nidle_timeout = \"10\"\nread_timeout = \"ten\"\nwrite_timeout = true\n";
    check(
        text,
        &[
            "2:16: expected a duration such as \"30s\", found an integer (a duration has a unit: \"10s\", \"10ms\"): \
         grace_period = 10",
            "3:16: `10` is not a duration: time unit needed, for example 10sec or 10ms: idle_timeout = \"10\"",
            "4:16: `ten` is not a duration: expected number at 0: read_timeout = \"ten\"",
            "5:17: expected a duration such as \"30s\", found a boolean: write_timeout = true",
        ],
    );
}

#[test]
fn lists() {
    check(
        "[[issuer]]\nname = \"a\"\nalgorithms = []\naudiences = []\n",
        &[
            "3:14: `algorithms` must not be empty: algorithms = []",
            "4:13: `audiences` must not be empty: audiences = []",
        ],
    );
    check(
        "[[issuer]]\nname = \"a\"\nalgorithms = [\n  \"RS256\",\n  \"ES256\",\n  \"RS256\",\n]\n",
        &["6:3: `RS256` is listed twice in `algorithms` (first in line 4): \"RS256\","],
    );
    check(
        "[[upstream]]\nname = \"a\"\npeers = [\"[::1]:80\", { address = \"[0::1]:80\" }]\n",
        &["3:34: `[::1]:80` is listed twice in `peers` (first in line 3): \
         peers = [\"[::1]:80\", { address = \"[0::1]:80\" }]"],
    );
    check(
        "[[application]]\nid = \"a\"\nclient_ids = [\"a\", { issuer = \"i\", id = \"a\" }, \"a\"]\n",
        &["3:48: `a` is listed twice in `client_ids` (first in line 3): \
         client_ids = [\"a\", { issuer = \"i\", id = \"a\" }, \"a\"]"],
    );
}

#[test]
fn addresses() {
    let help = "(an address is ip:port in this version, such as \"127.0.0.1:8080\" or \"[::1]:8080\")";
    for address in [
        "localhost:80",
        "127.0.0.1",
        ":80",
        "127.0.0.1:99999",
        "127.0.0.1:80/x",
    ] {
        let expected = format!("2:11: `{address}` is not an address {help}: address = \"{address}\"");
        check(&format!("[[listener]]\naddress = \"{address}\"\n"), &[&expected]);
    }
    check(
        "[[upstream]]\nname = \"a\"\npeers = [1, { address = \"127.0.0.1:1\", weight = 0 }, {}]\n",
        &[
            "3:10: expected an address or a table, found an integer: \
         peers = [1, { address = \"127.0.0.1:1\", weight = 0 }, {}]",
            "3:49: `weight` must be between 1 and 1000, not 0: peers = [1, { address = \"127.0.0.1:1\", weight = 0 }, {}]",
            "3:54: missing required key `address` in an entry of `peers` of [[upstream]]: \
         peers = [1, { address = \"127.0.0.1:1\", weight = 0 }, {}]",
        ],
    );
}

#[test]
fn times() {
    let what = "a date-time with offset such as 2027-01-31T12:00:00Z";
    for (time, message) in [
        (
            "2026-01-01T00:00:00",
            "a date-time must have an offset (add the offset: `Z`, or one like `+02:00`)".into(),
        ),
        (
            "2026-01-01",
            "a date-time must have an offset (add the offset: `Z`, or one like `+02:00`)".into(),
        ),
        ("12:00:00", format!("`12:00:00` is not {what}")),
        ("\"tomorrow\"", format!("`tomorrow` is not {what}")),
        (
            "\"2026-01-01T00:00:00\"",
            format!("`2026-01-01T00:00:00` is not {what}"),
        ),
        (
            "\"2026-01-01T00:00:00+01:00[Europe/Paris]\"",
            format!("`2026-01-01T00:00:00+01:00[Europe/Paris]` is not {what}"),
        ),
        ("1767225600", format!("expected {what}, found an integer")),
    ] {
        let text =
            format!("[[subscription]]\napplication = \"a\"\napi = \"b\"\nplan = \"c\"\nfrom = {time}\n");
        check(&text, &[&format!("5:8: {message}: from = {time}")]);
    }
}

#[test]
fn includes() {
    let included = |text: &str| {
        main_file("include = [\"d/*.toml\"]\n[metrics]\naddress = \"127.0.0.1:1\"\n")
            .file("conf/d/a.toml", text)
    };
    for (files, expected) in [
        (
            included("include = [\"x\"]\n"),
            "conf/d/a.toml:1:11: only the main file may have `include`: include = [\"x\"]",
        ),
        (
            included("\n[metrics]\naddress = \"127.0.0.1:2\"\n"),
            "conf/d/a.toml:2:1: [metrics] is defined twice; first at conf/t.toml:2:1: [metrics]",
        ),
        (
            main_file("include = [\"a.toml\"]\n"),
            "conf/t.toml:1:12: cannot read `conf/a.toml`: no such file: include = [\"a.toml\"]",
        ),
        (
            main_file("include = [\"*/a.toml\"]\n"),
            "conf/t.toml:1:12: `*` may stand for parts of a file's name only, not of a directory's \
             (name each directory): include = [\"*/a.toml\"]",
        ),
        (
            main_file("include = [\"..\"]\n"),
            "conf/t.toml:1:12: `include` names files (such as \"apis.d/*.toml\"): include = [\"..\"]",
        ),
        (
            Memory::default(),
            "conf/t.toml:1:1: cannot read `conf/t.toml`: no such file",
        ),
        (
            main_file(vec![b' '; FILE_BYTES_MAX + 1]),
            "conf/t.toml:1:1: a configuration file may have at most 8388608 bytes",
        ),
    ] {
        assert_eq!(files.lines(), [expected]);
    }
    assert_eq!(main_file(vec![b' '; FILE_BYTES_MAX]).lines(), [""; 0]);
}

#[test]
fn files_are_bounded_in_number() {
    let with = |count: usize| {
        (1..count).fold(main_file("include = [\"d/*.toml\"]\n"), |files, index| {
            files.file(&format!("conf/d/{index}.toml"), "")
        })
    };
    assert_eq!(with(FILES_MAX).lines(), [""; 0]);
    let expected = "conf/t.toml:1:12: more than 1000 files: include = [\"d/*.toml\"]";
    assert_eq!(with(FILES_MAX + 1).lines(), [expected]);
}

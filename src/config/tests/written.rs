//! Where tables and keys were written: line and column of each, in any style of writing, over all files.
//! What is cited to an operator must be the very key that the operator reads there.

use super::{Memory, main_file};

/// The tables of one kind, each as `file:line:column` and its keys at theirs.
fn written(files: &Memory, table: &str) -> Vec<String> {
    let config = files.parse().unwrap();
    let tables = config.written.iter().filter(|written| written.table == table);
    let keys = ["name", "jwks", "leeway", "remote_claim"];
    tables
        .map(|table| {
            let mut text = table.spot().to_string();
            for key in keys {
                if let Some(spot) = table.key(key) {
                    text.push_str(&format!(" {key} {}:{}", spot.line, spot.column));
                }
            }
            text
        })
        .collect()
}

const ISSUER: &str = "name = \"a\"\nalgorithms = [\"ES256\"]\n";

#[test]
fn a_key_is_where_its_name_is_in_every_style() {
    for (text, expected) in [
        (
            format!("[[issuer]]\n{ISSUER}jwks.url = \"https://a\"\n  leeway = \"1s\"\n"),
            &["conf/t.toml:1:1 name 2:1 jwks 4:1 leeway 5:3"][..],
        ),
        (
            format!("[[issuer]]\n{ISSUER}[issuer.jwks]\nurl = \"https://a\"\n[[issuer]]\n{ISSUER}"),
            &[
                "conf/t.toml:1:1 name 2:1 jwks 4:9",
                "conf/t.toml:6:1 name 7:1",
            ],
        ),
        (
            "issuer = [{ \"name\" = \"é\", algorithms = [\"ES256\"], leeway = \"1s\" }, { leeway = \"1s\", algorithms = \
             [\"ES256\"], name = \"b\" }]"
                .to_owned(),
            &[
                "conf/t.toml:1:11 name 1:13 leeway 1:51",
                "conf/t.toml:1:68 name 1:109 leeway 1:70",
            ],
        ),
    ] {
        assert_eq!(written(&main_file(text.as_str()), "issuer"), expected, "{text}");
    }
}

#[test]
fn tables_come_in_the_order_of_the_lists() {
    let mapping = |name: &str| {
        format!("[[issuer.claim_mapping]]\nremote_claim = \"{name}\"\nlocal_claim = \"{name}\"\n")
    };
    let main = format!(
        "include = [\"more.toml\"]\n[[issuer]]\n{ISSUER}{}{}",
        mapping("x"),
        mapping("y")
    );
    let more = format!("\n[[issuer]]\n{ISSUER}{}", mapping("z"));
    let files = main_file(main).file("conf/more.toml", more);
    assert_eq!(
        written(&files, "issuer"),
        ["conf/t.toml:2:1 name 3:1", "conf/more.toml:2:1 name 3:1"]
    );
    assert_eq!(
        written(&files, "issuer.claim_mapping"),
        [
            "conf/t.toml:5:1 remote_claim 6:1",
            "conf/t.toml:8:1 remote_claim 9:1",
            "conf/more.toml:5:1 remote_claim 6:1",
        ]
    );
    let config = files.parse().unwrap();
    let mappings = config.issuers.iter().flat_map(|issuer| &issuer.claim_mappings);
    let lines: Vec<u32> = mappings.map(|mapping| mapping.remote_claim.place.line).collect();
    assert_eq!(lines, [6, 9, 6]);
}

#[test]
fn a_file_of_one_long_line_takes_one_pass() {
    let table = "{ name = \"a\", peers = [\"127.0.0.1:1\"] }, ";
    let text = format!("upstream = [{}]", table.repeat(20_000));
    let config = main_file(text).parse().unwrap();
    let mut upstreams = config.written.iter().filter(|written| written.is_written());
    let last = upstreams.next_back().unwrap().key("name").unwrap();
    let expected = "upstream = [".len() + 19_999 * table.len() + "{ ".len() + 1;
    assert_eq!((last.line, usize::try_from(last.column).unwrap()), (1, expected));
}

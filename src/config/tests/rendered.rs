//! The form that people read: the line, the caret, the count.
//! What a terminal would obey is shown as what it is, and the caret stands under what is meant.

use super::{Memory, main_file};

#[track_caller]
fn check(files: &Memory, expected: &str) {
    let rendered = files.parse().err().unwrap_or_default().to_string();
    assert_eq!(rendered, expected, "\n{rendered}\n");
}

#[test]
fn all_mistakes_of_all_files_at_once() {
    let main = "include = [\"apis.d/*.toml\", \"gone.toml\"]\n\n[server]\nthreads = 0\n\n[[issuer]]\nname = \"https://a/\"\n\
                leeway = 30\n\n\n\nalgoritms = [\"RS256\"]\n";
    let files = main_file(main)
        .file("conf/apis.d/b.toml", "[server]\n")
        .file(
            "conf/apis.d/a.toml",
            "[[api]]\nname = \"a\"\ncontext_path = \"/a\"\nupstream = \"a\"\ncors = 5\n= 1\n",
        )
        .file("conf/apis.d/.c.toml", "not read");
    check(
        &files,
        r#"error: cannot read `conf/gone.toml`: no such file
 --> conf/t.toml:1:29
  |
1 | include = ["apis.d/*.toml", "gone.toml"]
  |                             ^^^^^^^^^^^

error: `threads` must be between 1 and 1024, not 0
 --> conf/t.toml:4:11
  |
4 | threads = 0
  |           ^

error: missing required key `algorithms` in [[issuer]]
 --> conf/t.toml:6:1
  |
6 | [[issuer]]
  | ^^^^^^^^^^

error: expected a duration such as "30s", found an integer
 --> conf/t.toml:8:10
  |
8 | leeway = 30
  |          ^^ a duration has a unit: "30s", "30ms"

error: unknown key `algoritms` in [[issuer]]
  --> conf/t.toml:12:1
   |
12 | algoritms = ["RS256"]
   | ^^^^^^^^^ did you mean `algorithms`?

error: `cors` is not available in this version of Tollgate; remove it
 --> conf/apis.d/a.toml:5:1
  |
5 | cors = 5
  | ^^^^

error: unquoted keys cannot be empty, expected letters, numbers, `-`, `_`
 --> conf/apis.d/a.toml:6:1
  |
6 | = 1
  | ^

error: [server] is defined twice; first at conf/t.toml:3:1
 --> conf/apis.d/b.toml:1:1
  |
1 | [server]
  | ^^^^^^^^

8 errors"#,
    );
}

#[test]
fn a_file_without_a_line() {
    check(
        &Memory::default(),
        "error: cannot read `conf/t.toml`: no such file\n --> conf/t.toml:1:1\n\n1 error",
    );
}

#[test]
fn carets_stay_below_what_they_mean() {
    for (text, shown, carets) in [
        ("server = {\tx\t= 1 }\n", "server = { x = 1 }", "           ^"),
        (
            "server = { \"日本\" = 1 }\n",
            "server = { \"日本\" = 1 }",
            "           ^^^^^^",
        ),
        (
            "server = { \"日本\".a = 1, threads = 0 }\n",
            "server = { \"日本\".a = 1, threads = 0 }",
            "           ^^^^^^",
        ),
        (
            "server = { \"e\u{301}\" = 1 }\n",
            "server = { \"e\u{301}\" = 1 }",
            "           ^^^",
        ),
        (
            "server = { \"\u{202e}\" = 1 }\n",
            "server = { \"\u{fffd}\" = 1 }",
            "           ^^^",
        ),
        ("x = 1\r\n", "x = 1", "^"),
        ("\u{feff}x = 1\r\n", "x = 1", "^"),
    ] {
        let rendered = main_file(text).parse().err().unwrap_or_default().to_string();
        let mut lines = rendered.lines().skip(3);
        let shown = format!("1 | {shown}");
        let carets = format!("  | {carets}");
        assert_eq!(lines.next(), Some(shown.as_str()), "{rendered}");
        assert!(
            lines
                .next()
                .is_some_and(|line| line.trim_end_matches(|c| c != '^') == carets),
            "{rendered}"
        );
    }
}

#[test]
fn a_long_line_is_cut() {
    let long = "x".repeat(500);
    let lines = main_file(format!("{long} = 1\n[[{long}")).lines();
    let cut = format!("`{}…`", "x".repeat(80));
    let expected = format!("conf/t.toml:1:1: unknown key {cut} at the top level (");
    assert!(lines.iter().any(|line| line.starts_with(&expected)), "{lines:?}");
    assert!(
        lines
            .iter()
            .all(|line| line.ends_with(&format!("x{}", "x".repeat(190)))),
        "{lines:?}"
    );
}

#[test]
fn bytes_that_are_not_utf_8_have_a_place() {
    let mistake = "conf/t.toml:2:5: not UTF-8: a configuration file must be: x = \u{fffd}1";
    assert_eq!(main_file(b"a = 1\r\nx = \xff1\r\n".to_vec()).lines(), [mistake]);
    let mistake = "conf/t.toml:1:2: not UTF-8: a configuration file must be: \u{e4}\u{fffd}";
    assert_eq!(
        main_file(b"\xef\xbb\xbf\xc3\xa4\xe2\x82".to_vec()).lines(),
        [mistake]
    );
}

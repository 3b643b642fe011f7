//! Whatever a file holds, it is answered, and in bounded time and memory.
//! The files here are not mistaken but malicious, or garbage: no panic, no hang, no flood of messages.

use proptest::prelude::*;

use super::main_file;

const ALL: &str = include_str!("../../../conf/tollgate.toml");

#[test]
fn garbage_is_refused() {
    for (name, text) in [
        ("brackets", "[".repeat(1 << 20)),
        ("nested arrays", format!("x = {}", "[".repeat(1 << 20))),
        (
            "nested and closed arrays",
            format!("x = {}{}", "[".repeat(10_000), "]".repeat(10_000)),
        ),
        ("nested tables", "x = ".to_owned() + &"{a=".repeat(100_000)),
        ("dotted keys", "a.".repeat(1 << 19)),
        ("a dotted header", format!("[{}a]", "a.".repeat(100_000))),
        ("NUL bytes", "\0".repeat(10_000)),
        ("an open string", format!("x = \"\"\"{}", "a\n".repeat(100_000))),
        (
            "one long line",
            format!("[[api]]\nname = [{}]", "1, ".repeat(100_000)),
        ),
    ] {
        let mistakes = main_file(text).parse().err().unwrap_or_default();
        assert!(!mistakes.is_empty(), "{name}");
        assert!(mistakes.to_string().len() < 1 << 20, "{name}");
    }
}

#[test]
fn mistakes_beyond_a_thousand_are_only_counted() {
    let text: String = (0..10_000).map(|index| format!("k{index} = 1\n")).collect();
    let mistakes = main_file(text).parse().err().unwrap_or_default();
    assert_eq!((mistakes.len(), mistakes.iter().count()), (10_000, 1000));
    assert!(
        mistakes
            .to_string()
            .ends_with("\n10000 errors, 9000 of them not shown")
    );
}

proptest! {
    #[test]
    fn no_text_stops_us(text in ".{0,200}") {
        let _ = main_file(text).parse().map_err(|mistakes| mistakes.to_string());
    }

    #[test]
    fn no_bytes_stop_us(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = main_file(bytes).parse().map_err(|mistakes| mistakes.to_string());
    }

    #[test]
    fn no_toml_like_text_stops_us(text in "([\\[\\]{}=.,\"'#\n a-c0-1]|\\[\\[api\\]\\]|\"\"\"|issuer|jwks|2026-01-01){0,60}") {
        let _ = main_file(text).parse().map_err(|mistakes| mistakes.to_string());
    }

    #[test]
    fn no_change_to_a_good_file_stops_us(
        at in 0..ALL.len(),
        length in 0..40usize,
        with in "[\\[\\]{}=.,\"'#\n a-c0-1]{0,5}",
    ) {
        let mut bytes = ALL.replace("\n# ", "\n").into_bytes();
        let at = at.min(bytes.len());
        bytes.splice(at..(at + length).min(bytes.len()), with.into_bytes());
        for mistake in main_file(bytes).parse().err().unwrap_or_default().iter() {
            let text = mistake.place.text.chars().count();
            prop_assert!(mistake.place.line >= 1 && mistake.place.column >= 1 && mistake.place.width >= 1);
            prop_assert!(text <= 200);
        }
    }
}

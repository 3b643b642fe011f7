//! Revocations against a plain reading of what they say, with tokens that are remembered and tokens that are not.
//! What is remembered may save a look and must never save a refusal, so both are asked side by side.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use proptest::prelude::*;

use super::*;

const ISSUERS: [&str; 2] = ["acme", "globex"];
const NAMES: [&str; 3] = ["a", "b", ""];

fn seconds(seconds: i64) -> UnixTime {
    UnixTime::from_seconds(seconds)
}

fn before(issued_before: i64) -> Revocation {
    Revocation {
        issued_before: seconds(issued_before),
        expires_at: ALWAYS,
    }
}

/// A token of `acme` by the name of `a` in every respect, but the subject, which is `a` before the mapping and `b` after.
fn marks(key: &DigestKey, issued_at: Option<i64>) -> Marks {
    Marks::new(key, "acme", Some("a"), Some("a"), issued_at.map(seconds))
}

fn holder() -> Holder<'static> {
    Holder {
        issuer: "acme",
        subject: Some("b"),
        client: Some("a"),
        key_id: Some("a"),
    }
}

#[test]
fn an_entry_names_one_thing_of_one_issuer_issued_before_a_moment() {
    use Named::{Client, Issuer, Key, Subject, Token};
    for (named, issuer, name, issued_before, issued_at, is_named) in [
        (Token, "acme", "a", i64::MAX, Some(100), true),
        (Token, "acme", "a", i64::MAX, None, true),
        (Token, "acme", "b", i64::MAX, Some(100), false),
        (Token, "globex", "a", i64::MAX, Some(100), false),
        (Subject, "acme", "a", 101, Some(100), true),
        // Mapped.
        (Subject, "acme", "b", 101, Some(100), true),
        (Subject, "acme", "c", 101, Some(100), false),
        // Issued at that moment: not before.
        (Subject, "acme", "a", 100, Some(100), false),
        (Subject, "acme", "a", 100, Some(101), false),
        // Who knows when it was issued?
        (Subject, "acme", "a", 0, None, true),
        (Subject, "globex", "a", 101, Some(100), false),
        (Client, "acme", "a", 101, Some(100), true),
        (Client, "acme", "b", 101, Some(100), false),
        (Key, "acme", "a", 101, Some(100), true),
        (Key, "acme", "b", 101, Some(100), false),
        (Key, "acme", "a", 100, Some(100), false),
        (Issuer, "acme", "", 101, Some(100), true),
        (Issuer, "acme", "", 100, Some(100), false),
        (Issuer, "globex", "", 101, Some(100), false),
    ] {
        let set = Revocations::default();
        let digest = set.key().digest(named, issuer, name);
        set.change().put(named, digest, before(issued_before));
        let mut table = Table::default();
        table.put(set.key(), issuer, named, name, before(issued_before));
        let list = List::default();
        list.replace(table, seconds(0));
        let token = marks(set.key(), issued_at);
        for _ in 0..2 {
            let case = format!("{named:?} {issuer} {name} before {issued_before}: {issued_at:?}");
            let found = token.judge(&set, holder).err();
            assert_eq!(
                found.map(|found| found.named),
                is_named.then_some(named),
                "{case}"
            );
            assert!(found.is_none_or(|found| found.digest == digest), "{case}");
            let found = token.judge_list(&list, ListWhen::Open, set.key(), seconds(0), holder);
            assert_eq!(found.unwrap().is_err(), is_named, "list: {case}");
        }
    }
}

#[test]
fn a_name_is_not_another_name_however_it_is_cut() {
    let key = DigestKey::new([7; 16]);
    let all = [
        key.digest(Named::Token, "ab", "c"),
        key.digest(Named::Token, "a", "bc"),
        key.digest(Named::Token, "abc", ""),
        key.digest(Named::Token, "", "abc"),
        key.digest(Named::Subject, "ab", "c"),
        DigestKey::new([8; 16]).digest(Named::Token, "ab", "c"),
    ];
    for (place, one) in all.iter().enumerate() {
        assert_eq!(one.to_string().parse(), Ok(*one));
        assert!(all.iter().skip(place + 1).all(|other| other != one), "{place}");
    }
    // It is what records are found by, so it is the same in every version.
    assert_eq!(
        key.digest(Named::Token, "acme", "a").to_string(),
        "aa0b49ca7d4cc6e0eb7a31c94c4d03b9"
    );
    for bad in [
        "",
        "0",
        &"0".repeat(32),
        &"g".repeat(32),
        &"A".repeat(32),
        &"1".repeat(33),
    ] {
        assert_eq!(bad.parse::<Digest>(), Err(NoDigest), "{bad}");
    }
}

#[derive(Debug, Clone)]
enum Step {
    Put {
        named: usize,
        issuer: usize,
        name: usize,
        issued_before: i64,
    },
    Remove {
        named: usize,
        issuer: usize,
        name: usize,
    },
    /// The set is filled anew with every other of its entries.
    Renew,
    /// The list of `acme` now has these entries of the set.
    Publish {
        from: usize,
    },
    /// The list was fetched again, and is the same.
    Confirm,
    Ask {
        token: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let place = (0..5_usize, 0..2_usize, 0..3_usize, 0..5_i64);
    prop_oneof![
        3 => place.clone().prop_map(|(named, issuer, name, issued_before)| Step::Put { named, issuer, name, issued_before }),
        2 => place.prop_map(|(named, issuer, name, _)| Step::Remove { named, issuer, name }),
        1 => Just(Step::Renew),
        1 => (0..3_usize).prop_map(|from| Step::Publish { from }),
        1 => Just(Step::Confirm),
        6 => (0..16_usize).prop_map(|token| Step::Ask { token }),
    ]
}

type Model = BTreeMap<(Named, &'static str, &'static str), i64>;

/// A token: issuer, `jti`, `sub`, the mapped subject, client, key id, `iat`.
struct Plain {
    issuer: &'static str,
    jti: Option<&'static str>,
    sub: Option<&'static str>,
    subject: Option<&'static str>,
    client: Option<&'static str>,
    key_id: Option<&'static str>,
    issued_at: Option<i64>,
}

// === impl Plain ===

impl Plain {
    fn of(number: usize) -> Self {
        let name = |number: usize| NAMES.get(number % 4).copied();
        Self {
            issuer: ISSUERS[number % 2],
            jti: name(number),
            sub: name(number / 2),
            subject: name(number / 3),
            client: name(number / 5),
            key_id: name(number / 7),
            issued_at: [None, Some(1), Some(2), Some(3)][number % 4],
        }
    }

    fn marks(&self, key: &DigestKey) -> Marks {
        Marks::new(key, self.issuer, self.jti, self.sub, self.issued_at.map(seconds))
    }

    fn holder(&self) -> Holder<'_> {
        Holder {
            issuer: self.issuer,
            subject: self.subject,
            client: self.client,
            key_id: self.key_id,
        }
    }

    fn is_revoked(&self, model: &Model) -> bool {
        let names = [
            (Named::Token, self.jti),
            (Named::Subject, self.sub),
            (Named::Subject, self.subject),
            (Named::Client, self.client),
            (Named::Key, self.key_id),
            (Named::Issuer, Some("")),
        ];
        names.into_iter().any(|(named, name)| {
            let entry = name.and_then(|name| model.get(&(named, self.issuer, name)));
            entry.is_some_and(|before| self.issued_at.is_none_or(|issued| issued < *before))
        })
    }
}

proptest! {
    #[test]
    fn what_is_refused_is_what_a_plain_map_says(steps in prop::collection::vec(step(), 1..80)) {
        let set = Revocations::default();
        let list = List::default();
        let (mut model, mut published) = (Model::new(), Model::new());
        let tokens: Vec<Plain> = (0..16).map(Plain::of).collect();
        let remembered: Vec<Marks> = tokens.iter().map(|token| token.marks(set.key())).collect();
        let name = |named: Named, name: usize| if named == Named::Issuer { "" } else { NAMES[name] };
        for step in steps {
            match step {
                Step::Put { named, issuer, name: n, issued_before } => {
                    let named = Named::ALL[named];
                    let (issuer, name) = (ISSUERS[issuer], name(named, n));
                    model.insert((named, issuer, name), issued_before);
                    set.change().put(named, set.key().digest(named, issuer, name), before(issued_before));
                }
                Step::Remove { named, issuer, name: n } => {
                    let named = Named::ALL[named];
                    let (issuer, name) = (ISSUERS[issuer], name(named, n));
                    model.remove(&(named, issuer, name));
                    set.change().remove(&set.key().digest(named, issuer, name));
                }
                Step::Renew => {
                    let mut place = 0;
                    model.retain(|_, _| { place += 1; place % 2 == 0 });
                    let mut renewal = set.renew();
                    for ((named, issuer, name), issued_before) in &model {
                        renewal.put(*named, set.key().digest(*named, issuer, name), before(*issued_before));
                    }
                    renewal.finish();
                }
                Step::Publish { from } => {
                    let entries = model.iter().filter(|((_, issuer, _), _)| *issuer == "acme").skip(from);
                    published = entries.map(|(entry, before)| (*entry, *before)).collect();
                    let mut table = Table::default();
                    for ((named, issuer, name), issued_before) in &published {
                        table.put(set.key(), issuer, *named, name, before(*issued_before));
                    }
                    prop_assert_eq!(table.len(), published.len());
                    list.replace(table, seconds(0));
                }
                Step::Confirm => { list.confirm(seconds(1)); }
                Step::Ask { token } => {
                    let plain = &tokens[token];
                    for marks in [&remembered[token], &plain.marks(set.key())] {
                        let by_set = marks.judge(&set, || plain.holder()).is_err();
                        prop_assert_eq!(by_set, plain.is_revoked(&model), "set, {}", token);
                        if plain.issuer == "acme" {
                            let by_list = marks.judge_list(&list, ListWhen::Open, set.key(), seconds(0), || plain.holder());
                            prop_assert_eq!(by_list, Ok(()).map(|()| by_list.unwrap()));
                            prop_assert_eq!(by_list.unwrap().is_err(), plain.is_revoked(&published), "list, {}", token);
                        }
                    }
                }
            }
            prop_assert_eq!(set.len(), model.len());
        }
    }
}

/// While others go on finding a token clean, whoever has revoked it is obeyed at once.
#[test]
fn what_was_found_clean_a_moment_ago_is_refused_by_the_next_look() {
    const ROUNDS: usize = 2000;
    let set = Revocations::default();
    for round in 0..ROUNDS {
        let jti = round.to_string();
        let token = Marks::new(set.key(), "acme", Some(&jti), None, Some(seconds(1)));
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let _ = token.judge(&set, holder);
                }
            });
            while token.judge(&set, holder).is_err() {}
            set.change().put(
                Named::Token,
                set.key().digest(Named::Token, "acme", &jti),
                before(2),
            );
            let refused = token.judge(&set, holder).is_err();
            over.store(true, Ordering::Relaxed);
            assert!(refused, "round {round}");
        });
    }
}

#[test]
fn without_its_list_an_issuer_is_judged_as_its_operator_says() {
    use ListWhen::{ClosedAfter, Open};
    let fetched = |at: Option<i64>| {
        let list = List::default();
        assert!(!list.confirm(seconds(0)), "nothing was there");
        if let Some(at) = at {
            list.replace(Table::default(), seconds(at - 5));
            assert!(list.confirm(seconds(at)), "it is the same");
        }
        list
    };
    let minute = ClosedAfter(Duration::from_secs(60));
    for (when, at, now, usable) in [
        (Open, None, 0, Ok(false)),
        (Open, Some(0), 1_000_000, Ok(true)),
        (minute, None, 0, Err(ListUnavailable)),
        (minute, Some(100), 100, Ok(true)),
        (minute, Some(100), 159, Ok(true)),
        (minute, Some(100), 160, Err(ListUnavailable)),
        // A clock that was set back closes nothing.
        (minute, Some(100), 10, Ok(true)),
    ] {
        let list = fetched(at);
        let held = list.held();
        let judged = when
            .usable(held.as_deref(), seconds(now))
            .map(|held| held.is_some());
        assert_eq!(judged, usable, "{when:?} {at:?} {now}");
    }
}

#[test]
fn a_list_is_understood_or_refused() {
    let key = DigestKey::new([7; 16]);
    let read = |format, text: &str| {
        parse_list(format, text.as_bytes(), "acme", &key, seconds(1000)).map(|table| table.len())
    };
    let entries = |text: &str| format!("{{\"revocations\":[{text}]}}");
    let json = |text: &str| read(Format::Json, &entries(text));
    for (text, expected) in [
        ("", Ok(0)),
        (r#"{"jti":"a"}"#, Ok(1)),
        (
            r#"{"jti":"a","exp":2000},{"jti":"a"},{"jti":"b","exp":2000.5,"reason":"stolen"}"#,
            Ok(2),
        ),
        // Over, the leeway included.
        (r#"{"jti":"a","exp":700},{"jti":"b","exp":701}"#, Ok(1)),
        (r#"{"sub":"a"},{"client_id":"a"},{"kid":"a"},{"all":true}"#, Ok(4)),
        (r#"{"sub":"a","issued_before":900}"#, Ok(1)),
        (r#"{"all":true,"issued_before":900}"#, Ok(1)),
        ("{}", Err(DocumentError::Entry(1))),
        (r#"{"jti":"a"},{"all":false}"#, Err(DocumentError::Entry(2))),
        (r#"{"jti":""}"#, Err(DocumentError::Entry(1))),
        (r#"{"jti":"a","sub":"b"}"#, Err(DocumentError::Entry(1))),
        (r#"{"jti":"a","issued_before":1}"#, Err(DocumentError::Entry(1))),
        (r#"{"sub":"a","exp":1}"#, Err(DocumentError::Entry(1))),
        (r#"{"sub":"a","issued_before":-1}"#, Err(DocumentError::Entry(1))),
        (
            r#"{"sub":"a","issued_before":1e300}"#,
            Err(DocumentError::Entry(1)),
        ),
        (
            r#"{"sub":"a","issued_before":"2027"}"#,
            Err(DocumentError::Syntax),
        ),
        (r#"{"jti":1}"#, Err(DocumentError::Syntax)),
        (r#""a""#, Err(DocumentError::Syntax)),
        (r#"{"jti":"a"}] , "x":["#, Ok(1)),
    ] {
        assert_eq!(json(text), expected, "{text}");
    }
    let long = "x".repeat(NAME_BYTES_MAX + 1);
    assert_eq!(
        json(&format!(r#"{{"jti":"{long}"}}"#)),
        Err(DocumentError::Entry(1))
    );
    assert_eq!(json(&format!(r#"{{"jti":"{}"}}"#, &long[1..])), Ok(1));
    for (text, expected) in [
        ("", Err(DocumentError::Syntax)),
        ("{}", Err(DocumentError::Syntax)),
        ("[]", Err(DocumentError::Syntax)),
        ("<html>", Err(DocumentError::Syntax)),
        ("{\"revocations\":{}}", Err(DocumentError::Syntax)),
        ("{\"revocations\":null}", Err(DocumentError::Syntax)),
        (
            "{\"revocations\":[],\"revocations\":[]}",
            Err(DocumentError::Syntax),
        ),
        ("{\"revocations\":[]} trailing", Err(DocumentError::Syntax)),
        ("{\"revocations\":[]", Err(DocumentError::Syntax)),
        ("{\"version\":{\"a\":[1]},\"revocations\":[]}", Ok(0)),
    ] {
        assert_eq!(read(Format::Json, text), expected, "{text}");
    }
    for (text, expected) in [
        ("", Ok(0)),
        ("# tokens\n\n a \r\nb\na\n", Ok(2)),
        ("\u{feff}a\na\n", Ok(1)),
        ("a b\n", Err(DocumentError::Syntax)),
        ("<html>\n", Err(DocumentError::Syntax)),
        ("{\"revocations\":[]}", Err(DocumentError::Syntax)),
        ("a\u{0}b", Err(DocumentError::Syntax)),
    ] {
        assert_eq!(read(Format::Lines, text), expected, "{text:?}");
    }
    assert_eq!(
        parse_list(Format::Lines, b"a\xff", "acme", &key, seconds(0)).err(),
        Some(DocumentError::Syntax)
    );
}

#[test]
fn a_list_has_bounds() {
    let key = DigestKey::new([7; 16]);
    let read =
        |format, body: &[u8]| parse_list(format, body, "acme", &key, seconds(0)).map(|table| table.len());
    let lines =
        |count: usize| (0..count).fold(String::new(), |text, number| text + &number.to_string() + "\n");
    assert_eq!(
        read(Format::Lines, lines(LIST_ENTRIES_MAX).as_bytes()),
        Ok(LIST_ENTRIES_MAX)
    );
    assert_eq!(
        read(Format::Lines, lines(LIST_ENTRIES_MAX + 1).as_bytes()),
        Err(DocumentError::TooManyEntries)
    );
    let mut spaces = vec![b' '; LIST_BYTES_MAX];
    assert_eq!(read(Format::Lines, &spaces), Ok(0));
    spaces.push(b' ');
    assert_eq!(read(Format::Lines, &spaces), Err(DocumentError::TooLarge));
    // What makes no sense ends the reading at once, however much of it there is.
    let hostile = [b"{\"revocations\":[".as_slice(), &b"{},".repeat(1_000_000)].concat();
    assert_eq!(read(Format::Json, &hostile), Err(DocumentError::Entry(1)));
}

#[test]
fn what_is_over_is_found_once_it_is_over() {
    let set = Revocations::default();
    let put = |name: &str, expires_at: i64| {
        let digest = set.key().digest(Named::Token, "acme", name);
        let revocation = Revocation {
            issued_before: ALWAYS,
            expires_at: seconds(expires_at),
        };
        set.change().put(Named::Token, digest, revocation);
        digest
    };
    let expired = |now: i64, limit: usize| set.expired(seconds(now), limit);
    let (a, b) = (put("a", 10), put("b", 20));
    assert_eq!(expired(9, 9), []);
    assert_eq!(expired(10, 9), [a]);
    assert_eq!(expired(10, 9), [a], "until it is removed");
    assert_eq!(expired(20, 1).len(), 1);
    set.change().remove(&a);
    assert_eq!(expired(19, 9), []);
    let c = put("c", 5);
    assert_eq!(expired(19, 9), [c]);
    set.change().remove(&c);
    assert_eq!(expired(20, 9), [b]);
    assert_eq!(set.len(), 1);
}

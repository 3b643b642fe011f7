//! What holds for every rule: it is read or refused, it is read as it was printed, and it means what an evaluator says
//! that is written to be obviously right.

use std::fmt::Write as _;

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::super::syntax::{Comparison, Expression, Operand, Verb, parse};
use super::Request;
use crate::predicate::Predicate;
use crate::token::Literal;
use crate::token::json::parse_object;

type Rule = Expression<Comparison>;

/// A rule as text, with no more parentheses than it needs.
fn print(rule: &Rule, text: &mut String) {
    let (list, sign) = match rule {
        Expression::Any(list) => (list, " or "),
        Expression::All(list) => (list, " and "),
        Expression::Not(inner) => {
            text.push_str("not ");
            return print_inside(
                inner,
                matches!(**inner, Expression::Any(_) | Expression::All(_)),
                text,
            );
        }
        Expression::Test(comparison) => return print_test(comparison, text),
    };
    for (number, one) in list.iter().enumerate() {
        if number > 0 {
            text.push_str(sign);
        }
        let is_weak = match one {
            Expression::Any(_) => true,
            Expression::All(_) => matches!(rule, Expression::All(_)),
            _ => false,
        };
        print_inside(one, is_weak, text);
    }
}

fn print_inside(rule: &Rule, parentheses: bool, text: &mut String) {
    if parentheses {
        text.push('(');
    }
    print(rule, text);
    if parentheses {
        text.push(')');
    }
}

fn print_test(comparison: &Comparison, text: &mut String) {
    match &comparison.operand {
        Operand::Claim(name) if name.bytes().all(|byte| byte.is_ascii_lowercase()) => {
            let _ = write!(text, "claims.{name} ");
        }
        Operand::Claim(name) => {
            let _ = write!(text, "claim({}) ", quoted(name));
        }
        Operand::Header(name) => {
            let _ = write!(text, "header({}) ", quoted(name));
        }
        plain => {
            let _ = write!(text, "{} ", plain.word());
        }
    }
    text.push_str(comparison.verb.word());
    match &comparison.verb {
        Verb::Equals(one) | Verb::Differs(one) | Verb::Contains(one) => {
            let _ = write!(text, " {}", literal_text(one));
        }
        Verb::In(list) => {
            let list: Vec<String> = list.iter().map(literal_text).collect();
            let _ = write!(text, " [{}]", list.join(", "));
        }
        Verb::StartsWith(one) | Verb::Matches(one) => {
            let _ = write!(text, " {}", quoted(one));
        }
        Verb::Exists => {}
    }
}

fn literal_text(literal: &Literal) -> String {
    match literal {
        Literal::Text(text) => quoted(text),
        Literal::Integer(number) => number.to_string(),
        Literal::Boolean(value) => value.to_string(),
    }
}

fn quoted(text: &str) -> String {
    let quote = if text.contains('"') { '\'' } else { '"' };
    format!("{quote}{text}{quote}")
}

/// The rule without its places.
fn bare(rule: Rule) -> Rule {
    match rule {
        Expression::Any(list) => Expression::Any(list.into_iter().map(bare).collect()),
        Expression::All(list) => Expression::All(list.into_iter().map(bare).collect()),
        Expression::Not(inner) => Expression::Not(Box::new(bare(*inner))),
        Expression::Test(comparison) => Expression::Test(Comparison {
            operand_at: 0,
            verb_at: 0,
            ..comparison
        }),
    }
}

/// What claims and fields may hold, as JSON.
fn values() -> Vec<Json> {
    vec![
        json!(null),
        json!("a"),
        json!("b"),
        json!("ab"),
        json!(1),
        json!(true),
        json!(["a", 1]),
        json!([]),
        json!({ "a": "a" }),
    ]
}

fn literal() -> impl Strategy<Value = Literal> {
    prop_oneof![
        4 => prop_oneof![Just("a"), Just("b"), Just("ab"), Just("")].prop_map(|text| Literal::Text(text.into())),
        1 => (0..2_i64).prop_map(Literal::Integer),
        1 => any::<bool>().prop_map(Literal::Boolean),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just("a"), Just("b"), Just("ab"), Just("")].prop_map(str::to_owned)
}

fn texts() -> impl Strategy<Value = Literal> {
    text().prop_map(|text| Literal::Text(text.into()))
}

fn verb(literal: impl Strategy<Value = Literal> + Clone + 'static) -> impl Strategy<Value = Verb> {
    prop_oneof![
        literal.clone().prop_map(Verb::Equals),
        literal.clone().prop_map(Verb::Differs),
        proptest::collection::vec(literal.clone(), 1..4).prop_map(Verb::In),
        literal.prop_map(Verb::Contains),
        text().prop_map(Verb::StartsWith),
        prop_oneof![Just("a|b"), Just("a.*"), Just("[^a]*")].prop_map(|text| Verb::Matches(text.to_owned())),
        Just(Verb::Exists),
    ]
}

fn comparison() -> impl Strategy<Value = Comparison> {
    let claims = prop_oneof![Just("p"), Just("q"), Just("R s")];
    let fields = prop_oneof![Just("x-p"), Just("x-q")];
    let methods = prop_oneof![Just("GET"), Just("PUT")].prop_map(|name| Literal::Text(name.into()));
    prop_oneof![
        3 => (claims.prop_map(|name| Operand::Claim(name.to_owned())), verb(literal().boxed())),
        2 => (fields.prop_map(|name| Operand::Header(name.to_owned())), verb(texts().boxed())),
        1 => (Just(Operand::Method), prop_oneof![
            methods.clone().prop_map(Verb::Equals),
            methods.clone().prop_map(Verb::Differs),
            proptest::collection::vec(methods, 1..3).prop_map(Verb::In),
        ]),
    ]
    .prop_map(|(operand, verb)| Comparison {
        operand,
        verb,
        operand_at: 0,
        verb_at: 0,
    })
}

fn rule() -> impl Strategy<Value = Rule> {
    comparison()
        .prop_map(Expression::Test)
        .prop_recursive(4, 24, 3, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 2..4).prop_map(Expression::Any),
                proptest::collection::vec(inner.clone(), 2..4).prop_map(Expression::All),
                inner.prop_map(|inner| Expression::Not(Box::new(inner))),
            ]
        })
}

/// What a rule is judged over: claims, and the fields of each name.
#[derive(Debug)]
struct World {
    method: &'static str,
    claims: Json,
    fields: Vec<(&'static str, Vec<String>)>,
}

fn world() -> impl Strategy<Value = World> {
    let value = || proptest::option::of(proptest::sample::select(values()));
    let field = || proptest::collection::vec("[ab]{0,2}(, ?[ab])?", 0..3);
    (
        prop_oneof![Just("GET"), Just("PUT"), Just("POST")],
        [value(), value(), value()],
        [field(), field()],
    )
        .prop_map(|(method, claims, fields)| {
            let named = ["p", "q", "R s"].into_iter().zip(claims);
            let claims = named.filter_map(|(name, value)| Some((name.to_owned(), value?)));
            World {
                method,
                claims: Json::Object(claims.collect()),
                fields: ["x-p", "x-q"].into_iter().zip(fields).collect(),
            }
        })
}

/// The meaning of a rule, over JSON, from the sentences of the documentation.
fn means(rule: &Rule, world: &World) -> bool {
    match rule {
        Expression::Any(list) => list.iter().any(|one| means(one, world)),
        Expression::All(list) => list.iter().all(|one| means(one, world)),
        Expression::Not(inner) => !means(inner, world),
        Expression::Test(Comparison { operand, verb, .. }) => match operand {
            Operand::Claim(name) => world.claims.get(name).is_some_and(|value| says(verb, value)),
            Operand::Method => says(verb, &json!(world.method)),
            Operand::Header(name) => {
                let (_, fields) = world.fields.iter().find(|(own, _)| own == name).unwrap();
                match (verb, fields.as_slice()) {
                    (Verb::Exists, fields) => !fields.is_empty(),
                    (Verb::Contains(member), fields) => fields
                        .iter()
                        .flat_map(|field| field.split(','))
                        .any(|own| json!(own.trim()) == json_of(member)),
                    (verb, [only]) => says(verb, &json!(only)),
                    _ => false,
                }
            }
            Operand::Path | Operand::ClientIp => unreachable!("no rule here asks for these"),
        },
    }
}

fn json_of(literal: &Literal) -> Json {
    match literal {
        Literal::Text(text) => json!(text),
        Literal::Integer(number) => json!(number),
        Literal::Boolean(value) => json!(value),
    }
}

fn says(verb: &Verb, value: &Json) -> bool {
    let same_kind = |literal: &Literal| match literal {
        Literal::Text(_) => value.is_string(),
        Literal::Integer(_) => value.is_number(),
        Literal::Boolean(_) => value.is_boolean(),
    };
    match verb {
        Verb::Equals(literal) => *value == json_of(literal),
        Verb::Differs(literal) => same_kind(literal) && *value != json_of(literal),
        Verb::In(list) => list.iter().any(|literal| *value == json_of(literal)),
        Verb::Contains(literal) => match value.as_array() {
            Some(members) => members.contains(&json_of(literal)),
            None => *value == json_of(literal),
        },
        Verb::StartsWith(text) => value
            .as_str()
            .is_some_and(|value| value.starts_with(text.as_str())),
        Verb::Matches(pattern) => value.as_str().is_some_and(|value| match pattern.as_str() {
            "a|b" => value == "a" || value == "b",
            "a.*" => value.starts_with('a'),
            _ => !value.contains('a'),
        }),
        Verb::Exists => !value.is_null(),
    }
}

fn request(world: &World) -> Request {
    let mut headers = HeaderMap::new();
    for (name, values) in &world.fields {
        for value in values {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_str(value).unwrap(),
            );
        }
    }
    let claims = serde_json::to_vec(&world.claims).unwrap();
    Request {
        method: world.method.to_owned(),
        path: "/".to_owned(),
        headers,
        client: None,
        claims: parse_object(claims.leak()).unwrap(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn a_rule_is_read_as_it_was_printed_and_means_what_it_says(rule in rule(), worlds in proptest::collection::vec(world(), 8)) {
        let mut text = String::new();
        print(&rule, &mut text);
        let read = parse(&text).map(bare);
        prop_assert_eq!(read, Ok(rule.clone()), "{}", text);
        for world in &worlds {
            prop_assert_eq!(request(world).judge(&text), means(&rule, world), "{} {:?}", text, world);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_written_is_read_or_refused_at_a_place_in_it(
        text in prop_oneof![
            "\\PC{0,60}",
            "((claims\\.a|claim|header|method|path|client_ip|not|and|or|in|exists|contains|matches|==|!=|'a'|\"|1|\\(|\\)|\\[|\\]|,|-) ?){0,20}",
        ],
    ) {
        match Predicate::compile(&text, |_| Some(0)) {
            Ok(rule) => prop_assert_eq!(rule.as_str(), text),
            Err(error) => {
                prop_assert!(text.is_char_boundary(error.at) && error.at <= text.len());
                prop_assert!(!error.to_string().is_empty());
                let (line, column) = error.position(&text);
                prop_assert!(line >= 1 && column >= 1 && column <= text.chars().count() + 1);
            }
        }
    }
}

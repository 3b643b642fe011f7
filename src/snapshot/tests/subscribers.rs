//! Applications and subscriptions: a client id is one application's, a subscription is to something that is there.
//! Rows about subscriptions stand below one API with the plans `gold` (JWT) and `open` (keyless).

use super::{PLAN, check};

/// Below the API, its plans and the application `mobile`; the text begins in line 15.
#[track_caller]
fn check_subscription(text: &str, expected: &[&str]) {
    check(
        &format!(
            "{PLAN}[[api.plan]]\nname = \"open\"\nsecurity = \"keyless\"\n\
             [[application]]\nid = \"mobile\"\nclient_ids = [\"m\"]\n{text}"
        ),
        expected,
    );
}

fn subscription(application: &str, api: &str, plan: &str) -> String {
    format!("[[subscription]]\napplication = \"{application}\"\napi = \"{api}\"\nplan = \"{plan}\"\n")
}

#[test]
fn a_client_id_is_one_applications() {
    let overlap = "would identify two applications, or one twice; first at t.toml:3:";
    for (first, second, place) in [
        (r#""c""#, r#""c""#, Some((15, "6:15"))),
        (r#""c""#, r#"{ issuer = "acme", id = "c" }"#, Some((15, "6:39"))),
        (r#"{ issuer = "acme", id = "c" }"#, r#""c""#, Some((39, "6:15"))),
        (
            r#"{ issuer = "acme", id = "c" }"#,
            r#"{ issuer = "acme", id = "c" }"#,
            Some((39, "6:39")),
        ),
        (
            r#"{ issuer = "acme", id = "c" }"#,
            r#"{ issuer = "bare", id = "c" }"#,
            None,
        ),
        (r#""c""#, r#""C""#, None),
    ] {
        let text = format!(
            "[[application]]\nid = \"one\"\nclient_ids = [{first}]\n[[application]]\nid = \"two\"\nclient_ids = [{second}]\n"
        );
        match place {
            Some((column, place)) => check(
                &text,
                &[&format!(
                    "{place}: the client id `c` {overlap}{column}: client_ids = [{second}]"
                )],
            ),
            None => check(&text, &[]),
        }
    }
    check(
        "[[application]]\nid = \"one\"\nclient_ids = [\"c\", \"c\"]\n",
        &["3:20: `c` is listed twice in `client_ids` (first in line 3): client_ids = [\"c\", \"c\"]"],
    );
    check(
        "[[application]]\nid = \"one\"\nclient_ids = [{ issuer = \"acne\", id = \"c\" }]\n",
        &[
            "3:26: there is no issuer `acne` (did you mean `acme`?): client_ids = [{ issuer = \"acne\", id = \"c\" }]",
        ],
    );
}

#[test]
fn an_application_is_defined_once() {
    check(
        "[[application]]\nid = \"one\"\nclient_ids = [\"a\"]\n[[application]]\nid = \"one\"\nclient_ids = [\"b\"]\n",
        &["5:6: the application `one` is defined twice; first at t.toml:2:6: id = \"one\""],
    );
}

#[test]
fn a_subscription_is_of_somebody_to_something() {
    check_subscription(
        &subscription("mobil", "orders", "gold"),
        &["16:15: there is no application `mobil` (did you mean `mobile`?): application = \"mobil\""],
    );
    check_subscription(
        &subscription("mobile", "order", "gold"),
        &["17:7: there is no API `order` (did you mean `orders`?): api = \"order\""],
    );
    check_subscription(
        &subscription("mobile", "orders", "golden"),
        &[
            "18:8: there is no plan of the API `orders` called `golden` (did you mean `gold`?): plan = \"golden\"",
        ],
    );
    check_subscription(
        &subscription("mobile", "orders", "platinum"),
        &["18:8: there is no plan of the API `orders` called `platinum`: plan = \"platinum\""],
    );
    check_subscription(
        &subscription("mobile", "orders", "open"),
        &["18:8: the plan `open` is keyless: there is nothing to subscribe to: plan = \"open\""],
    );
    let gold = subscription("mobile", "orders", "gold");
    check_subscription(
        &format!("{gold}{gold}"),
        &[
            "20:15: the subscription of `mobile to orders/gold` is defined twice; first at t.toml:16:15: \
           application = \"mobile\"",
        ],
    );
}

#[test]
fn a_subscription_begins_before_it_ends() {
    let gold = subscription("mobile", "orders", "gold");
    for until in [
        "2026-01-01T00:00:00Z",
        "2025-12-31T23:59:59Z",
        "2026-01-01T01:00:00+02:00",
    ] {
        let dates = format!("from = 2026-01-01T00:00:00Z\nuntil = {until}\n");
        check_subscription(
            &format!("{gold}{dates}"),
            &[&format!(
                "20:9: the subscription ends before it begins: until = {until}"
            )],
        );
    }
    check_subscription(
        &format!("{gold}from = 2026-01-01T00:00:00Z\nuntil = 2026-01-01T00:00:01Z\n"),
        &[],
    );
}

#[test]
fn a_claim_set_is_one_applications() {
    let overlap = "the claim set would identify two applications, or one twice; first at t.toml:3:15";
    for (first, second, expected) in [
        (r#"{ a = "1" }"#, r#"{ a = "2" }"#, None),
        // A token that matches both is refused at run time.
        (r#"{ a = "1" }"#, r#"{ a = "1", b = "2" }"#, None),
        (
            r#"{ a = "1", b = "2" }"#,
            r#"{ b = "2", a = "1" }"#,
            Some(format!("6:15: {overlap}")),
        ),
        (
            r#"{ a = "1" }"#,
            r#"{ a = 1 }"#,
            Some("6:21: expected a string, found an integer".to_owned()),
        ),
        (r#"{ a = "1" }"#, "{}", Some("6:15: no claim is named".to_owned())),
    ] {
        let text = format!(
            "[[application]]\nid = \"one\"\nclaim_sets = [{first}]\n[[application]]\nid = \"two\"\nclaim_sets = [{second}]\n"
        );
        let expected = expected.map(|says| format!("{says}: claim_sets = [{second}]"));
        check(&text, &expected.as_deref().into_iter().collect::<Vec<_>>());
    }
}

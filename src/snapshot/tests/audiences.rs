//! Whom tokens must be for: what issuer and plan say together, and what they may not say.
//! With it the profile of access tokens, which is about audiences as much as about types.

use super::{API, NOW, check, snapshot};
use crate::token::{Audience, Profile, TokenTypes};

/// An issuer that takes the place of `acme` in a row, with what is written; its next line is the fifth.
fn issuer(text: &str) -> String {
    format!(
        "[[issuer]]\nname = \"i\"\nalgorithms = [\"ES256\"]\nkeys = {{ k = {{ file = \"public.pem\" }} }}\n{text}\n"
    )
}

/// An API with one plan for it.
fn plan(api: &str, text: &str) -> String {
    format!("{API}{api}\n[[api.plan]]\nname = \"gold\"\nsecurity = \"jwt\"\nissuers = [\"i\"]\n{text}\n")
}

const SERVER: &str = "[server]\naudience = \"gw\"\n";
const URI: &str = "public_uri = \"https://api.example/orders\"";

#[test]
fn audiences_add_up_unless_a_plan_lists_its_own() {
    let uri = "https://api.example/orders";
    let all = r#"audience_from = ["gateway", "application", "request_uri"]"#;
    // Of "listed", "own", "gw", the URI and "app" (which is the application's), those that are accepted.
    for (of_issuer, of_plan, expected) in [
        (r#"audiences = ["listed"]"#, "", "listed"),
        (r#"audience_from = ["gateway"]"#, "", "gw"),
        (r#"audience_from = ["application"]"#, "", "app"),
        (r#"audience_from = ["request_uri"]"#, "", uri),
        (all, "", "gw https://api.example/orders app"),
        ("", all, "gw https://api.example/orders app"),
        (
            r#"audiences = ["listed"]"#,
            r#"audience_from = ["gateway"]"#,
            "listed gw",
        ),
        (
            r#"audience_from = ["application"]"#,
            r#"audience_from = ["gateway"]"#,
            "gw app",
        ),
        (all, r#"audiences = ["own"]"#, "own"),
        (
            r#"audiences = ["listed"]"#,
            "audiences = [\"own\"]\naudience_from = [\"application\"]",
            "own app",
        ),
        (
            r#"audiences = "danger-accept-any""#,
            r#"audiences = ["own"]"#,
            "own",
        ),
        (
            r#"audience_from = ["gateway"]"#,
            r#"audiences = "danger-accept-any""#,
            "listed own gw https://api.example/orders app",
        ),
    ] {
        let text = format!("{SERVER}{}{}", issuer(of_issuer), plan(URI, of_plan));
        let snapshot = snapshot(&text);
        let accepted = snapshot.apis.first().unwrap().plans.for_issuer("i", NOW).unwrap();
        let audiences = &accepted.plans.first().unwrap().audiences;
        let found: Vec<&str> = ["listed", "own", "gw", uri, "app"]
            .into_iter()
            .filter(|one| audiences.accept(Audience::One(one), || *one == "app"))
            .collect();
        assert_eq!(found.join(" "), expected, "{of_issuer} and {of_plan}");
        // Not even an application makes up for an audience that is not there.
        let any = of_plan.contains("danger");
        assert_eq!(
            audiences.accept(Audience::Absent, || true),
            any,
            "{of_issuer} and {of_plan}"
        );
    }
}

#[test]
fn what_names_an_audience_has_one() {
    check(
        &format!("{}{}", issuer(r#"audience_from = ["gateway"]"#), plan("", "")),
        &["5:18: \"gateway\" in `audience_from` needs `audience` in [server]: audience_from = [\"gateway\"]"],
    );
    check(
        &format!("{}{}", issuer(""), plan("", r#"audience_from = ["gateway"]"#)),
        &[
            "15:18: \"gateway\" in `audience_from` needs `audience` in [server]: audience_from = [\"gateway\"]",
        ],
    );
    let lacking = "7:8: the API `orders` has no `public_uri` (a plan of it, or an issuer of such a plan, has \
                   \"request_uri\" in `audience_from`): name = \"orders\"";
    let source = r#"audience_from = ["request_uri"]"#;
    check(&format!("{}{}", issuer(source), plan("", "")), &[lacking]);
    check(&format!("{}{}", issuer(""), plan("", source)), &[lacking]);
    check(
        &format!("{}{}", issuer(source), plan("", "audiences = [\"x\"]")),
        &[],
    );
    check(&format!("{}{}", issuer(source), plan(URI, "")), &[]);
    check(
        &format!("{}{}", issuer(source), plan("public_uri = \"/orders\"", "")),
        &[
            "10:14: the public URI `/orders` is no absolute URI (write it as callers do: \
             \"https://api.example.com/orders\"): public_uri = \"/orders\"",
        ],
    );
    check(
        &format!("{}{}", issuer(source), plan("public_uri = \"https://a/#b\"", "")),
        &[
            "10:14: the public URI `https://a/#b`: a fragment has no place in it (RFC 8707 section 2): \
             public_uri = \"https://a/#b\"",
        ],
    );
}

#[test]
fn nothing_is_added_to_every_audience() {
    let source = r#"audience_from = ["application"]"#;
    let any = r#"audiences = "danger-accept-any""#;
    check(
        &issuer(&format!("{any}\n{source}")),
        &[
            "6:18: `audience_from` adds nothing to \"danger-accept-any\" (keep one): \
             audience_from = [\"application\"]",
        ],
    );
    check(
        &format!("{}{}", issuer(any), plan("", source)),
        &[
            "15:18: `audience_from` adds nothing: the issuer `i` says \"danger-accept-any\" (list the plan's \
             `audiences`): audience_from = [\"application\"]",
        ],
    );
    check(
        &format!("{API}[[api.plan]]\nname = \"p\"\nsecurity = \"keyless\"\n{source}\n"),
        &[
            "8:18: a keyless plan takes no `audience_from`: it asks callers for nothing: \
             audience_from = [\"application\"]",
        ],
    );
}

#[test]
fn access_tokens_leave_no_choice_of_type_and_need_an_audience() {
    check(
        &issuer("token_profile = \"rfc9068\"\ntoken_types = [\"at+jwt\"]\naudience_optional = true"),
        &[
            "6:16: `token_profile = \"rfc9068\"` says what `typ` must be: at+jwt (remove `token_types`): \
             token_types = [\"at+jwt\"]",
            "7:21: `token_profile = \"rfc9068\"` asks every token for an `aud` (remove `audience_optional`): \
             audience_optional = true",
        ],
    );
    let text =
        issuer("token_profile = \"rfc9068\"\naudience_optional = false\nrequired_claims = [\"tenant\"]");
    let snapshot = snapshot(&text);
    let rules = &snapshot.issuers.first().unwrap().rules;
    assert_eq!(
        (rules.profile, &rules.token_types),
        (Profile::AccessToken, &TokenTypes::only("at+jwt"))
    );
    assert_eq!(rules.required_claims, [Box::from("tenant")]);
    for (client_ids, expected) in [("", "client_id"), ("client_id_claims = [\"azp\"]\n", "azp")] {
        let text = format!(
            "{}{}",
            issuer(&format!("token_profile = \"rfc9068\"\n{client_ids}")),
            plan("", "audiences = [\"x\"]")
        );
        let snapshot = super::snapshot(&text);
        let accepted = snapshot.apis.first().unwrap().plans.for_issuer("i", NOW).unwrap();
        let names: Vec<&str> = accepted
            .mapping
            .client_ids
            .iter()
            .map(|path| path.as_str())
            .collect();
        assert_eq!(names, [expected]);
    }
}

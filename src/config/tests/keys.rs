//! Keys and words that are missing, misspelt, or of another version.
//! A key that is not understood is refused with the one that was probably meant, never skipped.

use super::{check, check_issuer};

#[test]
fn words() {
    let text = "[server]\nduplicate_slashes = \"marge\"\npath_parameters = \"keep\"\n";
    check(
        text,
        &[
            "2:21: unknown word `marge` for `duplicate_slashes` (did you mean `merge`?): duplicate_slashes = \"marge\"",
            "3:19: unknown word `keep` for `path_parameters` (known are `refuse`, `strip`): path_parameters = \"keep\"",
        ],
    );
    check(
        "[[upstream]]\nname = \"a\"\npeers = [\"127.0.0.1:1\"]\nbalance = \"hash\"\n",
        &["4:11: `hash` is not available in this version of Tollgate: balance = \"hash\""],
    );
    let plan = "[[api]]\nname = \"a\"\ncontext_path = \"/\"\nupstream = \"u\"\n[[api.plan]]\nname = \"p\"\n";
    check(
        &format!("{plan}security = \"none\"\n"),
        &[
            "7:12: unknown word `none` for `security` (known are `jwt`, `oauth2`, `api_key`, `keyless`): security = \"none\"",
        ],
    );
}

#[test]
fn shares() {
    let text = "[server]\nforgery_budget = 25\nforgery_budget_per_source = \"0%\"\nforgery_burst = \"2m\"\nforgery_hold = \"11s\"\n";
    check(
        text,
        &[
            "2:18: expected a share such as \"25%\", or \"off\", found an integer (a share has its sign: \"25%\"): \
             forgery_budget = 25",
            "3:29: `forgery_budget_per_source` must be between 1% and 10000%, not 0%: forgery_budget_per_source = \"0%\"",
            "4:17: `forgery_burst` must be between 100ms and 1m, not 2m: forgery_burst = \"2m\"",
            "5:16: `forgery_hold` must be between 0s and 10s, not 11s: forgery_hold = \"11s\"",
        ],
    );
    for wrong in ["", "%", "25", "25 %", "-1%", "+5%", "2.5%", "99999999999%", "of"] {
        let line = format!("forgery_budget = \"{wrong}\"");
        let says = format!("2:18: `{wrong}` is not a share such as \"25%\", or \"off\": {line}");
        check(&format!("[server]\n{line}\n"), &[&says]);
    }
}

#[test]
fn keys_that_do_not_exist() {
    check_issuer(
        "algoritms = [\"RS256\"]\n",
        &["4:1: unknown key `algoritms` in [[issuer]] (did you mean `algorithms`?): algoritms = [\"RS256\"]"],
    );
    check_issuer(
        "jwks.url = \"u\"\njwks.refresh_intervall = \"1s\"\n",
        &[
            "5:6: unknown key `refresh_intervall` in `jwks` of [[issuer]] (did you mean `refresh_interval`?): \
         jwks.refresh_intervall = \"1s\"",
        ],
    );
    check_issuer(
        "keys = { a = { file = \"a\", pin = 1 } }\n",
        &[
            "4:28: unknown key `pin` in an entry of `keys` of [[issuer]] (known are `file`): \
         keys = { a = { file = \"a\", pin = 1 } }",
        ],
    );
    check(
        "[access_log]\npath = \"-\"\nfrobnicate = 1\n",
        &["3:1: unknown key `frobnicate` in [access_log] (known are `path`, `claims`): frobnicate = 1"],
    );
    check(
        "[[isuer]]\n",
        &["1:3: unknown key `isuer` at the top level (did you mean `issuer`?): [[isuer]]"],
    );
    check(
        "[metrics]\naddress = \"127.0.0.1:1\"\nAddress = 1\n",
        &["3:1: unknown key `Address` in [metrics] (did you mean `address`?): Address = 1"],
    );
}

#[test]
fn keys_of_other_versions() {
    let tables: [(&str, &str, &[&str]); 7] = [
        ("", "", &["follow"]),
        ("[counters]\n", "", &["url"]),
        ("[[listener]]\naddress = \"127.0.0.1:1\"\n", "", &["tls", "http2"]),
        (
            "[[upstream]]\nname = \"a\"\npeers = [\"127.0.0.1:1\"]\n",
            "",
            &["health", "tls"],
        ),
        (
            "[[api]]\nname = \"a\"\ncontext_path = \"/\"\nupstream = \"u\"\n",
            "",
            &["cors"],
        ),
        (
            "[[api]]\nname = \"a\"\ncontext_path = \"/\"\nupstream = \"u\"\n[[api.route]]\npath = \"/\"\n",
            "",
            &["timeout", "websocket"],
        ),
        ("[[application]]\nid = \"a\"\n", "", &["api_keys"]),
    ];
    for (table, prefix, keys) in tables {
        let line = table.lines().count() + 1;
        let column = prefix.len() + 1;
        for key in keys {
            let expected = format!(
                "{line}:{column}: `{key}` is not available in this version of Tollgate; remove it: {prefix}{key} = {{}}"
            );
            check(&format!("{table}{prefix}{key} = {{}}\n"), &[&expected]);
        }
    }
}

#[test]
fn required_keys() {
    check(
        "[[issuer]]\n",
        &[
            "1:1: missing required key `algorithms` in [[issuer]]: [[issuer]]",
            "1:1: missing required key `name` in [[issuer]]: [[issuer]]",
        ],
    );
    check_issuer(
        "jwks.cooldown = \"1s\"\n[[issuer.claim_mapping]]\nlocal_claim = \"\"\n",
        &[
            "4:1: missing required key `url` or `file` in `jwks` of [[issuer]]: jwks.cooldown = \"1s\"",
            "5:1: missing required key `remote_claim` in [[issuer.claim_mapping]]: [[issuer.claim_mapping]]",
            "6:15: `local_claim` must not be empty: local_claim = \"\"",
        ],
    );
    check_issuer(
        "keys = { a = {} }\n",
        &["4:14: missing required key `file` in an entry of `keys` of [[issuer]]: keys = { a = {} }"],
    );
    check(
        "[[api]]\nname = \"a\"\ncontext_path = \"/\"\nupstream = \"u\"\n[[api.plan]]\n[[api.route]]\n",
        &[
            "5:1: missing required key `name` in [[api.plan]]: [[api.plan]]",
            "5:1: missing required key `security` in [[api.plan]]: [[api.plan]]",
            "6:1: missing required key `path` in [[api.route]]: [[api.route]]",
        ],
    );
}

#[test]
fn a_place_for_tokens_has_at_least_one_name() {
    let plan = "[[api]]\nname = \"a\"\ncontext_path = \"/\"\nupstream = \"u\"\n[[api.plan]]\nname = \"p\"\nsecurity = \"jwt\"\n";
    check(
        &format!("{plan}token_from = {{}}\n"),
        &[
            "8:14: missing required key `header`, `cookie` or `query` in `token_from` of [[api.plan]]: token_from = {}",
        ],
    );
    check(
        &format!("{plan}token_from = {{ cookies = \"c\", query = 1 }}\n"),
        &[
            "8:16: unknown key `cookies` in `token_from` of [[api.plan]] (did you mean `cookie`?): \
             token_from = { cookies = \"c\", query = 1 }",
            "8:39: expected a string, found an integer: token_from = { cookies = \"c\", query = 1 }",
        ],
    );
    check(
        &format!("{plan}token_from = \"cookie\"\n"),
        &["8:14: expected a table, found a string: token_from = \"cookie\""],
    );
}

#[test]
fn values_of_claim_mappings_and_audience_sources() {
    check(
        "[[claim_mapping]]\nremote_claim = \"a\"\nlocal_claim = \"b\"\ndefault = 1.5\nsplit = \"\"\nlowercase = \"yes\"\n",
        &[
            "4:11: expected a string, an integer, a boolean or an array of strings, found a float: default = 1.5",
            "5:9: `split` must not be empty: split = \"\"",
            "6:13: expected a boolean, found a string: lowercase = \"yes\"",
        ],
    );
    check(
        "[[claim_mapping]]\nremote_claim = \"a\"\nlocal_claim = \"b\"\ndefault = [\"a\", 1]\nprefx = \"a\"\n",
        &[
            "4:17: expected a string, found an integer: default = [\"a\", 1]",
            "5:1: unknown key `prefx` in [[claim_mapping]] (did you mean `prefix`?): prefx = \"a\"",
        ],
    );
    check(
        "[claim_mapping]\nremote_claim = \"a\"\n",
        &["1:1: expected an array of tables, found a table (write [[claim_mapping]]): [claim_mapping]"],
    );
    check_issuer(
        "audience_from = [\"gatway\", \"application\", \"application\"]\ntoken_profile = \"rfc9086\"\n",
        &[
            "4:18: unknown word `gatway` for `audience_from` (did you mean `gateway`?): \
             audience_from = [\"gatway\", \"application\", \"application\"]",
            "4:43: `application` is listed twice in `audience_from` (first in line 4): \
             audience_from = [\"gatway\", \"application\", \"application\"]",
            "5:17: unknown word `rfc9086` for `token_profile` (did you mean `rfc9068`?): token_profile = \"rfc9086\"",
        ],
    );
    check_issuer(
        "audience_from = []\n",
        &["4:17: `audience_from` must not be empty: audience_from = []"],
    );
}

#[test]
fn introspection() {
    let issuer = "[[issuer]]\nname = \"a\"\nintrospection = { url = \"u\", client_id = \"c\"";
    let line = |more: &str| format!("introspection = {{ url = \"u\", client_id = \"c\"{more} }}");
    for (more, says) in [
        (
            "",
            "3:17: missing required key `client_secret_file` or `client_secret_env` in `introspection` of [[issuer]]",
        ),
        (
            ", client_secret_file = \"f\", client_secret_env = \"E\"",
            "3:17: `introspection` has both `client_secret_file` and `client_secret_env` (keep one)",
        ),
    ] {
        check(
            &format!("{issuer}{more} }}\n"),
            &[&format!("{says}: {}", line(more))],
        );
    }
}

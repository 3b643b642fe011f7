//! Claims, audiences, resources and selection rules: what cannot be meant, with its place. What could never be met is a
//! mistake as well: a plan that nobody can be under looks like an outage.

use super::{API, NOW, PLAN, check, snapshot};

#[test]
fn claims_have_values_that_can_be_compared() {
    let plan = |claims: &str| format!("{PLAN}claims = {claims}\n");
    check(
        &plan("{ tenant = \"acme\", roles = [\"a\", 1, true], \"a.b/c\" = 7 }"),
        &[],
    );
    check(&plan("{}"), &["9:10: no claim is named: claims = {}"]);
    check(
        &plan("{ roles = [] }"),
        &["9:20: `roles` must not be empty: claims = { roles = [] }"],
    );
    check(
        &plan("{ level = 1.5, at = 2026-01-01 }"),
        &[
            "9:20: expected a string, an integer or a boolean, found a float: \
             claims = { level = 1.5, at = 2026-01-01 }",
            "9:30: expected a string, an integer or a boolean, found a date-time: \
             claims = { level = 1.5, at = 2026-01-01 }",
        ],
    );
    check(
        &plan("{ address.city = \"Lyon\" }"),
        &[
            "9:12: expected a string, an integer or a boolean, found a table: claims = { address.city = \"Lyon\" }",
        ],
    );
    check(
        &format!("{API}[[api.route]]\npath = \"/x\"\nclaims = {{ a = [[\"x\"]] }}\naudiences = []\n"),
        &[
            "7:17: expected a string, an integer or a boolean, found an array: claims = { a = [[\"x\"]] }",
            "8:13: `audiences` must not be empty: audiences = []",
        ],
    );
    check(
        &format!("{API}[[api.plan]]\nname = \"open\"\nsecurity = \"keyless\"\nclaims = {{ a = 1 }}\n"),
        &["8:12: a keyless plan takes no `claims`: it asks callers for nothing: claims = { a = 1 }"],
    );
}

#[test]
fn resources_are_paths_and_methods_as_routes_have_them() {
    let plan = |resources: &str| format!("{PLAN}{resources}\n");
    check(
        &plan("resources.allow = [{ path = \"/a/{id}\", methods = [\"GET\"] }, { path = \"/a/*\" }]"),
        &[],
    );
    check(
        &plan("resources = {}"),
        &["9:13: missing required key `allow` or `deny` in resources of [[api.plan]]: resources = {}"],
    );
    check(
        &plan("resources = { allow = [], deny = [{}], denied = 1 }"),
        &[
            "9:23: `allow` must not be empty: resources = { allow = [], deny = [{}], denied = 1 }",
            "9:35: missing required key `path` in a denied resource: \
             resources = { allow = [], deny = [{}], denied = 1 }",
            "9:40: unknown key `denied` in resources of [[api.plan]] (known are `allow`, `deny`): \
             resources = { allow = [], deny = [{}], denied = 1 }",
        ],
    );
    check(
        &plan("resources.deny = [{ path = \"a\", methods = [\"get\"] }, { path = \"/a/../b\" }]"),
        &[
            "9:28: the path `a`: a path pattern starts with `/`: \
             resources.deny = [{ path = \"a\", methods = [\"get\"] }, { path = \"/a/../b\" }]",
            "9:44: the method `get`: methods are written in upper case: \
             resources.deny = [{ path = \"a\", methods = [\"get\"] }, { path = \"/a/../b\" }]",
            "9:63: the path `/a/../b`: a path pattern must be written as it will be matched: normalised, at most 64 \
             segments: resources.deny = [{ path = \"a\", methods = [\"get\"] }, { path = \"/a/../b\" }]",
        ],
    );
}

#[test]
fn a_mistake_in_a_rule_is_shown_where_it_stands() {
    let plan = |rule: &str| format!("{PLAN}selection_rule = {rule}\n");
    check(&plan("'claims.tenant == \"acme\"'"), &[]);
    check(
        &plan("'claims.tenant = \"acme\"'"),
        &[
            "9:33: in the selection rule: `=` has no meaning here: selection_rule = 'claims.tenant = \"acme\"'",
        ],
    );
    check(
        &plan("\"method == 'GET' and\""),
        &[
            "9:38: in the selection rule: expected something to test, `not` or `(`, found the end: \
             selection_rule = \"method == 'GET' and\"",
        ],
    );
    // What is escaped, or on lines of its own, does not stand there letter by letter.
    check(
        &plan(r#""claims.t == \"x\" or tenant""#),
        &[
            "9:18: in line 1, column 20 of the selection rule: `tenant` is nothing that a rule can look at: known are \
             `claims.NAME`, `claim(\"NAME\")`, `header(\"NAME\")`, `method`, `path` and `client_ip`: \
             selection_rule = \"claims.t == \\\"x\\\" or tenant\"",
        ],
    );
    check(
        &plan("'''\nclaims.t exists\n  and method == 'get'\n'''"),
        &[
            "9:18: in line 2, column 17 of the selection rule: methods are written in upper case: \
             selection_rule = '''",
        ],
    );
    check(
        &plan("''"),
        &["9:18: `selection_rule` must not be empty: selection_rule = ''"],
    );
}

#[test]
fn keyless_plans_are_told_apart_by_rules_that_need_no_caller() {
    let keyless =
        |name: &str, more: &str| format!("[[api.plan]]\nname = \"{name}\"\nsecurity = \"keyless\"\n{more}");
    let rule = "selection_rule = \"method == 'GET'\"\n";
    for (first, second) in [(rule, ""), (rule, rule)] {
        check(
            &format!("{API}{}{}", keyless("a", first), keyless("b", second)),
            &[],
        );
    }
    check(
        &format!("{API}{}{}", keyless("a", ""), keyless("b", rule)),
        &[
            "9:8: the plan `b` can never be chosen: it is keyless, and so is one before it (give the plan at \
             t.toml:6:8 a `selection_rule`): name = \"b\"",
        ],
    );
    check(
        &format!("{API}{}", keyless("a", "selection_rule = \"claims.a exists\"\n")),
        &[
            "8:19: in the selection rule: claims cannot be asked for: callers of a keyless plan have shown none: \
             selection_rule = \"claims.a exists\"",
        ],
    );
}

#[test]
fn what_is_demanded_is_kept_of_a_token() {
    let snapshot = snapshot(&format!(
        "{PLAN}claims = {{ tenant = \"acme\" }}\nselection_rule = 'claims.a.b == 1 and claim(\"https://x/y\") exists'\n\
         [[api.route]]\npath = \"/x\"\nclaims = {{ tenant = \"acme\", level = 1 }}\n"
    ));
    let api = snapshot.apis.first().unwrap();
    let accepted = api.plans.for_issuer("acme", NOW).unwrap();
    let kept: Vec<&str> = accepted.mapping.kept.iter().map(|path| path.as_str()).collect();
    assert_eq!(kept, ["a.b", "https://x/y", "tenant", "level"]);
}

//! The rows show the precedence rules one by one; the property holds the table against a scan of everything there is.
//! The scan is written to be obviously right, not fast.

use std::cmp::Reverse;

use proptest::prelude::*;

use super::*;

/// One API as an operator would write it; its index is its `A`, and the index of a route is its `R`.
#[derive(Debug, Clone)]
struct Published {
    hosts: Vec<&'static str>,
    context: String,
    routes: Vec<(String, Vec<&'static str>)>,
    open: bool,
}

type TestTable = Table<usize, usize>;

/// The `R` of an open API.
const OPEN: usize = usize::MAX;

fn api(hosts: &[&'static str], context: &str) -> Published {
    Published {
        hosts: hosts.to_vec(),
        context: context.into(),
        routes: Vec::new(),
        open: true,
    }
}

impl Published {
    fn route(mut self, pattern: &str, methods: &[&'static str]) -> Self {
        self.routes.push((pattern.into(), methods.to_vec()));
        self
    }

    fn insert(&self, index: usize, builder: &mut TableBuilder<usize, usize>) -> Result<(), TableError> {
        let hosts: Vec<_> = self
            .hosts
            .iter()
            .map(|host| HostPattern::parse(host).unwrap())
            .collect();
        let context = ContextPath::parse(&self.context).unwrap();
        let routes = self.routes.iter().enumerate().map(|(index, (pattern, methods))| {
            (RoutePattern::parse(pattern).unwrap(), method_set(methods), index)
        });
        builder.insert(
            &hosts,
            &context,
            index,
            routes.collect(),
            self.open.then_some(OPEN),
        )
    }
}

fn method_set(methods: &[&'static str]) -> MethodSet {
    if methods.is_empty() {
        MethodSet::any()
    } else {
        MethodSet::parse(methods.iter().copied()).unwrap()
    }
}

fn table(apis: &[Published]) -> TestTable {
    let mut builder = TableBuilder::new();
    for (index, api) in apis.iter().enumerate() {
        api.insert(index, &mut builder).unwrap();
    }
    builder.build()
}

/// `request` is a host, a path and perhaps a method; `expected` is API, route (`*` for open) and rest, or the refusal.
fn check(table: &TestTable, rows: &[(&str, &str)]) {
    for (request, expected) in rows {
        let mut words = request.split(' ');
        let (host, path) = (words.next().unwrap(), words.next().unwrap());
        let actual = match table.find(host, path, words.next().unwrap_or("GET")) {
            Ok(Found { api, route, rest }) if *route == OPEN => format!("{api} * {rest}"),
            Ok(Found { api, route, rest }) => format!("{api} {route} {rest}"),
            Err(NotFound::Route) => "404".into(),
            Err(NotFound::Method { api, allow }) => format!("405 {api}: {allow}"),
        };
        assert_eq!(actual, *expected, "{request}");
    }
}

#[test]
fn an_exact_host_beats_the_longest_suffix_beats_any() {
    let table = table(&[
        api(&["*"], "/"),
        api(&["*.example.com"], "/"),
        api(&["*.eu.example.com"], "/"),
        api(&["api.eu.example.com", "[::1]"], "/"),
    ]);
    check(
        &table,
        &[
            ("api.eu.example.com /a", "3 * /a"),
            ("API.eu.Example.COM /a", "3 * /a"),
            ("api.eu.example.com. /a", "3 * /a"),
            ("[::1] /a", "3 * /a"),
            ("b.eu.example.com /a", "2 * /a"),
            ("c.b.eu.example.com /a", "2 * /a"),
            ("B.EU.example.com. /a", "2 * /a"),
            ("eu.example.com /a", "1 * /a"),
            ("d.c.b.example.com /a", "1 * /a"),
            ("example.com /a", "0 * /a"),
            ("notexample.com /a", "0 * /a"),
            ("eu.example.com.evil /a", "0 * /a"),
            (" /a", "0 * /a"),
        ],
    );
}

#[test]
fn a_host_longer_than_any_name_is_not_found() {
    let table = table(&[api(&["*"], "/"), api(&["*.example.com"], "/")]);
    let bound = format!(
        "{}.example.com",
        "A".repeat(HOST_BYTES_MAX - ".example.com".len())
    );
    check(
        &table,
        &[
            (&format!("{bound} /"), "1 * /"),
            (&format!("{bound}. /"), "1 * /"),
        ],
    );
    check(&table, &[(&format!("A{bound} /"), "404")]);
}

#[test]
fn a_host_without_the_context_path_falls_through_to_the_next() {
    let table = table(&[
        api(&["*"], "/health"),
        api(&["*.example.com"], "/orders"),
        api(&["*.eu.example.com"], "/menu"),
        api(&["api.eu.example.com"], "/orders/eu"),
    ]);
    check(
        &table,
        &[
            ("api.eu.example.com /orders/eu/1", "3 * /1"),
            ("api.eu.example.com /orders/1", "1 * /1"),
            ("api.eu.example.com /menu", "2 * /"),
            ("api.eu.example.com /health", "0 * /"),
            ("api.eu.example.com /other", "404"),
            ("other.test /orders", "404"),
            ("other.test /health/live", "0 * /live"),
        ],
    );
}

#[test]
fn the_longest_context_path_wins_at_segment_borders() {
    let table = table(&[
        api(&["a.test"], "/orders"),
        api(&["a.test"], "/orders/v2/eu"),
        api(&["a.test", "b.test"], "/"),
        api(&["b.test"], "/v1"),
    ]);
    check(
        &table,
        &[
            ("a.test /orders", "0 * /"),
            ("a.test /orders/", "0 * /"),
            ("a.test /orders/x", "0 * /x"),
            ("a.test /orders/x/", "0 * /x/"),
            ("a.test /ordersx", "2 * /ordersx"),
            ("a.test /order", "2 * /order"),
            ("a.test /orders/v2", "0 * /v2"),
            ("a.test /orders/v2/us", "0 * /v2/us"),
            ("a.test /orders/v2/eu", "1 * /"),
            ("a.test /orders/v2/eu/1", "1 * /1"),
            ("a.test /Orders", "2 * /Orders"),
            ("a.test /", "2 * /"),
            ("b.test /v1/orders", "3 * /orders"),
            ("b.test /", "2 * /"),
            ("c.test /", "404"),
            ("a.test *", "404"),
            ("a.test orders", "404"),
            ("a.test ", "404"),
        ],
    );
}

#[test]
fn a_literal_beats_a_parameter_beats_a_wildcard_from_left_to_right() {
    let table = table(&[api(&["*"], "/")
        .route("/menu/today", &[])
        .route("/menu/{id}", &[])
        .route("/menu/*", &[])
        .route("/menu/{id}/price", &[])
        .route("/menu/today/{part}/x", &[])
        .route("/{any}/today/a/b", &[])
        .route("/{any}/{thing}/", &[])
        .route("/files/*", &[])
        .route("/", &[])]);
    check(
        &table,
        &[
            ("h /menu/today", "0 0 /menu/today"),
            ("h /menu/17", "0 1 /menu/17"),
            ("h /menu/17/price", "0 3 /menu/17/price"),
            ("h /menu/17/cost", "0 2 /menu/17/cost"),
            ("h /menu/17/", "0 2 /menu/17/"),
            // Back from the literal to the parameter, to the wildcard.
            ("h /menu/today/price", "0 3 /menu/today/price"),
            ("h /menu/today/price/x", "0 4 /menu/today/price/x"),
            ("h /menu/today/price/y", "0 2 /menu/today/price/y"),
            // The first segment decides: the wildcard below `menu` before literals below a parameter.
            ("h /menu/today/a/b", "0 2 /menu/today/a/b"),
            ("h /other/today/a/b", "0 5 /other/today/a/b"),
            ("h /other/x/", "0 6 /other/x/"),
            ("h /other/x", "404"),
            // A wildcard has at least one character.
            ("h /files/a", "0 7 /files/a"),
            ("h /files/a/b/", "0 7 /files/a/b/"),
            ("h /files/", "404"),
            ("h /files", "404"),
            ("h /", "0 8 /"),
            ("h /menu", "404"),
            ("h /menu/", "404"),
        ],
    );
}

#[test]
fn the_method_is_looked_at_when_the_path_is_known() {
    let table = table(&[api(&["*"], "/orders")
        .route("/", &["POST", "GET"])
        .route("/{id}", &["GET"])
        .route("/{name}", &["PUT", "DELETE"])
        .route("/latest", &["DELETE"])
        .route("/free", &[])]);
    check(
        &table,
        &[
            ("h /orders POST", "0 0 /"),
            ("h /orders GET", "0 0 /"),
            ("h /orders HEAD", "0 0 /"),
            ("h /orders PATCH", "405 0: GET, HEAD, POST"),
            ("h /orders get", "405 0: GET, HEAD, POST"),
            ("h /orders/1 GET", "0 1 /1"),
            ("h /orders/1 HEAD", "0 1 /1"),
            ("h /orders/1 DELETE", "0 2 /1"),
            ("h /orders/1 POST", "405 0: DELETE, GET, HEAD, PUT"),
            // The literal has the path, so its methods count, although the parameter would have GET.
            ("h /orders/latest GET", "405 0: DELETE"),
            ("h /orders/free PURGE", "0 4 /free"),
            ("h /orders/1/2 POST", "404"),
        ],
    );
}

#[test]
fn an_api_is_not_searched_past() {
    let table = table(&[
        api(&["*"], "/"),
        api(&["*"], "/orders").route("/list", &["GET"]),
        api(&["a.test"], "/orders").route("/1", &["GET"]),
    ]);
    check(
        &table,
        &[
            ("h /orders/list", "1 0 /list"),
            ("h /orders/other", "404"),
            ("h /orders", "404"),
            ("h /ordersx", "0 * /ordersx"),
            ("a.test /orders/list", "404"),
            ("a.test /orders/1", "2 0 /1"),
            ("a.test /x", "0 * /x"),
        ],
    );
}

#[test]
fn without_routes_and_without_open_nothing_is_found() {
    let closed = Published {
        open: false,
        ..api(&["*"], "/closed")
    };
    let nowhere = api(&[], "/");
    check(
        &table(&[closed, nowhere]),
        &[("h /closed", "404"), ("h /closed/a", "404"), ("h /", "404")],
    );
}

#[test]
fn what_could_not_be_told_apart_is_refused_and_changes_nothing() {
    let mut builder = TableBuilder::new();
    assert_eq!(
        api(&["a.test", "A.test."], "/orders").insert(0, &mut builder),
        Ok(())
    );
    for (refused, error) in [
        (api(&["a.test"], "/orders"), TableError::ApiConflict),
        (api(&["b.test", "A.TEST"], "/orders"), TableError::ApiConflict),
        (
            api(&["b.test"], "/")
                .route("/x", &[])
                .route("/{a}/b", &["GET"])
                .route("/{c}/b", &["POST", "HEAD"]),
            TableError::RouteConflict { index: 2, other: 1 },
        ),
        (
            api(&["b.test"], "/")
                .route("/a/*", &["GET"])
                .route("/a/{*rest}", &[]),
            TableError::RouteConflict { index: 1, other: 0 },
        ),
    ] {
        assert_eq!(refused.insert(1, &mut builder), Err(error), "{refused:?}");
    }
    for (index, accepted) in [
        api(&["*.test"], "/orders"),
        api(&["*"], "/orders"),
        api(&["a.test"], "/orders/x"),
        api(&["a.test"], "/"),
    ]
    .iter()
    .enumerate()
    {
        assert_eq!(accepted.insert(index + 1, &mut builder), Ok(()), "{accepted:?}");
    }
    check(
        &builder.build(),
        &[
            ("b.test /orders", "1 * /"),
            ("b.test /x", "404"),
            ("a.test /orders", "0 * /"),
        ],
    );
}

// The model: every rule as the documentation says it, over everything there is.

#[derive(Debug, PartialEq)]
enum Outcome {
    Found { api: usize, route: usize, rest: String },
    Method { api: usize, allow: String },
    Route,
}

/// How specific a host pattern is for `host`; `None` if it does not match.
fn host_rank(pattern: &str, host: &str) -> Option<(u8, usize)> {
    let host = host.to_ascii_lowercase();
    match pattern.strip_prefix("*.") {
        _ if pattern == "*" => Some((0, 0)),
        Some(domain) => host.ends_with(&format!(".{domain}")).then_some((1, domain.len())),
        None => (host == pattern).then_some((2, 0)),
    }
}

fn below(context: &str, path: &str) -> Option<String> {
    let rest = path.strip_prefix(context.trim_end_matches('/'))?;
    match rest {
        "" => Some("/".into()),
        _ => rest.starts_with('/').then(|| rest.into()),
    }
}

/// How specific each segment of the pattern is, 0 being a literal; `None` if it does not match.
fn pattern_rank(pattern: &str, rest: &str) -> Option<Vec<u8>> {
    let (mut rank, mut rest) = (Vec::new(), Some(&rest[1..]));
    for wanted in pattern[1..].split('/') {
        let text = rest?;
        if wanted == "*" {
            rank.push(2);
            return (!text.is_empty()).then_some(rank);
        }
        let (segment, tail) = text
            .split_once('/')
            .map_or((text, None), |(segment, tail)| (segment, Some(tail)));
        match wanted {
            _ if wanted == segment => rank.push(0),
            _ if wanted.starts_with('{') && !segment.is_empty() => rank.push(1),
            _ => return None,
        }
        rest = tail;
    }
    rest.is_none().then_some(rank)
}

fn allows(methods: &[&str], method: &str) -> bool {
    methods.is_empty() || methods.contains(&method) || (method == "HEAD" && methods.contains(&"GET"))
}

fn scan(apis: &[Published], host: &str, path: &str, method: &str) -> Outcome {
    let candidates = apis.iter().enumerate().filter_map(|(index, api)| {
        let host = api
            .hosts
            .iter()
            .filter_map(|pattern| host_rank(pattern, host))
            .max()?;
        let rest = below(&api.context, path)?;
        Some(((host, api.context.len()), index, api, rest))
    });
    let Some((_, index, api, rest)) = candidates.max_by_key(|(rank, ..)| *rank) else {
        return Outcome::Route;
    };
    if api.routes.is_empty() {
        return match api.open {
            true => Outcome::Found {
                api: index,
                route: OPEN,
                rest,
            },
            false => Outcome::Route,
        };
    }
    let rank = |pattern: &str| pattern_rank(pattern, &rest);
    let Some(best) = api
        .routes
        .iter()
        .filter_map(|(pattern, _)| rank(pattern))
        .max_by_key(|rank| Reverse(rank.clone()))
    else {
        return Outcome::Route;
    };
    let known = || {
        api.routes
            .iter()
            .enumerate()
            .filter(|(_, (pattern, _))| rank(pattern).as_ref() == Some(&best))
    };
    if let Some((route, _)) = known().find(|(_, (_, methods))| allows(methods, method)) {
        return Outcome::Found {
            api: index,
            route,
            rest,
        };
    }
    let all = ["DELETE", "GET", "HEAD", "POST"];
    let allow = all
        .into_iter()
        .filter(|method| known().any(|(_, (_, methods))| allows(methods, method)));
    Outcome::Method {
        api: index,
        allow: allow.collect::<Vec<_>>().join(", "),
    }
}

const HOSTS: [&str; 6] = ["*", "*.test", "*.a.test", "a.test", "b.a.test", "c.b.a.test"];

fn joined(pieces: &'static [&'static str], count: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(pieces), count).prop_map(|pieces| pieces.concat())
}

fn contexts() -> impl Strategy<Value = String> {
    joined(&["/a", "/b", "/ab"], 0..4).prop_map(|path| if path.is_empty() { "/".into() } else { path })
}

fn patterns() -> impl Strategy<Value = String> {
    let tail = prop::sample::select(vec!["", "", "/", "/*"]);
    (joined(&["/a", "/b", "/{x}", "/{y}"], 0..4), tail).prop_map(|(path, tail)| {
        if path.is_empty() && tail.is_empty() {
            "/".into()
        } else {
            path + tail
        }
    })
}

fn request_paths() -> impl Strategy<Value = String> {
    (joined(&["/a", "/a", "/b", "/ab", "/c"], 0..7), prop::bool::ANY).prop_map(|(path, slash)| {
        if slash || path.is_empty() {
            path + "/"
        } else {
            path
        }
    })
}

fn published() -> impl Strategy<Value = Published> {
    let hosts = prop::sample::subsequence(HOSTS.to_vec(), 1..3);
    let methods = prop::sample::subsequence(vec!["DELETE", "GET", "HEAD", "POST"], 0..3);
    let routes = prop::collection::vec((patterns(), methods), 0..12);
    (hosts, contexts(), routes, prop::bool::ANY).prop_map(|(hosts, context, routes, open)| Published {
        hosts,
        context,
        routes,
        open,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn find_agrees_with_a_scan_of_everything(
        apis in prop::collection::vec(published(), 1..10),
        requests in prop::collection::vec(
            (
                prop::sample::select(vec!["a.test", "A.Test", "b.a.test", "c.b.a.test", "x.b.a.test", "test", "other"]),
                request_paths(),
                prop::sample::select(vec!["GET", "HEAD", "POST", "DELETE", "PUT"]),
            ),
            1..40,
        ),
    ) {
        // What conflicts is left out, as an operator would have to.
        let mut builder = TableBuilder::new();
        let mut kept: Vec<Published> = Vec::new();
        for mut api in apis {
            loop {
                match api.insert(kept.len(), &mut builder) {
                    Ok(()) => kept.push(api),
                    Err(TableError::RouteConflict { index, .. }) => {
                        api.routes.remove(index);
                        continue;
                    }
                    Err(TableError::ApiConflict) => {}
                }
                break;
            }
        }
        let table = builder.build();
        for (host, path, method) in &requests {
            let actual = match table.find(host, path, method) {
                Ok(Found { api, route, rest }) => Outcome::Found { api: *api, route: *route, rest: rest.into() },
                Err(NotFound::Method { api, allow }) => Outcome::Method { api: *api, allow: allow.into() },
                Err(NotFound::Route) => Outcome::Route,
            };
            prop_assert_eq!(actual, scan(&kept, host, path, method), "{} {} {}", method, host, path);
        }
    }
}

//! Rows that are decided before anybody asks for a token: HTTP itself, hosts, paths, routes and methods.
//!
//! The paths follow the catalogue of path confusion: each is one spelling of a place that is protected elsewhere.

use super::{Row, row};
use crate::harness::{Request, get, post, request};
use crate::world::World;

pub(super) fn rows(world: &World) -> Vec<Row> {
    let mut rows = malformed();
    rows.extend(hosts());
    rows.extend(paths(&world.token().text()));
    rows.extend(routes(&world.token().text()));
    rows.extend(sizes(&world.token().text()));
    rows
}

fn malformed() -> Vec<Row> {
    let bad = |reason: &str| format!("400 bad_request {reason}");
    let refused = "405 method_refused method_refused";
    vec![
        row("TRACE", request("TRACE", "/public/x"), refused),
        row("TRACE at nothing", request("TRACE", "/nowhere"), refused),
        row(
            "no Host",
            get("/public/x").without_host(),
            &bad("host_missing_or_doubled"),
        ),
        row("an empty Host", get("/public/x").host(""), &bad("host_malformed")),
        row(
            "a list of hosts",
            get("/public/x").host("a,b"),
            &bad("host_malformed"),
        ),
        row(
            "a Host with a path",
            get("/public/x").host("a/b"),
            &bad("host_malformed"),
        ),
        row(
            "a Host with a long port",
            get("/public/x").host("a:99999"),
            &bad("host_malformed"),
        ),
        row(
            "a Host with no port behind the colon",
            get("/public/x").host("a:"),
            &bad("host_malformed"),
        ),
        row(
            "a Host with an empty label",
            get("/public/x").host("a..b"),
            &bad("host_malformed"),
        ),
        row(
            "a list of lengths",
            request("POST", "/public/x").header("Content-Length", "0, 0"),
            &bad("content_length_malformed"),
        ),
        row(
            "two equal lengths",
            post("/public/x", "abc").header("Content-Length", "3"),
            &bad("content_length_malformed"),
        ),
        row(
            "two codings",
            request("POST", "/public/x")
                .header("Transfer-Encoding", "gzip")
                .chunked(b"abc"),
            &bad("transfer_encoding_refused"),
        ),
        row(
            "a body that breaks off in time",
            request("POST", "/mixed/").header("Content-Length", "5"),
            "408 request_timeout request_timeout",
        ),
        row("an asterisk", request("OPTIONS", "*"), &bad("path_not_absolute")),
        row(
            "no slash",
            get("public").host("only.example"),
            &bad("path_not_absolute"),
        ),
    ]
}

fn hosts() -> Vec<Row> {
    let hosted = |host: &str| get("/hosted").host(host);
    let nothing = "404 route_not_found route_not_found";
    let served = "200 open - /hosted";
    vec![
        row("a host of the API", hosted("api.example.com"), served),
        row("with a port", hosted("api.example.com:8080"), served),
        row(
            "in capitals, with the root's dot",
            hosted("API.Example.COM."),
            served,
        ),
        row("below the wildcard", hosted("a.wild.example"), served),
        row("deep below the wildcard", hosted("a.b.wild.example"), served),
        row("the wildcard itself", hosted("wild.example"), nothing),
        row("a host that ends like it", hosted("notwild.example"), nothing),
        row(
            "a host that begins like it",
            hosted("api.example.com.evil"),
            nothing,
        ),
        row("another host", hosted("gateway.test"), nothing),
        row(
            "no host, as HTTP/1.0 may",
            get("/hosted").without_host().version("HTTP/1.0"),
            nothing,
        ),
        row(
            "HTTP/1.0 at an API of every host",
            get("/public/x").without_host().version("HTTP/1.0"),
            "200 open - /public/x",
        ),
        row(
            "an API at the root",
            get("/").host("only.example"),
            "200 open - /",
        ),
        row(
            "a host of its own comes before every host",
            get("/orders/menu/1").host("only.example"),
            "200 open - /orders/menu/1",
        ),
        row(
            "an absolute target",
            get("http://api.example.com/hosted").host("api.example.com"),
            served,
        ),
        row(
            "an absolute target in capitals",
            get("HTTP://api.example.com/hosted").host("api.example.com"),
            served,
        ),
        row(
            "a target of another scheme",
            get("ftp://api.example.com/hosted").host("api.example.com"),
            "400 bad_request path_not_absolute",
        ),
        row(
            "nothing but a query",
            get("?x=1").host("only.example"),
            "400 bad_request path_not_absolute",
        ),
    ]
}

fn paths(token: &str) -> Vec<Row> {
    let at = |path: &str| get(path).bearer(token);
    let bad = |reason: &str| format!("400 bad_request {reason}");
    let today = "200 gold mobile /menu/today";
    let long = format!("/orders{}", "/a".repeat(70));
    vec![
        row("as written", at("/orders/menu/today"), today),
        row("a letter escaped", at("/orders/%6denu/today"), today),
        row("capitals in escapes", at("/orders/%6Denu/%74oday"), today),
        row("a dot segment", at("/orders/./menu/today"), today),
        row("up and down", at("/orders/menu/x/../today"), today),
        row("up from another API", at("/public/../orders/menu/today"), today),
        row(
            "up into the context path only",
            at("/orders/.."),
            "404 route_not_found route_not_found",
        ),
        row(
            "a query is left alone",
            at("/orders/menu/today?a=/../%2f;b//"),
            "200 gold mobile /menu/today?a=/../%2f;b//",
        ),
        row(
            "escapes that must be",
            at("/orders/files/%c3%a9%20b"),
            "200 gold mobile /files/%C3%A9%20b",
        ),
        row(
            "characters that must be escaped",
            at("/orders/files/{x}|y"),
            "200 gold mobile /files/%7Bx%7D%7Cy",
        ),
        row(
            "escaped twice stays so",
            at("/orders/files/%2565"),
            "200 gold mobile /files/%2565",
        ),
        row(
            "capitals are other letters",
            at("/Orders/menu/today"),
            "404 route_not_found route_not_found",
        ),
        row(
            "capitals below the context path",
            at("/orders/Menu/today"),
            "404 route_not_found route_not_found",
        ),
        row(
            "two slashes",
            at("/orders//menu/today"),
            &bad("path_duplicate_slash"),
        ),
        row(
            "two slashes in front",
            at("//orders/menu/today"),
            &bad("path_duplicate_slash"),
        ),
        row(
            "above the root",
            at("/../orders/menu/today"),
            &bad("path_above_root"),
        ),
        row(
            "hidden dots",
            at("/orders/%2e%2e/orders/menu/today"),
            &bad("path_hidden_dot_segment"),
        ),
        row(
            "half hidden dots",
            at("/orders/.%2e/orders/menu/today"),
            &bad("path_hidden_dot_segment"),
        ),
        row(
            "one hidden dot",
            at("/orders/%2e/menu/today"),
            &bad("path_hidden_dot_segment"),
        ),
        row(
            "a hidden slash",
            at("/orders%2fmenu/today"),
            &bad("path_encoded_slash"),
        ),
        row(
            "a hidden slash in capitals",
            at("/orders/menu%2Ftoday"),
            &bad("path_encoded_slash"),
        ),
        row(
            "a hidden backslash",
            at("/orders/menu%5ctoday"),
            &bad("path_encoded_backslash"),
        ),
        row(
            "a backslash",
            at("/orders\\menu\\today"),
            &bad("path_forbidden_byte"),
        ),
        row("NUL", at("/orders/menu/today%00"), &bad("path_encoded_control")),
        row(
            "a line break",
            at("/orders/menu/today%0d%0aX-User:%20root"),
            &bad("path_encoded_control"),
        ),
        row("DEL", at("/orders/menu/today%7f"), &bad("path_encoded_control")),
        row(
            "parameters",
            at("/orders/menu/today;x=1"),
            &bad("path_parameters"),
        ),
        row(
            "parameters that hide dots",
            at("/orders/..;/orders/menu/today"),
            &bad("path_parameters"),
        ),
        row(
            "an overlong slash",
            at("/orders/menu%c0%aftoday"),
            &bad("path_escape_not_utf8"),
        ),
        row(
            "an overlong dot",
            at("/orders/%c0%ae%c0%ae/menu"),
            &bad("path_escape_not_utf8"),
        ),
        row(
            "a surrogate",
            at("/orders/%ed%a0%80"),
            &bad("path_escape_not_utf8"),
        ),
        row(
            "half an escape",
            at("/orders/menu/%2"),
            &bad("path_escape_malformed"),
        ),
        row("no escape", at("/orders/menu/%zz"), &bad("path_escape_malformed")),
        row("%u", at("/orders/menu/%u0074oday"), &bad("path_escape_malformed")),
        row(
            "beyond ASCII",
            at("/orders/menu/\u{e9}"),
            &bad("path_forbidden_byte"),
        ),
        row("segments without end", at(&long), &bad("path_segments_exceeded")),
    ]
}

fn routes(token: &str) -> Vec<Row> {
    let with = |request: Request| request.bearer(token);
    let nothing = "404 route_not_found route_not_found";
    let no_method = |allow: &str| format!("405 method_not_allowed method_not_allowed; Allow: {allow}");
    vec![
        row("nothing", get("/nowhere"), nothing),
        row("the root", get("/"), nothing),
        row("the context path", with(get("/orders")), "200 gold mobile /"),
        row(
            "the context path and a slash",
            with(get("/orders/")),
            "200 gold mobile /",
        ),
        row(
            "no border after the context path",
            with(get("/ordersmenu/today")),
            nothing,
        ),
        row("no such route", with(get("/orders/nothing")), nothing),
        row("a route and a slash", with(get("/orders/menu/today/")), nothing),
        row(
            "a parameter takes one segment",
            with(get("/orders/menu/1/2")),
            nothing,
        ),
        row(
            "a wildcard takes many",
            with(get("/orders/files/a/b/c")),
            "200 gold mobile /files/a/b/c",
        ),
        row(
            "a literal comes before a parameter",
            with(get("/orders/menu/today")),
            "200 gold mobile /menu/today",
        ),
        row(
            "another method",
            with(request("POST", "/orders/menu/1")),
            &no_method("DELETE, GET, HEAD, PUT"),
        ),
        row(
            "another method, no token",
            request("POST", "/orders/menu/1"),
            &no_method("DELETE, GET, HEAD, PUT"),
        ),
        row(
            "another method at the literal",
            with(request("PUT", "/orders/menu/today")),
            &no_method("GET, HEAD"),
        ),
        row(
            "OPTIONS is a method",
            with(request("OPTIONS", "/orders/menu/today")),
            &no_method("GET, HEAD"),
        ),
        row(
            "methods have cases",
            with(request("get", "/orders/menu/today")),
            &no_method("GET, HEAD"),
        ),
        row(
            "an unknown method",
            with(request("FROB", "/orders/menu/today")),
            &no_method("GET, HEAD"),
        ),
        row(
            "an override is no method",
            with(request("POST", "/orders/menu/today").header("X-HTTP-Method-Override", "GET")),
            &no_method("GET, HEAD"),
        ),
        row(
            "no route declared: every path",
            with(get("/free/a/b")),
            "200 any mobile /free/a/b",
        ),
        row(
            "no route declared: every method",
            with(request("FROB", "/free/a")),
            "200 any mobile /free/a",
        ),
        row("no plan", with(get("/planless")), nothing),
        row("a plan to come", get("/staging/only-get"), nothing),
        row(
            "a plan to come, another method",
            request("POST", "/staging/only-get"),
            nothing,
        ),
        row("a plan that was", with(get("/closed")), nothing),
        row("a plan that is going", with(get("/old")), "200 gold mobile /old"),
        row("a plan to come, by date", get("/coming"), nothing),
        row("a plan that was, by date", get("/gone"), nothing),
        row(
            "a plan that was, by date, beside another",
            with(get("/leaving")),
            "403 subscription_closed subscription_closed",
        ),
    ]
}

fn sizes(token: &str) -> Vec<Row> {
    let with = |request: Request| request.bearer(token);
    let too_large = "413 body_too_large body_too_large";
    let many = (0..120).fold(get("/public/x"), |request, n| {
        request.header(&format!("X-{n}"), "1")
    });
    vec![
        row(
            "a body at the API's bound",
            with(post("/free/x", [b'x'; 100])),
            "200 any mobile /free/x",
        ),
        row("a body beyond it", with(post("/free/x", [b'x'; 101])), too_large),
        row(
            "in chunks, at the bound",
            with(request("POST", "/free/x").chunked(&[b'x'; 100])),
            "200 any mobile /free/x",
        ),
        row(
            "in chunks, beyond it",
            with(request("POST", "/free/x").chunked(&[b'x'; 101])),
            too_large,
        ),
        row(
            "announced beyond the server's bound",
            request("POST", "/public/x").header("Content-Length", "100001"),
            too_large,
        ),
        row(
            "too large and no token: the token comes first",
            request("POST", "/free/x").header("Content-Length", "101"),
            "401 missing_credentials missing_credentials; WWW-Authenticate: Bearer realm=\"free\"",
        ),
        row(
            "a long target",
            get(&format!("/public/{}", "x".repeat(8200))),
            "414 target_too_long target_too_long",
        ),
        row(
            "a long query",
            get(&format!("/public/?{}", "x".repeat(8200))),
            "414 target_too_long target_too_long",
        ),
        row("many fields", many, "431 fields_too_large fields_too_large"),
        row(
            "a long field",
            get("/public/x").header("X-Long", &"x".repeat(33_000)),
            "431 fields_too_large fields_too_large",
        ),
    ]
}

//! `[[api]]` with its plans and routes: what is published, and on what terms.
//!
//! A list that narrows something (`hosts`, `methods`, `issuers`) may be absent but not empty: an empty one would be
//! read as "none" by one person and as "no limit" by the next.

use super::issuer::{audience_from, audiences};
use super::limits::{OF_API, OF_PLAN, OF_ROUTE, limits};
use super::requirements::{RESOURCES, claims, resources};
use super::server::BODY_BYTES_MAX;
use crate::config::place::Located;
use crate::config::schema::{
    Api, ApiKey, HeaderEncoding, Plan, Route, ScopeMatch, Security, Stage, TokenFrom, Validation,
};
use crate::config::table::{Key, Shape};
use crate::config::value::Value;

pub(super) static API: Shape = Shape {
    path: "api",
    title: "in [[api]]",
    keys: &[
        Key::Value("name"),
        Key::Value("version"),
        Key::Value("hosts"),
        Key::Value("context_path"),
        Key::Value("public_uri"),
        Key::Value("strip_context_path"),
        Key::Value("upstream"),
        Key::Value("claim_headers"),
        Key::Value("claim_header_separator"),
        Key::Value("claim_header_encoding"),
        Key::Value("forward_credential"),
        Key::Value("body_bytes_max"),
        Key::Table("plan", &PLAN),
        Key::Table("route", &ROUTE),
        Key::Later("cors"),
        Key::Value("tier"),
        Key::Table("rate", &OF_API.rate),
        Key::Table("quota", &OF_API.quota),
        Key::Table("spike_arrest", &OF_API.spike_arrest),
        Key::Table("bandwidth", &OF_API.bandwidth),
        Key::Value("concurrency"),
        Key::Value("on_exceed"),
    ],
};

static PLAN: Shape = Shape {
    path: "api.plan",
    title: "in [[api.plan]]",
    keys: &[
        Key::Value("name"),
        Key::Value("security"),
        Key::Value("issuers"),
        Key::Table("token_from", &TOKEN_FROM),
        Key::Table("api_key", &API_KEY),
        Key::Value("audiences"),
        Key::Value("audience_from"),
        Key::Value("stage"),
        Key::Value("validation"),
        Key::Value("subscription_validation"),
        Key::Value("selection_rule"),
        Key::Value("publish_at"),
        Key::Value("deprecate_at"),
        Key::Value("close_at"),
        Key::Table("resources", &RESOURCES),
        Key::Value("claims"),
        Key::Value("tier"),
        Key::Table("rate", &OF_PLAN.rate),
        Key::Table("quota", &OF_PLAN.quota),
        Key::Table("spike_arrest", &OF_PLAN.spike_arrest),
        Key::Table("bandwidth", &OF_PLAN.bandwidth),
        Key::Value("concurrency"),
        Key::Value("on_exceed"),
    ],
};

static TOKEN_FROM: Shape = Shape {
    path: "api.plan.token_from",
    title: "in `token_from` of [[api.plan]]",
    keys: &[Key::Value("header"), Key::Value("cookie"), Key::Value("query")],
};

static API_KEY: Shape = Shape {
    path: "api.plan.api_key",
    title: "in `api_key` of [[api.plan]]",
    keys: &[Key::Value("header"), Key::Value("query")],
};

static ROUTE: Shape = Shape {
    path: "api.route",
    title: "in [[api.route]]",
    keys: &[
        Key::Value("path"),
        Key::Value("methods"),
        Key::Value("scopes"),
        Key::Value("scope_match"),
        Key::Value("upstream"),
        Key::Value("claims"),
        Key::Value("audiences"),
        Key::Value("tier"),
        Key::Table("rate", &OF_ROUTE.rate),
        Key::Table("quota", &OF_ROUTE.quota),
        Key::Table("spike_arrest", &OF_ROUTE.spike_arrest),
        Key::Table("bandwidth", &OF_ROUTE.bandwidth),
        Key::Value("concurrency"),
        Key::Value("on_exceed"),
        Key::Later("timeout"),
        Key::Later("websocket"),
    ],
};

pub(super) fn api(value: Value<'_>) -> Option<Api> {
    let table = value.table(&API)?;
    let name = table.required("name", Value::text);
    let context_path = table.required("context_path", Value::text);
    let upstream = table.required("upstream", Value::text);
    Some(Api {
        version: table.optional("version", Value::text),
        hosts: table.or_default("hosts", Value::texts_not_empty),
        strip_context_path: table.or_default("strip_context_path", Value::boolean),
        public_uri: table.optional("public_uri", Value::text),
        claim_headers: table.or_default("claim_headers", claim_headers),
        claim_header_separator: table.optional("claim_header_separator", Value::text_or_empty),
        claim_header_encoding: table.word(
            "claim_header_encoding",
            &[
                ("percent", Some(HeaderEncoding::Percent)),
                ("refuse", Some(HeaderEncoding::Refuse)),
            ],
        ),
        forward_credential: table.or_default("forward_credential", Value::boolean),
        body_bytes_max: table.optional("body_bytes_max", |value| value.integer(0..=BODY_BYTES_MAX)),
        limits: limits(&table, &OF_API),
        plans: table
            .optional("plan", |value| value.tables("[[api.plan]]", plan))
            .unwrap_or_default(),
        routes: table
            .optional("route", |value| value.tables("[[api.route]]", route))
            .unwrap_or_default(),
        name: name?,
        context_path: context_path?,
        upstream: upstream?,
    })
}

fn claim_headers(value: Value<'_>) -> Option<Vec<(Located<String>, Located<String>)>> {
    let entries = value.entries()?;
    Some(
        entries
            .into_iter()
            .filter_map(|(header, claim)| Some((header, claim.text()?)))
            .collect(),
    )
}

fn plan(value: Value<'_>) -> Option<Plan> {
    let table = value.table(&PLAN)?;
    let name = table.required("name", Value::text);
    let security = table.required("security", |value| Some(value.located(security(value)?)));
    Some(Plan {
        issuers: table.or_default("issuers", Value::texts_not_empty),
        token_from: table.optional("token_from", |value| Some(value.located(token_from(value)?))),
        api_key: table.optional("api_key", |value| Some(value.located(api_key(value)?))),
        audiences: table.optional("audiences", audiences),
        audience_from: table.or_default("audience_from", audience_from),
        stage: table.optional("stage", |value| Some(value.located(stage(value)?))),
        publish_at: table.optional("publish_at", Value::moment),
        deprecate_at: table.optional("deprecate_at", Value::moment),
        close_at: table.optional("close_at", Value::moment),
        validation: table.word(
            "validation",
            &[
                ("auto", Some(Validation::Auto)),
                ("manual", Some(Validation::Manual)),
            ],
        ),
        subscription_validation: table.optional("subscription_validation", |value| {
            Some(value.located(value.boolean()?))
        }),
        selection_rule: table.optional("selection_rule", Value::text),
        resources: table.optional("resources", resources).unwrap_or_default(),
        claims: table.or_default("claims", claims),
        limits: limits(&table, &OF_PLAN),
        name: name?,
        security: security?,
    })
}

fn token_from(value: Value<'_>) -> Option<TokenFrom> {
    let table = value.table(&TOKEN_FROM)?;
    let token_from = TokenFrom {
        header: table.optional("header", Value::text),
        cookie: table.optional("cookie", Value::text),
        query: table.optional("query", Value::text),
    };
    if !["header", "cookie", "query"].iter().any(|key| table.has(key)) {
        table.missing("`header`, `cookie` or `query`");
        return None;
    }
    Some(token_from)
}

fn api_key(value: Value<'_>) -> Option<ApiKey> {
    let table = value.table(&API_KEY)?;
    Some(ApiKey {
        header: table.optional("header", Value::text),
        query: table.optional("query", Value::text),
    })
}

fn security(value: Value<'_>) -> Option<Security> {
    value.word(&[
        ("jwt", Some(Security::Jwt)),
        ("oauth2", Some(Security::OAuth2)),
        ("api_key", Some(Security::ApiKey)),
        ("keyless", Some(Security::Keyless)),
    ])
}

fn stage(value: Value<'_>) -> Option<Stage> {
    value.word(&[
        ("staging", Some(Stage::Staging)),
        ("published", Some(Stage::Published)),
        ("deprecated", Some(Stage::Deprecated)),
        ("closed", Some(Stage::Closed)),
    ])
}

fn route(value: Value<'_>) -> Option<Route> {
    let table = value.table(&ROUTE)?;
    let path = table.required("path", Value::text);
    Some(Route {
        methods: table.or_default("methods", Value::texts_not_empty),
        scopes: table.or_default("scopes", Value::texts),
        scope_match: table.word(
            "scope_match",
            &[("any", Some(ScopeMatch::Any)), ("all", Some(ScopeMatch::All))],
        ),
        claims: table.or_default("claims", claims),
        audiences: table.or_default("audiences", Value::texts_not_empty),
        upstream: table.optional("upstream", Value::text),
        limits: limits(&table, &OF_ROUTE),
        path: path?,
    })
}

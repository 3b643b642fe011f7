//! Routes: paths and methods below an API, what they demand of callers, and what all callers together may use of them.
//! A conflict between two of them is found when the table is laid out, so each is judged for itself here.

use std::sync::Arc;

use super::apis::Around;
use super::requirements::{compile_claims, compile_methods, compile_pattern};
use super::upstreams::find_upstream;
use super::{KeptClaims, mistake};
use crate::api::Limited;
use crate::authorization::{RequiredScopes, Requirements, ScopeMatch, is_scope};
use crate::config::{self, Mistakes, Place};
use crate::id::ApiName;
use crate::limit::Subject;
use crate::route::{MethodSet, RoutePattern};
use crate::upstream::Upstream;

/// A route that has been judged.
#[derive(Debug)]
pub(super) struct RouteDraft {
    pub(super) place: Place,
    pub(super) index: usize,
    pub(super) pattern: RoutePattern,
    pub(super) methods: MethodSet,
    pub(super) upstream: Arc<Upstream>,
    pub(super) requirements: Requirements,
    pub(super) limits: Option<Limited>,
}

pub(super) fn compile(
    written: config::Route,
    index: usize,
    api: &str,
    api_upstream: Option<&Arc<Upstream>>,
    around: Around<'_>,
    kept: &mut KeptClaims,
    mistakes: &mut Mistakes,
) -> Option<RouteDraft> {
    let config::Route {
        path,
        methods,
        scopes,
        scope_match,
        claims,
        audiences,
        upstream,
        limits,
    } = written;
    let methods_written: Vec<String> = methods.iter().map(|method| method.value.clone()).collect();
    let pattern = compile_pattern(&path, mistakes);
    let methods = compile_methods(&methods, &path.place, mistakes);
    for scope in scopes.iter().filter(|scope| !is_scope(&scope.value)) {
        mistakes.push(mistake(
            scope,
            "the scope",
            "may hold only visible ASCII without `\"` and `\\`",
        ));
    }
    let upstream = match &upstream {
        Some(name) => find_upstream(name, around.upstreams, mistakes),
        None => api_upstream.map(Arc::clone),
    };
    // What a route has used is told apart by what is written: the pattern, and the methods in any order.
    let subject = || {
        let mut words: Vec<&str> = methods_written.iter().map(String::as_str).collect();
        words.sort_unstable();
        Subject::Route(
            ApiName::new(api),
            format!("{} {}", words.join(","), path.value).into(),
        )
    };
    let limits = around.tiers.limited(limits, subject, mistakes);
    let scope_match = match scope_match {
        config::ScopeMatch::Any => ScopeMatch::Any,
        config::ScopeMatch::All => ScopeMatch::All,
    };
    let scopes = scopes.into_iter().map(|scope| scope.value.into()).collect();
    let requirements = Requirements {
        scopes: RequiredScopes::new(scopes, scope_match),
        claims: compile_claims(claims, kept),
        audiences: audiences.into_iter().map(|name| name.value.into()).collect(),
    };
    Some(RouteDraft {
        place: path.place,
        index,
        pattern: pattern?,
        methods: methods?,
        upstream: upstream?,
        requirements,
        limits,
    })
}

//! What plans and routes demand: claims, audiences, resources and selection rules.
//!
//! Each claim that is asked for becomes a place among the claims that are kept of a token, so a request compares values
//! and looks no name up. A mistake inside a rule is shown where it stands in the file, if the rule stands there letter
//! by letter, and else by line and column of the rule.

use super::life::meet;
use super::{KeptClaims, mistake, refused};
use crate::api::Schedule;
use crate::authorization::{RequiredClaim, Resources};
use crate::config::{self, ClaimValue, Located, Mistake, Mistakes, Place};
use crate::predicate::{Predicate, RuleError};
use crate::route::{MethodSet, MethodSetError, RoutePattern};
use crate::token::Literal;

pub(super) fn compile_claims(
    written: Vec<config::RequiredClaim>,
    kept: &mut KeptClaims,
) -> Vec<RequiredClaim> {
    written
        .into_iter()
        .map(|claim| {
            let config::RequiredClaim { name, any_of } = claim;
            RequiredClaim {
                place: kept.place(&name.value),
                any_of: any_of.into_iter().map(|value| literal(value.value)).collect(),
            }
        })
        .collect()
}

fn literal(value: ClaimValue) -> Literal {
    match value {
        ClaimValue::Text(text) => Literal::Text(text.into()),
        ClaimValue::Integer(number) => Literal::Integer(number),
        ClaimValue::Boolean(value) => Literal::Boolean(value),
    }
}

pub(super) fn compile_resources(written: config::Resources, mistakes: &mut Mistakes) -> Resources {
    let config::Resources { allow, deny } = written;
    let mut list = |entries: Option<Vec<config::Resource>>| {
        entries.map(|entries| {
            let compiled = entries.into_iter().filter_map(|entry| {
                let config::Resource { path, methods } = entry;
                let pattern = compile_pattern(&path, mistakes);
                let methods = compile_methods(&methods, &path.place, mistakes);
                Some((pattern?, methods?))
            });
            compiled.collect::<Vec<_>>()
        })
    };
    let allow = list(allow);
    Resources::new(allow, list(deny))
}

pub(super) fn compile_pattern(path: &Located<String>, mistakes: &mut Mistakes) -> Option<RoutePattern> {
    RoutePattern::parse(&path.value)
        .map_err(|error| mistakes.push(refused(path, "the path", error)))
        .ok()
}

/// Methods as listed; none listed: every one.
pub(super) fn compile_methods(
    methods: &[Located<String>],
    path: &Place,
    mistakes: &mut Mistakes,
) -> Option<MethodSet> {
    use MethodSetError::{Empty, LowerCase, NotAToken, NotRoutable};
    if methods.is_empty() {
        return Some(MethodSet::any());
    }
    let error = match MethodSet::parse(methods.iter().map(|method| method.value.as_str())) {
        Ok(set) => return Some(set),
        Err(error) => error,
    };
    let method = match error {
        Empty => None,
        LowerCase { index } | NotAToken { index } | NotRoutable { index } => methods.get(index),
    };
    mistakes.push(match method {
        Some(method) => refused(method, "the method", error),
        None => Mistake::new(path.clone(), error.to_string()),
    });
    None
}

/// A plan's rule; one of a keyless plan has no claims to look at.
pub(super) fn compile_rule(
    written: &Located<String>,
    keyless: bool,
    kept: &mut KeptClaims,
    mistakes: &mut Mistakes,
) -> Option<Predicate> {
    let place = |name: &str| (!keyless).then(|| kept.place(name));
    Predicate::compile(&written.value, place)
        .map_err(|error| mistakes.push(rule_mistake(written, &error)))
        .ok()
}

/// A keyless plan that is on offer beside one before it that takes every request would never be chosen.
pub(super) fn judge_keyless(
    name: &Located<String>,
    takes_all: bool,
    schedule: Schedule,
    taking_all: &mut Vec<(Place, Schedule)>,
    mistakes: &mut Mistakes,
) {
    let mut before = taking_all.iter();
    if let Some((first, _)) = before.find(|(_, other)| meet(other, &schedule)) {
        mistakes.push(
            mistake(
                name,
                "the plan",
                "can never be chosen: it is keyless, and so is one before it",
            )
            .help(format!("give the plan at {first} a `selection_rule`")),
        );
    } else if takes_all {
        taking_all.push((name.place.clone(), schedule));
    }
}

fn rule_mistake(written: &Located<String>, error: &RuleError) -> Mistake {
    if let Some(place) = place_in_line(written, error.at) {
        return Mistake::new(place, format!("in the selection rule: {error}"));
    }
    let (line, column) = error.position(&written.value);
    let message = format!("in line {line}, column {column} of the selection rule: {error}");
    Mistake::new(written.place.clone(), message)
}

/// The place of a byte of the rule in the file, if everything before it stands there as it is in the rule.
fn place_in_line(written: &Located<String>, at: usize) -> Option<Place> {
    let before = written.value.get(..at)?;
    let place = &written.place;
    let start = usize::try_from(place.column).ok()?;
    // The quote stands at the column, which counts from 1.
    let mut line = place.text.chars().skip(start);
    if !before.chars().all(|c| line.next() == Some(c)) || line.next().is_none() {
        return None;
    }
    let skipped = u32::try_from(before.chars().count()).ok()?;
    Some(Place {
        column: place.column.saturating_add(1).saturating_add(skipped),
        width: 1,
        ..place.clone()
    })
}

//! Lints of routes: conditions that never hold, duplicate routes, and routes that exclude each other.

use std::collections::HashMap;

use indexmap::IndexMap;
use sluice_domain::validation::{Code, Finding, pointer_step};

use super::condition::{Condition, Junction, Operator};
use super::route::Route;
use crate::text::python::{to_float, to_text};
use crate::text::value_text::quote;

/// Maximum number of conditions of a route that is checked.
const MAX_CONDITIONS: usize = 16;

/// Maximum number of routes that are compared with each other.
const MAX_ROUTES: usize = 32;

/// Returns the RFC 6901 pointer to the conditions of a route.
pub(super) fn conditions_pointer(route: &str) -> String {
    format!("/route_map/{}/conditions", pointer_step(route))
}

/// Returns findings about routes that never open, and routes with the same conditions as an earlier route.
pub(super) fn findings(routes: &IndexMap<String, Route>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut earlier: HashMap<String, &str> = HashMap::new();
    for (name, Route { conditions }) in routes {
        let pointer = conditions_pointer(name);
        if let Some(reason) = contradiction_in(conditions) {
            let message = format!("The route {} never opens: {reason}. Correct its conditions.", quote(name));
            findings.push(Finding { code: Code::RouteNeverMatches, pointer, message, help: None });
            continue;
        }
        if conditions.is_empty() {
            continue;
        }
        let first = *earlier.entry(serde_json::to_string(conditions).unwrap_or_default()).or_insert(name);
        if first != name {
            let message = format!(
                "The route {} has the same conditions as {}. A router opens every route whose conditions hold, not \
                 only the first. Change the conditions or remove one of the routes.",
                quote(name),
                quote(first)
            );
            findings.push(Finding { code: Code::RouteDuplicate, pointer, message, help: None });
        }
    }
    findings
}

/// Returns the pairs of routes that are never open at the same time.
pub(super) fn exclusive_routes(routes: &IndexMap<String, Route>) -> Vec<(String, String)> {
    let routes = routes.iter().filter(|(_, route)| (1..=MAX_CONDITIONS).contains(&route.conditions.len()));
    let routes: Vec<_> =
        routes.map(|(name, route)| (name, alternatives(&route.conditions))).take(MAX_ROUTES).collect();
    let mut pairs = Vec::new();
    for (index, (name, alternatives)) in routes.iter().enumerate() {
        for (other, other_alternatives) in &routes[index + 1..] {
            let exclude_each_other = alternatives.iter().flatten().all(|conditions| {
                other_alternatives.iter().flatten().all(|others| exclude(conditions, others))
            });
            if exclude_each_other {
                pairs.push(((*name).clone(), (*other).clone()));
            }
        }
    }
    pairs
}

/// Returns true if `conditions` and `others` can't all hold.
fn exclude(conditions: &[&Condition], others: &[&Condition]) -> bool {
    conditions.iter().any(|one| others.iter().any(|other| contradiction(one, other).is_some()))
}

/// Conditions that all have to hold, or the reason why they can't.
type Conjunction<'c> = Result<Vec<&'c Condition>, String>;

/// Returns the reason why the conditions never hold, if they don't.
fn contradiction_in(conditions: &[Condition]) -> Option<String> {
    if conditions.is_empty() || conditions.len() > MAX_CONDITIONS {
        return None;
    }
    alternatives(conditions).into_iter().map(Result::err).collect::<Option<Vec<String>>>()?.into_iter().next()
}

/// Returns the disjunctive normal form of conditions, which are evaluated from left to right: each OR adds an
/// alternative, each AND narrows all previous alternatives.
fn alternatives(conditions: &[Condition]) -> Vec<Conjunction<'_>> {
    let mut alternatives: Vec<Conjunction<'_>> = Vec::new();
    for (index, condition) in conditions.iter().enumerate() {
        if index == 0 || condition.junction == Junction::Or {
            alternatives.push(narrow(Ok(Vec::new()), condition));
        } else {
            alternatives =
                alternatives.into_iter().map(|alternative| narrow(alternative, condition)).collect();
        }
    }
    alternatives
}

fn narrow<'c>(conjunction: Conjunction<'c>, condition: &'c Condition) -> Conjunction<'c> {
    let mut conditions = conjunction?;
    let reason = contradiction_alone(condition)
        .or_else(|| conditions.iter().find_map(|other| contradiction(other, condition)));
    match reason {
        Some(reason) => Err(reason),
        None => {
            conditions.push(condition);
            Ok(conditions)
        }
    }
}

/// Returns the reason why a single condition never holds, if it doesn't.
fn contradiction_alone(condition: &Condition) -> Option<String> {
    if condition.variable.is_empty() {
        return Some("a condition without a variable never holds".to_owned());
    }
    let lacks_number = condition.operator.is_numeric() && to_float(&condition.value).is_none();
    lacks_number
        .then(|| format!("{} is compared with a value that is not a number", quote(&condition.variable)))
}

/// Returns the reason why two conditions contradict each other, if they do.
fn contradiction(one: &Condition, other: &Condition) -> Option<String> {
    let is_contradiction =
        one.variable == other.variable && (contradicts(one, other) || contradicts(other, one));
    is_contradiction.then(|| format!("no value of {} meets both of its conditions", quote(&one.variable)))
}

fn contradicts(one: &Condition, other: &Condition) -> bool {
    use Operator::{
        Contains, Equals, GreaterThan, IsEmpty, IsNotEmpty, LessThan, NotStartsWith, NumberEquals, StartsWith,
    };
    let (a, b) = (&one.value, &other.value);
    let numbers = || to_float(a).zip(to_float(b));
    match (one.operator, other.operator) {
        (Equals, Equals) => to_text(a) != to_text(b),
        (Equals, Contains) => !to_text(a).contains(&to_text(b)),
        (Equals, StartsWith) => !to_text(a).starts_with(&to_text(b)),
        (Equals | StartsWith, NotStartsWith) => to_text(a).starts_with(&to_text(b)),
        (IsEmpty, IsNotEmpty) => true,
        (NumberEquals, NumberEquals) => numbers().is_some_and(|(a, b)| a != b),
        (NumberEquals | LessThan, GreaterThan) => numbers().is_some_and(|(a, b)| a <= b),
        (NumberEquals, LessThan) => numbers().is_some_and(|(a, b)| a >= b),
        _ => false,
    }
}

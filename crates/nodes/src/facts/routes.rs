//! Routes whose conditions never hold, or are those of another route.

use std::collections::HashMap;

use serde_json::{Map, Value};
use sluice_domain::validation::{Code, Finding, Reference, pointer_step};

use crate::python_text::{float, text};
use crate::wording::quoted;

/// How many conditions of a route are looked into.
const MAX_CONDITIONS: usize = 16;

/// How many routes are compared with each other.
const MAX_ROUTES: usize = 32;

/// The variables of the routes in a config, and what is wrong with their conditions.
pub(super) fn look(config: &Map<String, Value>) -> (Vec<Reference>, Vec<Finding>) {
    let (mut references, mut findings) = (Vec::new(), Vec::new());
    let mut first: HashMap<String, &str> = HashMap::new();
    for (name, route) in config.get("route_map").and_then(Value::as_object).into_iter().flatten() {
        let at = format!("/route_map/{}", pointer_step(name));
        let Some(conditions) = route.get("conditions").and_then(Value::as_array) else { continue };
        for (index, condition) in conditions.iter().enumerate() {
            if let Some(path) =
                condition.get("variable").and_then(Value::as_str).filter(|path| !path.is_empty())
            {
                let pointer = format!("{at}/conditions/{index}/variable");
                references.push(Reference::field(pointer, path));
            }
        }
        let pointer = format!("{at}/conditions");
        if let Some(why) = never(conditions) {
            let message = format!("The route {} is never open: {why}. Correct its conditions.", quoted(name));
            findings.push(Finding { code: Code::RouteNeverMatches, pointer, message, help: None });
            continue;
        }
        if conditions.is_empty() {
            continue;
        }
        let earlier = *first.entry(Value::from(conditions.clone()).to_string()).or_insert(name);
        if earlier != name {
            let message = format!(
                "The route {} has the conditions of {}. Every route whose conditions hold is open, not only the \
                 first: change the conditions, or keep one of the routes.",
                quoted(name),
                quoted(earlier)
            );
            findings.push(Finding { code: Code::RouteDuplicate, pointer, message, help: None });
        }
    }
    (references, findings)
}

/// Pairs of routes that no input opens together.
pub(super) fn exclusive(config: &Map<String, Value>) -> Vec<(String, String)> {
    let routes = config.get("route_map").and_then(Value::as_object).into_iter().flatten();
    let routes = routes.filter_map(|(name, route)| {
        let conditions = route.get("conditions")?.as_array()?;
        let is_bounded = !conditions.is_empty() && conditions.len() <= MAX_CONDITIONS;
        is_bounded.then(|| (name, ways(conditions)))
    });
    let routes: Vec<_> = routes.take(MAX_ROUTES).collect();
    let clash = |one: &[Way<'_>], other: &[Way<'_>]| {
        one.iter().flatten().all(|one| other.iter().flatten().all(|other| excludes(one, other)))
    };
    let mut found = Vec::new();
    for (at, (name, one)) in routes.iter().enumerate() {
        let later = routes[at + 1..].iter().filter(|(_, other)| clash(one, other));
        found.extend(later.map(|(other, _)| ((*name).clone(), (*other).clone())));
    }
    found
}

/// Whether conditions that hold together never hold with others that do.
fn excludes(one: &[&Value], other: &[&Value]) -> bool {
    one.iter().any(|a| other.iter().any(|b| contradiction(a, b).is_some()))
}

/// Conditions that hold together, or why they never do.
type Way<'c> = Result<Vec<&'c Value>, String>;

/// Why no input makes the conditions hold.
fn never(conditions: &[Value]) -> Option<String> {
    if conditions.is_empty() || conditions.len() > MAX_CONDITIONS {
        return None;
    }
    ways(conditions).into_iter().map(Result::err).collect::<Option<Vec<String>>>()?.into_iter().next()
}

/// The ways in which conditions can hold: read from left to right, each OR begins another one, and each AND narrows all.
fn ways(conditions: &[Value]) -> Vec<Way<'_>> {
    let mut ways: Vec<Way<'_>> = Vec::new();
    for (index, condition) in conditions.iter().enumerate() {
        let junction = condition.get("logicalOperator").and_then(Value::as_str).unwrap_or_default();
        if index == 0 || junction.eq_ignore_ascii_case("or") {
            ways.push(Ok(Vec::new()));
            let last = ways.len() - 1;
            narrow(&mut ways[last], condition);
        } else {
            ways.iter_mut().for_each(|way| narrow(way, condition));
        }
    }
    ways
}

/// Adds a condition to those that hold together; what holds never says why.
fn narrow<'c>(way: &mut Way<'c>, condition: &'c Value) {
    let Ok(together) = way else { return };
    let why = alone(condition).or_else(|| together.iter().find_map(|other| contradiction(other, condition)));
    match why {
        Some(why) => *way = Err(why),
        None => together.push(condition),
    }
}

fn part<'c>(condition: &'c Value, name: &str) -> &'c str {
    condition.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn operator(condition: &Value) -> &str {
    let operator = part(condition, "operator");
    if operator.is_empty() { "contains" } else { operator }
}

/// Why a condition never holds by itself.
fn alone(condition: &Value) -> Option<String> {
    let variable = part(condition, "variable");
    if variable.is_empty() {
        return Some("nothing holds for an empty variable".to_owned());
    }
    let value = condition.get("value").unwrap_or(&Value::Null);
    let compares_numbers = ["number_equals", "greater_than", "less_than"].contains(&operator(condition));
    let is_no_number = compares_numbers && float(value).is_none();
    is_no_number.then(|| format!("{} is compared with something that is no number", quoted(variable)))
}

/// Why two conditions never hold together.
fn contradiction(one: &Value, other: &Value) -> Option<String> {
    let variable = part(one, "variable");
    if variable != part(other, "variable") {
        return None;
    }
    let value = |condition: &Value| condition.get("value").cloned().unwrap_or_default();
    let clash = |one: &Value, other: &Value| {
        let (a, b) = (value(one), value(other));
        let numbers = float(&a).zip(float(&b));
        match (operator(one), operator(other)) {
            ("equals", "equals") => text(&a) != text(&b),
            ("equals", "contains") => !text(&a).contains(&text(&b)),
            ("equals", "starts_with") => !text(&a).starts_with(&text(&b)),
            ("equals", "not_starts_with") => text(&a).starts_with(&text(&b)),
            ("starts_with", "not_starts_with") => text(&a).starts_with(&text(&b)),
            ("is_empty", "is_not_empty") => true,
            ("number_equals", "number_equals") => numbers.is_some_and(|(a, b)| a != b),
            ("number_equals" | "less_than", "greater_than") => numbers.is_some_and(|(a, b)| a <= b),
            ("number_equals", "less_than") => numbers.is_some_and(|(a, b)| a >= b),
            _ => false,
        }
    };
    let never = clash(one, other) || clash(other, one);
    never.then(|| format!("no {} fits both of its conditions", quoted(variable)))
}

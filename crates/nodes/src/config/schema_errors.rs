//! Messages for violations of a JSON Schema.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, ValidationError};
use serde_json::Value;
use sluice_domain::validation::{ConfigProblem, pointer_steps, suggest};

use crate::text::value_text::{describe, quote};

/// Appends the problems of a violation. If the schema has alternatives, reports the problems of the first alternative
/// with a matching type. `root` is the name of the whole instance in messages.
pub(crate) fn add_problems(error: &ValidationError<'_>, root: &str, problems: &mut Vec<ConfigProblem>) {
    use ValidationErrorKind as Kind;
    if let Kind::AnyOf { context } | Kind::OneOfNotValid { context } = error.kind() {
        if let Some(options) = constants(context) {
            return problems.push(enum_problem(error, root, &options));
        }
        let here = error.instance_path();
        let has_type = |alternative: &&Vec<ValidationError<'_>>| {
            !alternative.iter().any(|e| e.instance_path() == here && matches!(e.kind(), Kind::Type { .. }))
        };
        if let Some(alternative) = context.iter().find(has_type) {
            return alternative.iter().for_each(|error| add_problems(error, root, problems));
        }
    }
    problems.push(match error.kind() {
        Kind::Enum { options } => enum_problem(error, root, options),
        _ => problem(error, root, &predicate(error), ""),
    });
}

fn problem(error: &ValidationError<'_>, root: &str, predicate: &str, hint: &str) -> ConfigProblem {
    let pointer = error.instance_path().as_str().to_owned();
    let message = format!("{} {predicate}.{hint}", subject(&pointer, root));
    ConfigProblem { pointer, message }
}

fn enum_problem(error: &ValidationError<'_>, root: &str, options: &Value) -> ConfigProblem {
    let options: Vec<&str> = options.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let list = options.iter().map(|option| quote(option)).collect::<Vec<_>>().join(", ");
    let predicate = format!("must be one of {list}, got {}", describe(error.instance()));
    // The first of several equally similar options is the usual spelling, but `suggest` returns the last one.
    let nearest = error.instance().as_str().and_then(|text| suggest(text, options.into_iter().rev()));
    let hint = nearest.map(|option| format!(" Did you mean {}?", quote(option))).unwrap_or_default();
    problem(error, root, &predicate, &hint)
}

/// Returns the constants, if all alternatives are constants.
fn constants(alternatives: &[Vec<ValidationError<'_>>]) -> Option<Value> {
    let constant = |alternative: &Vec<ValidationError<'_>>| match alternative.as_slice() {
        [error] => match error.kind() {
            ValidationErrorKind::Constant { expected_value } => Some(Value::clone(expected_value)),
            _ => None,
        },
        _ => None,
    };
    alternatives.iter().map(constant).collect::<Option<Vec<Value>>>().map(Value::from)
}

/// Returns the subject of a message about the value at `pointer`, such as `"name"` or `Item 2 of "names"`. Returns
/// `root` for the whole instance.
pub(crate) fn subject(pointer: &str, root: &str) -> String {
    let steps: Vec<String> = pointer_steps(pointer).collect();
    let indices = steps.iter().rev().take_while(|step| step.bytes().all(|b| b.is_ascii_digit())).count();
    let (names, indices) = steps.split_at(steps.len() - indices);
    let name = names.last().map_or_else(|| root.to_owned(), |name| quote(name));
    if indices.is_empty() { name } else { format!("Item {} of {name}", indices.join(".")) }
}

fn predicate(error: &ValidationError<'_>) -> String {
    use ValidationErrorKind as Kind;
    let got = || describe(error.instance());
    match error.kind() {
        Kind::Type { kind } => format!("must be {}, got {}", type_names(kind), got()),
        Kind::Required { property } => {
            format!("must have the field {}", quote(property.as_str().unwrap_or_default()))
        }
        Kind::Minimum { limit } => format!("must be at least {limit}, got {}", got()),
        Kind::Maximum { limit } => format!("must be at most {limit}, got {}", got()),
        Kind::AdditionalProperties { unexpected } => {
            let names: Vec<String> = unexpected.iter().map(|name| quote(name)).collect();
            format!("has unknown fields: {}", names.join(", "))
        }
        _ => format!("is invalid: {}", error.masked_with("it")),
    }
}

fn type_names(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(json_type) => type_name(*json_type).to_owned(),
        TypeKind::Multiple(types) => {
            let names: Vec<&str> = types.iter().filter(|t| *t != JsonType::Null).map(type_name).collect();
            names.join(" or ")
        }
    }
}

fn type_name(json_type: JsonType) -> &'static str {
    match json_type {
        JsonType::Array => "a list",
        JsonType::Boolean => "true or false",
        JsonType::Integer => "a whole number",
        JsonType::Null => "null",
        JsonType::Number => "a number",
        JsonType::Object => "an object",
        JsonType::String => "a string",
    }
}

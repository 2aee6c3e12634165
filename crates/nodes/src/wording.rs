//! What validators find, as sentences for people.

use serde_json::Value;
use sluice_domain::validation::ConfigProblem;
use sluice_json_schema::{JsonType, TypeKind, ValidationError, ValidationErrorKind};

/// How much of a value a sentence quotes at most.
const QUOTED: usize = 80;

/// Appends what `error` says: one problem, or those of the form that fits best where several forms are
/// accepted.
pub(crate) fn describe(error: &ValidationError<'_>, root: &str, found: &mut Vec<ConfigProblem>) {
    use ValidationErrorKind as Kind;
    if let Kind::AnyOf { context } | Kind::OneOfNotValid { context } = error.kind() {
        let here = error.instance_path();
        let fits_roughly = |form: &&Vec<ValidationError<'_>>| {
            !form.iter().any(|e| e.instance_path() == here && matches!(e.kind(), Kind::Type { .. }))
        };
        if let Some(words) = words(context) {
            return found.push(problem(error, root, &not_among(error.instance(), &words)));
        }
        if let Some(form) = context.iter().find(fits_roughly) {
            return form.iter().for_each(|error| describe(error, root, found));
        }
    }
    found.push(problem(error, root, &predicate(error)));
}

/// A sentence about the place of an error.
fn problem(error: &ValidationError<'_>, root: &str, predicate: &str) -> ConfigProblem {
    let pointer = error.instance_path().as_str().to_owned();
    let end = if predicate.ends_with('?') { "" } else { "." };
    let message = format!("{} {predicate}{end}", subject(&pointer, root));
    ConfigProblem { pointer, message }
}

/// The words of which one is asked for, where every form is one.
fn words(forms: &[Vec<ValidationError<'_>>]) -> Option<Value> {
    let word = |form: &Vec<ValidationError<'_>>| match form.as_slice() {
        [one] => match one.kind() {
            ValidationErrorKind::Constant { expected_value } => Some(Value::clone(expected_value)),
            _ => None,
        },
        _ => None,
    };
    forms.iter().map(word).collect::<Option<Vec<Value>>>().map(Value::from)
}

/// The value at `pointer`, as the subject of a sentence: `"name"`, or what `root` says for the whole.
pub(crate) fn subject(pointer: &str, root: &str) -> String {
    let steps: Vec<String> =
        pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
    let indices = steps.iter().rev().take_while(|step| step.bytes().all(|b| b.is_ascii_digit())).count();
    let (names, indices) = steps.split_at(steps.len() - indices);
    let name = names.last().map_or_else(|| root.to_owned(), |name| quoted(name));
    let item: Vec<&str> = indices.iter().map(String::as_str).collect();
    if item.is_empty() { name } else { format!("Item {} of {name}", item.join(".")) }
}

fn predicate(error: &ValidationError<'_>) -> String {
    use ValidationErrorKind as Kind;
    let instance = error.instance();
    match error.kind() {
        Kind::Type { kind } => format!("is {}, but has to be {}", noun(instance), types(kind)),
        Kind::Required { property } => {
            format!("lacks {}: add it", quoted(property.as_str().unwrap_or_default()))
        }
        Kind::Minimum { limit } => format!("is {}, but has to be at least {limit}", shown(instance)),
        Kind::Maximum { limit } => format!("is {}, but may be at most {limit}", shown(instance)),
        Kind::Enum { options } => not_among(instance, options),
        Kind::AdditionalProperties { unexpected } => {
            let names: Vec<String> = unexpected.iter().map(|name| quoted(name)).collect();
            format!("has fields that are not declared: {}", names.join(", "))
        }
        _ => format!("doesn't fit: {}", error.masked_with("it")),
    }
}

fn not_among(instance: &Value, options: &Value) -> String {
    let options: Vec<&str> = options.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let known = options.iter().map(|option| quoted(option)).collect::<Vec<_>>().join(", ");
    let mut sentence = format!("is {}, but has to be one of {known}", shown(instance));
    if let Some(nearest) = instance.as_str().and_then(|text| nearest(text, &options)) {
        sentence.push_str(&format!("; did you mean {}?", quoted(nearest)));
    }
    sentence
}

/// The option that `text` may have been meant to be.
fn nearest<'o>(text: &str, options: &[&'o str]) -> Option<&'o str> {
    // Longer texts are no slips of the pen, and comparing them would take long.
    let text = (text.len() <= QUOTED).then(|| text.to_lowercase())?;
    let likeness = |option: &str| strsim::normalized_damerau_levenshtein(&option.to_lowercase(), &text);
    // Of several that are equally like it the first is the usual one, and `max_by` takes the last.
    let nearest = options.iter().rev().copied().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(nearest) >= 0.4).then_some(nearest)
}

fn types(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(json_type) => type_noun(*json_type).to_owned(),
        TypeKind::Multiple(set) => {
            let nouns: Vec<&str> = set.iter().filter(|t| *t != JsonType::Null).map(type_noun).collect();
            nouns.join(" or ")
        }
    }
}

fn type_noun(json_type: JsonType) -> &'static str {
    match json_type {
        JsonType::Array => "a list",
        JsonType::Boolean => "true or false",
        JsonType::Integer => "a whole number",
        JsonType::Null => "null",
        JsonType::Number => "a number",
        JsonType::Object => "an object",
        JsonType::String => "a text",
    }
}

/// What kind of value this is, in words.
pub(crate) fn noun(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        Value::Number(number) if number.is_f64() => "a number with a fraction",
        Value::Number(_) => "a whole number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// A small value itself, of a large one its kind.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Number(number) => number.to_string(),
        other => noun(other).to_owned(),
    }
}

/// `text` in quotes, its end cut off where it is long.
pub(crate) fn quoted(text: &str) -> String {
    let cut: String = text.chars().take(QUOTED).collect();
    if cut.len() == text.len() { format!("\"{cut}\"") } else { format!("\"{cut}…\"") }
}

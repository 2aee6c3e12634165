//! Schema validation of request bodies. Parsing stops at the first error; the schema finds all of them.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{ValidationError, Validator};
use parking_lot::Mutex;
use serde_json::{Value, json};
use sluice_domain::validation::pointer_step;
use utoipa::ToSchema;

use crate::error::ProblemItem;
use crate::patterns::ONE_LINE;

/// Maximum size of a body for which every problem is reported. For a larger body, only the first is.
pub(crate) const MAX_VALIDATED_BYTES: usize = 1 << 20;

/// Maximum number of problems that a response lists.
pub(crate) const MAX_SCHEMA_ERRORS: usize = 100;

static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// Returns every violation of the schema of `T` in `body`.
pub(crate) fn validate<T: ToSchema>(body: &Value) -> Vec<ProblemItem> {
    let Some(validator) = validator::<T>() else { return Vec::new() };
    let mut items = Vec::new();
    for error in validator.iter_errors(body) {
        collect_items(&error, &mut items);
        if items.len() >= MAX_SCHEMA_ERRORS {
            break;
        }
    }
    items.truncate(MAX_SCHEMA_ERRORS);
    items
}

/// Returns the validator for a type and the schemas that it refers to. Compiles it at first use.
fn validator<T: ToSchema>() -> Option<Arc<Validator>> {
    let name = T::name();
    let mut validators = VALIDATORS.lock();
    if let Some(validator) = validators.get(&*name) {
        return Some(Arc::clone(validator));
    }
    let mut schemas = vec![(name.to_string(), T::schema())];
    T::schemas(&mut schemas);
    let schemas: HashMap<_, _> = schemas.into_iter().collect();
    let reference = format!("#/components/schemas/{name}");
    let schema = json!({"$ref": reference, "components": {"schemas": schemas}});
    let built = jsonschema::options().should_validate_formats(true).build(&schema);
    let validator = built.inspect_err(|error| tracing::error!(%name, %error, "invalid schema")).ok()?;
    let validator = Arc::new(validator);
    validators.insert(name.to_string(), Arc::clone(&validator));
    Some(validator)
}

fn collect_items(error: &ValidationError<'_>, items: &mut Vec<ProblemItem>) {
    if items.len() >= MAX_SCHEMA_ERRORS {
        return;
    }
    let at = error.instance_path().as_str().to_owned();
    let mut report = |pointer: String, code: &str, detail: String| {
        let item = ProblemItem::new(pointer, code, detail);
        if !items.contains(&item) {
            items.push(item);
        }
    };
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            report(format!("{at}/{}", pointer_step(name)), "missing", format!("{name} is missing. Add it."));
        }
        ValidationErrorKind::Type { kind } => {
            report(
                at,
                "type",
                format!(
                    "The value must be {}, got {}.",
                    describe_type(kind),
                    describe_value(error.instance())
                ),
            );
        }
        ValidationErrorKind::Enum { options } => {
            let words: Vec<String> = options.as_array().into_iter().flatten().map(describe_value).collect();
            let words = words.join(", ");
            report(
                at,
                "enum",
                format!("The value must be one of {words}, got {}.", describe_value(error.instance())),
            );
        }
        ValidationErrorKind::MaxLength { limit } => {
            report(at, "length", format!("The value is longer than {limit} characters. Shorten it."));
        }
        ValidationErrorKind::MinLength { limit } => {
            report(at, "length", format!("The value must have at least {limit} character(s)."));
        }
        ValidationErrorKind::MaxItems { limit } => {
            report(at, "length", format!("The array has more than {limit} items. Shorten it."));
        }
        ValidationErrorKind::Minimum { limit } => {
            report(at, "range", format!("The value must be at least {limit}."))
        }
        ValidationErrorKind::Maximum { limit } => {
            report(at, "range", format!("The value must be at most {limit}."))
        }
        ValidationErrorKind::Pattern { pattern } => {
            let detail = match pattern.as_str() {
                ONE_LINE => "The value must not contain control characters. Remove them.".to_owned(),
                pattern => {
                    format!("The value must match {pattern}, got {}.", describe_value(error.instance()))
                }
            };
            report(at, "pattern", detail);
        }
        ValidationErrorKind::Format { format } => {
            report(
                at,
                "format",
                format!("The value must be a {format}, got {}.", describe_value(error.instance())),
            );
        }
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            for name in unexpected {
                let pointer = format!("{at}/{}", pointer_step(name));
                report(pointer, "unknown", format!("The field {name:?} is unknown. Remove it."));
            }
        }
        ValidationErrorKind::OneOfNotValid { context } | ValidationErrorKind::AnyOf { context } => {
            collect_alternative(error, context, items);
        }
        _ => report(at, "invalid", "The value is invalid. See the schema in /openapi.json.".to_owned()),
    }
}

/// Reports a violation of a nullable schema as a violation of its non-null alternative.
fn collect_alternative(
    error: &ValidationError<'_>,
    context: &[Vec<ValidationError<'_>>],
    items: &mut Vec<ProblemItem>,
) {
    let expects_null = |e: &ValidationError<'_>| matches!(e.kind(), ValidationErrorKind::Type { kind: TypeKind::Single(t) } if t.to_string() == "null");
    match context.iter().find(|branch| !branch.iter().any(expects_null)) {
        Some(branch) => branch.iter().for_each(|error| collect_items(error, items)),
        None => items.push(ProblemItem::new(
            error.instance_path().as_str(),
            "invalid",
            "The value is invalid. See the schema in /openapi.json.",
        )),
    }
}

fn describe_type(kind: &TypeKind) -> String {
    let name = |name: &str| match name {
        "object" => "an object",
        "array" => "a list",
        "string" => "a string",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        _ => "null",
    };
    match kind {
        TypeKind::Single(kind) => name(&kind.to_string()).to_owned(),
        TypeKind::Multiple(kinds) => {
            let names: Vec<_> = kinds.iter().map(|kind| name(&kind.to_string())).collect();
            names.join(" or ")
        }
    }
}

/// Formats a value. Long values are shortened.
fn describe_value(value: &Value) -> String {
    match value {
        Value::Object(_) => "an object".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::String(text) if text.chars().count() > 40 => {
            format!("{:?}…", text.chars().take(40).collect::<String>())
        }
        other => other.to_string(),
    }
}

//! Every way in which a body doesn't fit its schema. Parsing stops at the first; the schemas of the
//! OpenAPI document, which say the same, find them all.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use serde_json::{Value, json};
use serde_path_to_error::{Path, Segment};
use sluice_domain::validation::pointer_step;
use sluice_json_schema::{TypeKind, ValidationError, ValidationErrorKind, Validator};
use utoipa::ToSchema;

use crate::parameters::IN_ONE_LINE;
use crate::problem::ProblemItem;
use crate::state::lock;

/// The longest body of which every problem is told; of a longer one the first is.
pub(crate) const MAX_BODY: usize = 1 << 20;

/// The most problems that one answer lists.
pub(crate) const MAX_PROBLEMS: usize = 100;

static COMPONENTS: LazyLock<Value> = LazyLock::new(|| {
    let document = serde_json::to_value(crate::openapi::openapi()).unwrap_or_default();
    document.get("components").cloned().unwrap_or_default()
});

static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// What in `body` doesn't fit the schema of `T`; nothing when it fits.
pub(crate) fn problems<T: ToSchema>(body: &Value) -> Vec<ProblemItem> {
    let Some(validator) = validator(&T::name()) else { return Vec::new() };
    let mut found = Vec::new();
    for error in validator.errors(body) {
        collect(&error, &mut found);
        if found.len() >= MAX_PROBLEMS {
            break;
        }
    }
    found.truncate(MAX_PROBLEMS);
    found
}

/// The validator of a component, compiled when it is first needed.
fn validator(name: &str) -> Option<Arc<Validator>> {
    let mut validators = lock(&VALIDATORS);
    if let Some(validator) = validators.get(name) {
        return Some(Arc::clone(validator));
    }
    let schema = json!({"$ref": format!("#/components/schemas/{name}"), "components": &*COMPONENTS});
    let built = Validator::with_formats(&schema);
    let validator = Arc::new(built.inspect_err(|error| tracing::error!(name, %error, "no schema")).ok()?);
    validators.insert(name.to_owned(), Arc::clone(&validator));
    Some(validator)
}

fn collect(error: &ValidationError<'_>, found: &mut Vec<ProblemItem>) {
    if found.len() >= MAX_PROBLEMS {
        return;
    }
    let at = error.instance_path().as_str().to_owned();
    let mut report = |pointer: String, code: &str, detail: String| {
        let item = ProblemItem::new(pointer, code, detail);
        if !found.contains(&item) {
            found.push(item);
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
                format!("This must be {}, but it is {}.", expected(kind), shown(error.instance())),
            );
        }
        ValidationErrorKind::Enum { options } => {
            let words: Vec<String> = options.as_array().into_iter().flatten().map(shown).collect();
            let words = words.join(", ");
            report(
                at,
                "enum",
                format!("This must be one of {words}, but it is {}.", shown(error.instance())),
            );
        }
        ValidationErrorKind::MaxLength { limit } => {
            report(at, "length", format!("This is longer than {limit} characters. Shorten it."));
        }
        ValidationErrorKind::MinLength { limit } => {
            report(at, "length", format!("This must have at least {limit} character(s)."));
        }
        ValidationErrorKind::MaxItems { limit } => {
            report(at, "length", format!("This list has more than {limit} items. Shorten it."));
        }
        ValidationErrorKind::Minimum { limit } => {
            report(at, "range", format!("This must be at least {limit}."))
        }
        ValidationErrorKind::Maximum { limit } => {
            report(at, "range", format!("This must be at most {limit}."))
        }
        ValidationErrorKind::Pattern { pattern } => {
            let detail = match pattern.as_str() {
                IN_ONE_LINE => "This may not hold control characters. Leave them out.".to_owned(),
                pattern => {
                    format!("This must have the form {pattern}, but it is {}.", shown(error.instance()))
                }
            };
            report(at, "pattern", detail);
        }
        ValidationErrorKind::Format { format } => {
            report(at, "format", format!("This must be a {format}, but it is {}.", shown(error.instance())));
        }
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            for name in unexpected {
                let place = format!("{at}/{}", pointer_step(name));
                report(place, "unknown", format!("There is no field {name:?} here. Leave it out."));
            }
        }
        ValidationErrorKind::OneOfNotValid { context } | ValidationErrorKind::AnyOf { context } => {
            alternatives(error, context, found);
        }
        _ => report(
            at,
            "invalid",
            "This doesn't fit. Compare it with the document at /openapi.json.".to_owned(),
        ),
    }
}

/// What may be null or something else is reported as the something else.
fn alternatives(
    error: &ValidationError<'_>,
    context: &[Vec<ValidationError<'_>>],
    found: &mut Vec<ProblemItem>,
) {
    let wants_null = |e: &ValidationError<'_>| matches!(e.kind(), ValidationErrorKind::Type { kind: TypeKind::Single(t) } if t.to_string() == "null");
    match context.iter().find(|branch| !branch.iter().any(wants_null)) {
        Some(branch) => branch.iter().for_each(|error| collect(error, found)),
        None => found.push(ProblemItem::new(
            error.instance_path().as_str(),
            "invalid",
            "This doesn't fit. Compare it with the document at /openapi.json.",
        )),
    }
}

fn expected(kind: &TypeKind) -> String {
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
        TypeKind::Single(one) => name(&one.to_string()).to_owned(),
        TypeKind::Multiple(several) => {
            let names: Vec<_> = several.iter().map(|one| name(&one.to_string())).collect();
            names.join(" or ")
        }
    }
}

/// A value, short enough for a sentence.
fn shown(value: &Value) -> String {
    match value {
        Value::Object(_) => "an object".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::String(text) if text.chars().count() > 40 => {
            format!("{:?}…", text.chars().take(40).collect::<String>())
        }
        other => other.to_string(),
    }
}

/// A path of the parser as an RFC 6901 pointer.
pub(super) fn pointer(path: &Path) -> String {
    let step = |segment: &Segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", pointer_step(key)),
        Segment::Enum { variant } => format!("/{}", pointer_step(variant)),
        Segment::Unknown => String::new(),
    };
    path.iter().map(step).collect()
}

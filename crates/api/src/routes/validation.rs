//! Validation of definitions without saving them.

use std::collections::HashSet;

use axum::Json as Answer;
use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use sluice_domain::transfer::Form;
use sluice_domain::validation::Code;
use sluice_domain::{Definition, transfer, validation};
use sluice_nodes::NodeKinds;
use utoipa::openapi::{OneOfBuilder, Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::blocking::cpu_bound;
use crate::error::responses::{JsonTextProblems, ServerProblems};
use crate::error::{Problem, ProblemItem, schema_errors};
use crate::extract::json::{JsonText, parse_json};
use crate::openapi::examples;
use crate::routes::diagnostic::Diagnostic;
use crate::routes::workflows::import_body::schema_errors_of;
use crate::routes::workflows::request::WorkflowCreateRequest;
use crate::state::AppState;

/// The body of createWorkflow or a bare definition. This type only describes the body, which is read as text.
pub(crate) struct ValidationRequest;

impl PartialSchema for ValidationRequest {
    fn schema() -> RefOr<Schema> {
        let forms = OneOfBuilder::new()
            .description(Some("The body of createWorkflow or a bare definition."))
            .item(Ref::from_schema_name(WorkflowCreateRequest::name()))
            .item(Ref::from_schema_name(Definition::name()));
        Schema::OneOf(forms.build()).into()
    }
}

impl ToSchema for ValidationRequest {}

/// Diagnostics of a definition.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Validation {
    /// True if the definition can be saved: no diagnostic has the severity `error`.
    valid: bool,
    /// The diagnostics, errors first. If there are too many, the last one has the code `diagnostics_cut`.
    diagnostics: Vec<Diagnostic>,
}

/// Validate a definition.
///
/// Returns the errors and warnings of a definition and saves nothing. Accepts the body of createWorkflow or a bare
/// definition. The status is 200 even if the body is not JSON. Only a body that is too large or has another content
/// type is rejected.
#[utoipa::path(
    post, path = "/wf/validate/", tag = "workflows", operation_id = "validateWorkflow",
    request_body(content = ValidationRequest, description = "The workflow or a bare definition.", example = json!(examples::create())),
    responses(
        (status = 200, description = "The diagnostics.", body = Validation, example = json!(examples::validation())),
        JsonTextProblems, ServerProblems,
    )
)]
pub(crate) async fn workflow_validate(
    State(state): State<AppState>,
    JsonText(text): JsonText,
) -> Result<Answer<Validation>, Problem> {
    let kinds = state.settings.kinds();
    Ok(Answer(cpu_bound(move || validate_text(&text, &kinds)).await))
}

fn validate_text(text: &[u8], kinds: &NodeKinds) -> Validation {
    let mut found = diagnose_text(text, kinds);
    if form(text) == Form::Request {
        add_request_errors(text, &mut found);
    }
    let valid = found.iter().all(|diagnostic| diagnostic.severity() != validation::Severity::Error);
    Validation { valid, diagnostics: found.into_iter().map(Diagnostic::from).collect() }
}

/// Everything that is wrong, or looks wrong, with the definition that `text` holds, by itself, in a create request, or
/// in an exported document. Pointers lead into `text`. A file may leave the name out, which an import then makes up.
#[must_use]
pub fn diagnose(text: &[u8]) -> Vec<validation::Diagnostic> {
    diagnose_text(text, &NodeKinds::default())
}

fn diagnose_text(text: &[u8], kinds: &NodeKinds) -> Vec<validation::Diagnostic> {
    let mut found = transfer::diagnose_json(text, kinds);
    let is_misshapen = found.iter().any(|diagnostic| diagnostic.code == Code::ShapeInvalid);
    if is_misshapen && text.len() <= schema_errors::MAX_VALIDATED_BYTES {
        add_schema_errors(text, &mut found);
    }
    found
}

/// Returns the form of the body: an exported document, a create request or a bare definition.
fn form(text: &[u8]) -> Form {
    let text = std::str::from_utf8(text).unwrap_or_default();
    transfer::form(text).unwrap_or(Form::Plain)
}

/// Parsing stops at the first part of another form; the schemas of the document know them all.
fn add_schema_errors(text: &[u8], found: &mut Vec<validation::Diagnostic>) {
    let Ok(body) = serde_json::from_slice::<Value>(text) else { return };
    let all = schema_errors_of(Some(form(text)), &body);
    let is_nameless = body.get("name").is_none_or(Value::is_null);
    let all: Vec<ProblemItem> =
        all.into_iter().filter(|item| !(is_nameless && item.pointer == "/name")).collect();
    if all.is_empty() {
        return;
    }
    // What stopped the parsing is among them.
    let is_checked = |pointer: &str| ["/name", "/tags"].contains(&pointer);
    found.retain(|one| one.code != Code::ShapeInvalid || is_checked(&one.pointer));
    let is_cut = all.len() >= schema_errors::MAX_SCHEMA_ERRORS;
    add_new(all, found);
    if is_cut {
        let message = format!(
            "Only the first {} are listed. Fix some and validate again.",
            schema_errors::MAX_SCHEMA_ERRORS
        );
        found.push(validation::Diagnostic::new(Code::DiagnosticsCut, "", message));
    }
}

/// Adds the errors of a create request outside of its definition.
fn add_request_errors(text: &[u8], found: &mut Vec<validation::Diagnostic>) {
    let Err(problem) = parse_json::<WorkflowCreateRequest>(text) else { return };
    let is_beside = |item: &ProblemItem| !item.pointer.starts_with("/definition");
    add_new(problem.into_errors().into_iter().filter(is_beside).collect(), found);
    found.sort_by_key(validation::Diagnostic::severity);
    validation::truncate(found);
}

/// Adds the items at locations that have no diagnostic yet.
fn add_new(items: Vec<ProblemItem>, found: &mut Vec<validation::Diagnostic>) {
    let reported: HashSet<String> = found.iter().map(|one| one.pointer.clone()).collect();
    let new = items.into_iter().filter(|item| !reported.contains(&item.pointer));
    found.extend(new.map(|item| validation::Diagnostic::new(Code::ShapeInvalid, item.pointer, item.detail)));
}

//! Validation of definitions without saving them.

use std::collections::HashSet;

use axum::Json as JsonResponse;
use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use sluice_domain::transfer::ImportForm;
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

/// The body of createWorkflow, a bare definition or an exported document. This type only declares the body, which is
/// read as text.
pub(crate) struct ValidationRequest;

impl PartialSchema for ValidationRequest {
    fn schema() -> RefOr<Schema> {
        let forms = OneOfBuilder::new()
            .description(Some("The body of createWorkflow, a bare definition or an exported document."))
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
/// Returns the errors and warnings of a definition and saves nothing. Accepts the body of createWorkflow, a bare
/// definition or an exported document. Invalid bodies, even if they are not JSON, get 200 with diagnostics. Only a body
/// that is too large, or whose content type is not JSON, is rejected.
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
) -> Result<JsonResponse<Validation>, Problem> {
    let kinds = state.settings.kinds();
    Ok(JsonResponse(cpu_bound(move || validate_text(&text, &kinds)).await))
}

fn validate_text(text: &[u8], kinds: &NodeKinds) -> Validation {
    let mut diagnostics = diagnose_text(text, kinds);
    if form(text) == ImportForm::Request {
        add_request_errors(text, &mut diagnostics);
    }
    let valid = diagnostics.iter().all(|diagnostic| diagnostic.severity() != validation::Severity::Error);
    Validation { valid, diagnostics: diagnostics.into_iter().map(Diagnostic::from).collect() }
}

/// Returns the diagnostics of the definition in `text`: a bare definition, a create request or an exported document.
/// Pointers refer to `text`. The name may be absent, since an import generates one.
#[must_use]
pub fn diagnose(text: &[u8]) -> Vec<validation::Diagnostic> {
    diagnose_text(text, &NodeKinds::default())
}

fn diagnose_text(text: &[u8], kinds: &NodeKinds) -> Vec<validation::Diagnostic> {
    let mut diagnostics = transfer::diagnose_json(text, kinds);
    let has_shape_error = diagnostics.iter().any(|diagnostic| diagnostic.code == Code::ShapeInvalid);
    if has_shape_error && text.len() <= schema_errors::MAX_VALIDATED_BYTES {
        add_schema_errors(text, &mut diagnostics);
    }
    diagnostics
}

/// Returns the form of the body: an exported document, a create request or a bare definition.
fn form(text: &[u8]) -> ImportForm {
    let text = std::str::from_utf8(text).unwrap_or_default();
    transfer::detect_form(text).unwrap_or(ImportForm::Definition)
}

/// Adds the violations of the schema, which finds all of them. Parsing stops at the first one.
fn add_schema_errors(text: &[u8], diagnostics: &mut Vec<validation::Diagnostic>) {
    let Ok(body) = serde_json::from_slice::<Value>(text) else { return };
    let violations = schema_errors_of(Some(form(text)), &body);
    let is_nameless = body.get("name").is_none_or(Value::is_null);
    let violations: Vec<ProblemItem> =
        violations.into_iter().filter(|item| !(is_nameless && item.pointer == "/name")).collect();
    if violations.is_empty() {
        return;
    }
    // The violations include the error that stopped the parser.
    let is_checked = |pointer: &str| ["/name", "/tags"].contains(&pointer);
    diagnostics.retain(|diagnostic| diagnostic.code != Code::ShapeInvalid || is_checked(&diagnostic.pointer));
    let is_truncated = violations.len() >= schema_errors::MAX_SCHEMA_ERRORS;
    add_unreported(violations, diagnostics);
    if is_truncated {
        let message = format!(
            "Only the first {} errors are listed. Fix some of them, then validate again.",
            schema_errors::MAX_SCHEMA_ERRORS
        );
        diagnostics.push(validation::Diagnostic::new(Code::DiagnosticsCut, "", message));
    }
}

/// Adds the errors of a create request outside of its definition.
fn add_request_errors(text: &[u8], diagnostics: &mut Vec<validation::Diagnostic>) {
    let Err(problem) = parse_json::<WorkflowCreateRequest>(text) else { return };
    let is_outside = |item: &ProblemItem| !item.pointer.starts_with("/definition");
    add_unreported(problem.into_errors().into_iter().filter(is_outside).collect(), diagnostics);
    diagnostics.sort_by_key(validation::Diagnostic::severity);
    validation::truncate(diagnostics);
}

/// Adds the items at locations that have no diagnostic yet.
fn add_unreported(items: Vec<ProblemItem>, diagnostics: &mut Vec<validation::Diagnostic>) {
    let reported: HashSet<String> = diagnostics.iter().map(|diagnostic| diagnostic.pointer.clone()).collect();
    let new = items.into_iter().filter(|item| !reported.contains(&item.pointer));
    diagnostics
        .extend(new.map(|item| validation::Diagnostic::new(Code::ShapeInvalid, item.pointer, item.detail)));
}

//! Validation: everything that is wrong, or looks wrong, with a definition, without saving it.

use std::collections::HashSet;

use axum::Json as Answer;
use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use sluice_domain::transfer::{self, Form};
use sluice_domain::validation::{self, Code};
use sluice_nodes::NodeKinds;
use utoipa::openapi::{OneOfBuilder, Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::transfer::WorkflowDocument;
use super::workflows::WorkflowCreateRequest;
use crate::aside::aside;
use crate::extract::{JsonText, parse_now, shape};
use crate::problem::{Problem, ProblemItem};
use crate::responses::{ServerProblems, TextProblems};
use crate::{AppState, examples, schema};

/// What can be validated: a workflow as it would be saved, or its definition alone. It only describes the
/// body, which is looked into as it was sent.
pub(crate) struct ValidationRequest;

impl PartialSchema for ValidationRequest {
    fn schema() -> RefOr<Schema> {
        let forms = OneOfBuilder::new()
            .description(Some("A workflow as it would be saved, or its definition alone."))
            .item(Ref::from_schema_name(WorkflowCreateRequest::name()))
            .item(Ref::from_schema_name(schema::WorkflowDefinition::name()));
        Schema::OneOf(forms.build()).into()
    }
}

impl ToSchema for ValidationRequest {}

/// What is wrong, or looks wrong, with a definition.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Validation {
    /// Whether it could be saved: there is no diagnostic of the severity `error`.
    valid: bool,
    /// What was found, errors first. At most 1,000 are listed.
    diagnostics: Vec<Diagnostic>,
}

/// One thing that is wrong, or looks wrong.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Diagnostic)]
pub(crate) struct Diagnostic {
    /// What kind of problem: a word that keeps its meaning for ever. docs/diagnostics has a page for each.
    #[schema(example = "node_type_unknown")]
    code: &'static str,
    /// How much it weighs.
    severity: DiagnosticSeverity,
    /// Where, as an RFC 6901 pointer into the body.
    #[schema(example = "/definition/nodes/0/node_type")]
    pointer: String,
    /// The id of the node concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    node_id: Option<String>,
    /// The index of the link concerned, in the `links` that the pointer leads through.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    link_index: Option<usize>,
    /// What is wrong and what to change.
    message: String,
    /// What may have been meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    help: Option<String>,
    /// Other places that have to do with it.
    related: Vec<RelatedPlace>,
}

/// How much a diagnostic weighs: an `error` can't be saved, a `warning` hardly does what its author wants,
/// an `info` may be left out.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DiagnosticSeverity {
    /// It can't be saved.
    Error,
    /// It hardly does what its author wants.
    Warning,
    /// It may be left out.
    Info,
}

/// Another place that has to do with a diagnostic.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct RelatedPlace {
    /// Where, as an RFC 6901 pointer into the body.
    pointer: String,
    /// What is there.
    message: String,
}

impl From<validation::Severity> for DiagnosticSeverity {
    fn from(severity: validation::Severity) -> Self {
        match severity {
            validation::Severity::Error => Self::Error,
            validation::Severity::Warning => Self::Warning,
            validation::Severity::Info => Self::Info,
        }
    }
}

impl From<validation::Diagnostic> for Diagnostic {
    fn from(diagnostic: validation::Diagnostic) -> Self {
        let severity = diagnostic.severity().into();
        let validation::Diagnostic { code, pointer, node_id, link_index, message, help, related } =
            diagnostic;
        let place = |validation::Related { pointer, message }| RelatedPlace { pointer, message };
        let related = related.into_iter().map(place).collect();
        Self { code: code.as_str(), severity, pointer, node_id, link_index, message, help, related }
    }
}

/// Validate a definition.
///
/// Tells everything that is wrong, or looks wrong, with a definition, and saves nothing. Takes what
/// createWorkflow takes, or a definition alone. Whatever is found, the answer is 200, also of a text that is no JSON; only
/// a body that is too large, or sent as something else, is refused.
#[utoipa::path(
    post, path = "/wf/validate/", tag = "workflows", operation_id = "validateWorkflow",
    request_body(content = ValidationRequest, description = "The workflow, or its definition alone.", example = json!(examples::create())),
    responses(
        (status = 200, description = "What was found.", body = Validation, example = json!(examples::validation())),
        TextProblems, ServerProblems,
    )
)]
pub(crate) async fn workflow_validate(
    State(state): State<AppState>,
    JsonText(text): JsonText,
) -> Result<Answer<Validation>, Problem> {
    let kinds = state.settings.kinds();
    Ok(Answer(aside(move || judge(&text, &kinds)).await))
}

fn judge(text: &[u8], kinds: &NodeKinds) -> Validation {
    let mut found = found_by(text, kinds);
    if form(text) == Form::Request {
        refused_at_save(text, &mut found);
    }
    let valid = found.iter().all(|diagnostic| diagnostic.severity() != validation::Severity::Error);
    Validation { valid, diagnostics: found.into_iter().map(Diagnostic::from).collect() }
}

/// Everything that is wrong, or looks wrong, with the definition that `text` holds, by itself, in a create request, or
/// in an exported document. Pointers lead into `text`. A file may leave the name out, which an import then makes up.
#[must_use]
pub fn diagnose(text: &[u8]) -> Vec<validation::Diagnostic> {
    found_by(text, &NodeKinds::default())
}

fn found_by(text: &[u8], kinds: &NodeKinds) -> Vec<validation::Diagnostic> {
    let mut found = transfer::diagnose_json(text, kinds);
    let is_misshapen = found.iter().any(|diagnostic| diagnostic.code == Code::ShapeInvalid);
    if is_misshapen && text.len() <= shape::MAX_BODY {
        every_misshape(text, &mut found);
    }
    found
}

/// What the body of a request holds, as far as a save goes by it.
fn form(text: &[u8]) -> Form {
    let text = std::str::from_utf8(text).unwrap_or_default();
    transfer::form(text).unwrap_or(Form::Plain)
}

/// Parsing stops at the first part of another form; the schemas of the document know them all.
fn every_misshape(text: &[u8], found: &mut Vec<validation::Diagnostic>) {
    let Ok(body) = serde_json::from_slice::<Value>(text) else { return };
    let all = match form(text) {
        Form::Document => shape::problems::<WorkflowDocument>(&body),
        Form::Request => shape::problems::<WorkflowCreateRequest>(&body),
        Form::Plain => shape::problems::<schema::WorkflowDefinition>(&body),
    };
    let is_nameless = body.get("name").is_none_or(Value::is_null);
    let all: Vec<ProblemItem> =
        all.into_iter().filter(|item| !(is_nameless && item.pointer == "/name")).collect();
    if all.is_empty() {
        return;
    }
    // What stopped the parsing is among them.
    let is_checked = |pointer: &str| ["/name", "/tags"].contains(&pointer);
    found.retain(|one| one.code != Code::ShapeInvalid || is_checked(&one.pointer));
    let is_cut = all.len() >= shape::MAX_PROBLEMS;
    add(all, found);
    if is_cut {
        let message =
            format!("At most {} of these are listed. Mend some, and ask again.", shape::MAX_PROBLEMS);
        found.push(validation::Diagnostic::new(Code::DiagnosticsCut, "", message));
    }
}

/// What a save would refuse a request for beside its definition.
fn refused_at_save(text: &[u8], found: &mut Vec<validation::Diagnostic>) {
    let Err(problem) = parse_now::<WorkflowCreateRequest>(text) else { return };
    let is_beside = |item: &ProblemItem| !item.pointer.starts_with("/definition");
    add(problem.into_errors().into_iter().filter(is_beside).collect(), found);
    found.sort_by_key(validation::Diagnostic::severity);
    validation::truncate(found);
}

/// Adds what is told of no place yet.
fn add(items: Vec<ProblemItem>, found: &mut Vec<validation::Diagnostic>) {
    let told: HashSet<String> = found.iter().map(|one| one.pointer.clone()).collect();
    let new = items.into_iter().filter(|item| !told.contains(&item.pointer));
    found.extend(new.map(|item| validation::Diagnostic::new(Code::ShapeInvalid, item.pointer, item.detail)));
}

//! Validation: everything that is wrong, or looks wrong, with a definition, without saving it.

use axum::Json as Answer;
use serde::Serialize;
use serde_json::Value;
use sluice_domain::validation::{self, Code};
use sluice_nodes::Builtin;
use utoipa::openapi::{OneOfBuilder, Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::workflows::WorkflowCreateRequest;
use crate::extract::{JsonText, shape};
use crate::problem::{Kind, Problem, ProblemItem};
use crate::responses::{BodyProblems, ServerProblems};
use crate::{examples, schema};

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
/// createWorkflow takes, or a definition alone. Whatever is found, the answer is 200; only a body that is no
/// JSON, or beyond the limits of every body, is refused.
#[utoipa::path(
    post, path = "/wf/validate/", tag = "workflows", operation_id = "validateWorkflow",
    request_body(content = ValidationRequest, description = "The workflow, or its definition alone.", example = json!(examples::create())),
    responses(
        (status = 200, description = "What was found.", body = Validation, example = json!(examples::validation())),
        BodyProblems, ServerProblems,
    )
)]
pub(crate) async fn workflow_validate(JsonText(text): JsonText) -> Result<Answer<Validation>, Problem> {
    // It may take a while, in which others shall not wait.
    let judged = tokio::task::spawn_blocking(move || judge(&text)).await;
    judged.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())).map(Answer)
}

fn judge(text: &[u8]) -> Result<Validation, Problem> {
    let found = diagnose(text);
    match found.first() {
        Some(first) if first.code == Code::JsonSyntax => {
            return Err(Problem::new(Kind::InvalidJson, first.message.as_str()));
        }
        Some(first) if first.code == Code::JsonTooDeep => {
            let item = ProblemItem::new("", first.code.as_str(), first.message.as_str());
            return Err(Problem::invalid(Kind::InvalidBody, vec![item]));
        }
        _ => {}
    }
    let valid = found.iter().all(|diagnostic| diagnostic.severity() != validation::Severity::Error);
    Ok(Validation { valid, diagnostics: found.into_iter().map(Diagnostic::from).collect() })
}

/// Everything that is wrong, or looks wrong, with the definition that `text` holds, by itself or in a create request:
/// what `POST /wf/validate/` tells. Pointers lead into `text`.
#[must_use]
pub fn diagnose(text: &[u8]) -> Vec<validation::Diagnostic> {
    let mut found = validation::diagnose_json(text, &Builtin::default());
    let is_misshapen = found.iter().any(|diagnostic| diagnostic.code == Code::ShapeInvalid);
    if is_misshapen && text.len() <= shape::MAX_BODY {
        every_misshape(text, &mut found);
    }
    found
}

/// Parsing stops at the first part of another form; the schema of the document knows them all.
fn every_misshape(text: &[u8], found: &mut Vec<validation::Diagnostic>) {
    let Ok(body) = serde_json::from_slice::<Value>(text) else { return };
    let (prefix, definition) = match body.get("definition") {
        Some(definition) => ("/definition", definition),
        None => ("", &body),
    };
    let all = shape::problems::<schema::WorkflowDefinition>(definition);
    if all.is_empty() {
        return;
    }
    let is_cut = all.len() >= shape::MAX_PROBLEMS;
    found.retain(|diagnostic| diagnostic.code != Code::ShapeInvalid || diagnostic.pointer == "/name");
    found.extend(all.into_iter().map(|item| {
        let pointer = format!("{prefix}{}", item.pointer);
        validation::Diagnostic::new(Code::ShapeInvalid, pointer, item.detail)
    }));
    if is_cut {
        let message =
            format!("At most {} of these are listed. Mend some, and ask again.", shape::MAX_PROBLEMS);
        found.push(validation::Diagnostic::new(Code::DiagnosticsCut, "", message));
    }
}

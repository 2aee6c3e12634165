//! Parsing and validation of import bodies. The errors of all workflows are reported together.

use std::sync::Arc;

use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;
use sluice_domain::transfer::{ImportForm, WorkflowDocument};
use sluice_domain::validation::{self, Code};
use sluice_domain::{Definition, json_limits, transfer};
use sluice_nodes::NodeKinds;
use sluice_persistence::Import;
use utoipa::openapi::schema::AnyOfBuilder;
use utoipa::openapi::{ArrayBuilder, Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::error::{Problem, ProblemItem, ProblemKind, schema_errors};
use crate::extract::json::json_problem;
use crate::routes::diagnostic::Diagnostic;
use crate::routes::workflows::request::WorkflowCreateRequest;

/// The maximum number of workflows of one import.
pub(crate) const MAX_IMPORTED_WORKFLOWS: usize = 100;

/// The workflows of a body, in its order.
pub(super) struct ParsedImport {
    pub(super) imports: Arc<[Import]>,
    /// The pointers to the workflows in the body.
    pub(super) pointers: Vec<String>,
    /// The warnings about the definitions.
    pub(super) diagnostics: Vec<Vec<Diagnostic>>,
}

impl ParsedImport {
    /// Parses a body. Workflows without a name get `name`.
    pub(super) fn parse(body: &[u8], name: Option<&str>, kinds: &NodeKinds) -> Result<Self, Problem> {
        json_limits::check_documents(body).map_err(|error| json_problem(&error))?;
        let (mut imports, mut pointers, mut diagnostics) = (Vec::new(), Vec::new(), Vec::new());
        let mut errors = Vec::new();
        for (pointer, json) in split_body(body)? {
            match parse_workflow(json.get(), kinds) {
                Ok((mut document, found)) => {
                    if document.name.is_empty() {
                        document.name = name.unwrap_or_default().to_owned();
                    }
                    imports.push(Import::from(document));
                    diagnostics
                        .push(found.into_iter().map(|one| prepend_pointer_to(one, &pointer)).collect());
                    pointers.push(pointer);
                }
                Err(items) => errors.extend(items.into_iter().map(|mut item| {
                    item.pointer.insert_str(0, &pointer);
                    item
                })),
            }
        }
        if errors.is_empty() {
            return Ok(Self { imports: imports.into(), pointers, diagnostics });
        }
        let is_of_definition = |item: &ProblemItem| {
            Code::ALL.iter().any(|code| code.as_str() == item.code && *code != Code::ShapeInvalid)
        };
        let kind = match errors.iter().any(is_of_definition) {
            true => ProblemKind::InvalidDefinition,
            false => ProblemKind::InvalidBody,
        };
        errors.truncate(validation::MAX_DIAGNOSTICS);
        Err(Problem::invalid(kind, errors))
    }
}

fn prepend_pointer_to(mut diagnostic: validation::Diagnostic, pointer: &str) -> Diagnostic {
    diagnostic.prepend_pointer(pointer);
    diagnostic.into()
}

/// Splits a body into its workflows, each with the pointer to it.
fn split_body(body: &[u8]) -> Result<Vec<(String, &RawValue)>, Problem> {
    // `IgnoredAny` counts the items without storing them.
    let split = match serde_json::from_slice::<Vec<IgnoredAny>>(body) {
        Ok(items) if items.len() > MAX_IMPORTED_WORKFLOWS => {
            let detail = format!(
                "The list has more than {MAX_IMPORTED_WORKFLOWS} items. Split it into several imports."
            );
            let item = ProblemItem::new("", "length", detail);
            return Err(Problem::invalid(ProblemKind::InvalidBody, vec![item]));
        }
        Ok(_) => serde_json::from_slice::<Vec<&RawValue>>(body)
            .map(|items| (0..).zip(items).map(|(index, item)| (format!("/{index}"), item)).collect()),
        Err(_) => serde_json::from_slice(body).map(|item| vec![(String::new(), item)]),
    };
    split.map_err(|error| json_problem(&error))
}

/// Returns a workflow and its warnings, or its errors.
fn parse_workflow(
    json: &str,
    kinds: &NodeKinds,
) -> Result<(WorkflowDocument, Vec<validation::Diagnostic>), Vec<ProblemItem>> {
    let parsed = transfer::parse_document(json).map_err(|error| vec![*error]).and_then(|document| {
        let found = document.diagnose(kinds);
        if found.iter().any(validation::Diagnostic::is_error) { Err(found) } else { Ok((document, found)) }
    });
    parsed.map_err(|found| error_items(json, found))
}

/// Converts diagnostics to problem items. Parsing stops at the first violation of the shape, and the schema finds all.
fn error_items(json: &str, found: Vec<validation::Diagnostic>) -> Vec<ProblemItem> {
    let is_shape = |one: &validation::Diagnostic| one.code == Code::ShapeInvalid;
    let has_schema_errors = found.iter().any(is_shape) && json.len() <= schema_errors::MAX_VALIDATED_BYTES;
    let body = serde_json::from_str(json).ok().filter(|_| has_schema_errors);
    let mut items = body.map(|body| schema_errors_of(transfer::detect_form(json), &body)).unwrap_or_default();
    let is_reported = |one: &validation::Diagnostic| {
        let is_inside = |item: &ProblemItem| is_shape(one) && item.pointer.starts_with(&one.pointer);
        items.iter().any(|item| item.pointer == one.pointer || is_inside(item))
    };
    let others: Vec<_> = found.into_iter().filter(|one| one.is_error() && !is_reported(one)).collect();
    items.extend(others.into_iter().map(|one| ProblemItem {
        pointer: one.pointer,
        code: one.code.as_str().to_owned(),
        detail: one.message,
        node_id: one.node_id,
    }));
    items
}

/// Returns all violations of the schema of a workflow in this form.
pub(crate) fn schema_errors_of(form: Option<ImportForm>, body: &Value) -> Vec<ProblemItem> {
    match form {
        Some(ImportForm::Document) => schema_errors::validate::<WorkflowDocument>(body),
        Some(ImportForm::Request) => schema_errors::validate::<WorkflowCreateRequest>(body),
        Some(ImportForm::Definition) | None => schema_errors::validate::<Definition>(body),
    }
}

/// A workflow to import, in any supported form, or a list of them. This type only describes the body, which is read
/// as text.
pub(crate) struct ImportRequest;

fn any_of(description: &str) -> AnyOfBuilder {
    AnyOfBuilder::new()
        .description(Some(description))
        .item(Ref::from_schema_name(WorkflowDocument::name()))
        .item(Ref::from_schema_name(WorkflowCreateRequest::name()))
        .item(Ref::from_schema_name(Definition::name()))
}

impl PartialSchema for ImportRequest {
    fn schema() -> RefOr<Schema> {
        let forms = any_of("A workflow to import, in any supported form, or a list of them.")
            .item(Ref::from_schema_name("ImportList"));
        Schema::AnyOf(forms.build()).into()
    }
}

impl ToSchema for ImportRequest {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        let item = any_of("An exported document, the body of createWorkflow, or a bare definition.");
        schemas.push(("ImportItem".to_owned(), Schema::AnyOf(item.build()).into()));
        let list = ArrayBuilder::new()
            .description(Some("Workflows to import, all or none."))
            .items(Ref::from_schema_name("ImportItem"))
            .max_items(Some(MAX_IMPORTED_WORKFLOWS));
        schemas.push(("ImportList".to_owned(), Schema::Array(list.build()).into()));
    }
}

//! `POST /wf/import/`

use std::sync::Arc;

use axum::extract::{FromRequest as _, Request, State};
use axum::{Json as JsonResponse, RequestExt as _};
use serde::Serialize;
use sluice_domain::transfer::{ImportAction, ImportMode};
use sluice_domain::versioning::DefinitionDiff;
use sluice_domain::{naming, versioning};
use sluice_persistence::{Import, ImportRejection, ImportedWorkflow};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::blocking::cpu_bound;
use crate::change::ChangeContext;
use crate::error::convert::Resource;
use crate::error::responses::{BodyProblems, DefinitionProblems, ServerProblems};
use crate::error::{Problem, ProblemItem, ProblemKind};
use crate::extract::json::JsonText;
use crate::extract::query::{FromQuery, Query, QueryReader};
use crate::openapi::examples;
use crate::routes::diagnostic::Diagnostic;
use crate::routes::workflows::import_body::{ImportRequest, ParsedImport};
use crate::state::AppState;

/// Options of an import.
#[derive(Clone, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImportQuery {
    /// Handling of existing workflows. Default: `create`.
    #[param(required = false)]
    mode: ImportMode,
    /// Name for items without one. Default: `Untitled Workflow`. With `mode=update`, a workflow with this name is
    /// updated.
    #[param(required = false, min_length = 1, max_length = 255)]
    name: Option<String>,
}

impl FromQuery for ImportQuery {
    fn from_query(reader: &mut QueryReader) -> Self {
        let mode = reader.one_of("mode", "create, update, dry_run").unwrap_or(ImportMode::Create);
        Self { mode, name: reader.text_up_to(naming::MAX_NAME_LENGTH, "name") }
    }
}

/// Result of an import.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ImportResponse {
    /// One result per workflow, in the order of the body.
    #[schema(max_items = 100)]
    results: Vec<ImportResult>,
}

/// Result of an import for one workflow.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ImportResult {
    /// Effect on the workflow.
    action: ImportAction,
    /// Id of the workflow. Null if `dry_run` would create it.
    #[schema(required = true)]
    id: Option<Uuid>,
    /// Name of the workflow.
    name: String,
    /// Number of the latest version.
    #[schema(minimum = 1)]
    version: i32,
    /// Changes to the definition. Null unless `action` is `update`.
    #[schema(required = true)]
    diff: Option<DefinitionDiff>,
    /// Warnings about the definition.
    diagnostics: Vec<Diagnostic>,
}

/// Import workflows.
///
/// Accepts a document of exportWorkflow, the body of createWorkflow, a bare definition, or a list of up to
/// 100 of these. Imports all of them or none. The response to an invalid import lists the problems of all
/// workflows. With `mode=create`, all workflows are new and get unique names. With `mode=update`, an item updates the
/// workflow with its id, or else the one with its name. If there is neither, it creates a workflow. This workflow keeps
/// the id of the document if that is a UUIDv7 with a past timestamp. New workflows get the versions and labels of their
/// document.
#[utoipa::path(
    post, path = "/wf/import/", tag = "workflows", operation_id = "importWorkflows",
    params(ImportQuery),
    request_body(content = ImportRequest, description = "The workflow, or a list of them.", example = json!(examples::document())),
    responses(
        (status = 200, description = "The result.", body = ImportResponse, example = json!(examples::import_result())),
        BodyProblems, DefinitionProblems, ServerProblems,
    )
)]
pub(crate) async fn workflow_import(
    State(state): State<AppState>,
    Query(query): Query<ImportQuery>,
    change: ChangeContext,
    JsonText(text): JsonText,
) -> Result<JsonResponse<ImportResponse>, Problem> {
    let mode = query.mode;
    let parsed = parse_body(&state, query, text).await?;
    let outcome = state.db.workflow_import(Arc::clone(&parsed.imports), mode, Some(change.origin())).await;
    let imported = match outcome.map_err(|error| Resource::Workflow.write_problem(error))? {
        Ok(imported) => imported.into_iter().map(|imported| imported.outcome).collect(),
        Err(rejections) => {
            let item = |(index, rejection): (usize, _)| rejection_item(&parsed.pointers[index], rejection);
            let items = rejections.into_iter().map(item).collect();
            return Err(Problem::invalid(ProblemKind::InvalidBody, items));
        }
    };
    Ok(JsonResponse(ImportResponse::new(imported, parsed).await))
}

/// Builds the response to a repeated import. Its body is the same, so it has the same definitions and warnings.
pub(crate) async fn respond_to_repeated_import(
    state: &AppState,
    mut request: Request,
    imported: Vec<ImportedWorkflow>,
) -> Result<ImportResponse, Problem> {
    let Query(query) = request.extract_parts_with_state::<Query<ImportQuery>, _>(state).await?;
    let JsonText(text) = JsonText::from_request(request, state).await?;
    let parsed = parse_body(state, query, text).await?;
    Ok(ImportResponse::new(imported, parsed).await)
}

async fn parse_body(state: &AppState, query: ImportQuery, text: Vec<u8>) -> Result<ParsedImport, Problem> {
    let kinds = state.settings.kinds();
    cpu_bound(move || ParsedImport::parse(&text, query.name.as_deref(), &kinds)).await
}

impl ImportResponse {
    async fn new(imported: Vec<ImportedWorkflow>, parsed: ParsedImport) -> Self {
        cpu_bound(move || {
            let diagnosed = parsed.imports.iter().zip(parsed.diagnostics);
            let result = |(imported, (import, diagnostics)): (ImportedWorkflow, (&Import, _))| {
                let ImportedWorkflow { action, id, name, version, replaced } = imported;
                let replaced = replaced.and_then(|json| serde_json::from_str(&json).ok());
                let diff = replaced.map(|replaced| versioning::diff(&replaced, import.definition(), false));
                ImportResult { action, id, name, version, diff, diagnostics }
            };
            Self { results: imported.into_iter().zip(diagnosed).map(result).collect() }
        })
        .await
    }
}

fn rejection_item(pointer: &str, rejection: ImportRejection) -> ProblemItem {
    match rejection {
        ImportRejection::NameTaken => {
            ProblemItem::new(format!("{pointer}/name"), "name_taken", rejection.to_string())
        }
        ImportRejection::Duplicate => ProblemItem::new(pointer, "duplicate", rejection.to_string()),
    }
}

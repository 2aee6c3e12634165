//! `POST /wf/import/`

use axum::extract::{FromRequest as _, Request, State};
use axum::{Json as Answer, RequestExt as _};
use serde::Serialize;
use sluice_domain::versioning::DefinitionDiff;
use sluice_domain::{Definition, naming, versioning};
use sluice_persistence::{
    ImportAction, ImportMode, ImportRefusal, ImportRefused, Imported, ImportedWorkflow,
};
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
use crate::openapi::transfer_schemas::Mode;
use crate::routes::diagnostic::Diagnostic;
use crate::routes::workflows::import_body::{self, ImportRequest, ParsedWorkflow};
use crate::state::AppState;

/// Options of an import.
#[derive(Clone, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImportQuery {
    /// Handling of existing workflows. Default: `create`.
    #[param(value_type = Mode, required = false)]
    mode: Mode,
    /// Name for a workflow that has none, such as a bare definition.
    #[param(required = false, min_length = 1, max_length = 255)]
    name: Option<String>,
}

impl FromQuery for ImportQuery {
    fn from_query(reader: &mut QueryReader) -> Self {
        let mode = reader.one_of("mode", "create, update, dry_run").unwrap_or(Mode::Create);
        Self { mode, name: reader.text_up_to(naming::MAX_NAME_LENGTH, "name") }
    }
}

/// Result of an import.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ImportAnswer {
    /// One result per workflow, in the order of the body.
    #[schema(max_items = 100)]
    results: Vec<ImportResult>,
}

/// Result of an import for one workflow.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ImportResult {
    /// Effect on the workflow.
    action: Action,
    /// Id of the workflow. Null if `dry_run` would create it.
    #[schema(required = true)]
    id: Option<Uuid>,
    /// Name of the workflow.
    name: String,
    /// Number of the latest version.
    #[schema(minimum = 1)]
    version: i32,
    /// Changes to the definition. Null unless `action` is `update`.
    #[schema(value_type = Option<DefinitionDiff>, required = true)]
    diff: Option<versioning::DefinitionDiff>,
    /// Warnings about the definition.
    diagnostics: Vec<Diagnostic>,
}

/// Effect of an import on a workflow. `create`: the workflow is new. `update`: the import changes an existing workflow.
/// `unchanged`: the existing workflow is identical.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ImportAction)]
pub(crate) enum Action {
    /// It is new.
    Create,
    /// It replaces what is there.
    Update,
    /// The same is there.
    Unchanged,
}

impl From<ImportAction> for Action {
    fn from(action: ImportAction) -> Self {
        match action {
            ImportAction::Create => Self::Create,
            ImportAction::Update => Self::Update,
            ImportAction::Unchanged => Self::Unchanged,
        }
    }
}

/// Import workflows.
///
/// Accepts a document of exportWorkflow, the body of createWorkflow, a bare definition, or a list of up to
/// 100 of these. Imports all of them or none. The response to an invalid import lists the problems of all
/// workflows. With `mode=create`, all workflows are new and get unique names. With `mode=update`, each item
/// replaces the workflow with its id, or else the workflow with its name. An item without such a workflow
/// creates a new one, which keeps the id of the document if that is a UUIDv7. New workflows get the versions
/// and labels of their document.
#[utoipa::path(
    post, path = "/wf/import/", tag = "workflows", operation_id = "importWorkflows",
    params(ImportQuery),
    request_body(content = ImportRequest, description = "The workflow, or a list of them.", example = json!(examples::document())),
    responses(
        (status = 200, description = "The result.", body = ImportAnswer, example = json!(examples::import_result())),
        BodyProblems, DefinitionProblems, ServerProblems,
    )
)]
pub(crate) async fn workflow_import(
    State(state): State<AppState>,
    Query(query): Query<ImportQuery>,
    change: ChangeContext,
    JsonText(text): JsonText,
) -> Result<Answer<ImportAnswer>, Problem> {
    let mode = match query.mode {
        Mode::Create => Some(ImportMode::Create),
        Mode::Update => Some(ImportMode::Update),
        Mode::DryRun => None,
    };
    let parsed = parse_body(&state, query, text).await?;
    let places: Vec<String> = parsed.iter().map(|one| one.place.clone()).collect();
    let (imports, diagnostics): (Vec<_>, Vec<_>) =
        parsed.into_iter().map(|parsed| (parsed.import, parsed.diagnostics)).unzip();
    let outcome = match mode {
        Some(mode) => {
            let imported = state.db.workflow_import(imports, mode, Some(change.origin())).await;
            imported.map_err(|error| Resource::Workflow.write_problem(error))?
        }
        None => state.db.workflow_import_plan(&imports, ImportMode::Update).await?,
    };
    let imported = outcome.map_err(|refused| import_problem(&refused, &places))?;
    let imported = imported.into_iter().map(ImportedDefinition::from).collect();
    Ok(Answer(ImportAnswer::build(imported, diagnostics).await))
}

/// Builds the response to a repeated import. Its body is the same, so it has the same definitions and warnings.
pub(crate) async fn respond_to_repeated_import(
    state: &AppState,
    mut request: Request,
    imported: Vec<ImportedWorkflow>,
) -> Result<ImportAnswer, Problem> {
    let Query(query) = request.extract_parts_with_state::<Query<ImportQuery>, _>(state).await?;
    let JsonText(text) = JsonText::from_request(request, state).await?;
    let parsed = parse_body(state, query, text).await?;
    let (definitions, diagnostics): (Vec<_>, Vec<_>) =
        parsed.into_iter().map(|parsed| (parsed.import.into_definition().json, parsed.diagnostics)).unzip();
    let imported = imported.into_iter().zip(definitions);
    let imported =
        imported.map(|(workflow, definition)| ImportedDefinition { workflow, definition }).collect();
    Ok(ImportAnswer::build(imported, diagnostics).await)
}

async fn parse_body(
    state: &AppState,
    query: ImportQuery,
    text: Vec<u8>,
) -> Result<Vec<ParsedWorkflow>, Problem> {
    let kinds = state.settings.kinds();
    cpu_bound(move || import_body::parse_import(&text, query.name.as_deref(), &kinds)).await
}

/// An imported workflow with its definition, as JSON.
struct ImportedDefinition {
    workflow: ImportedWorkflow,
    definition: String,
}

impl From<Imported> for ImportedDefinition {
    fn from(imported: Imported) -> Self {
        Self { workflow: ImportedWorkflow::from(&imported), definition: imported.after.definition.json }
    }
}

impl ImportAnswer {
    async fn build(imported: Vec<ImportedDefinition>, diagnostics: Vec<Vec<Diagnostic>>) -> Self {
        let build = move || imported.into_iter().zip(diagnostics).map(to_result).collect();
        Self { results: cpu_bound(build).await }
    }
}

fn to_result((imported, diagnostics): (ImportedDefinition, Vec<Diagnostic>)) -> ImportResult {
    let ImportedDefinition { workflow, definition } = imported;
    let ImportedWorkflow { action, id, name, version, replaced } = workflow;
    let diff = replaced.and_then(|replaced| definition_diff(&replaced, &definition));
    ImportResult { action: action.into(), id, name, version, diff, diagnostics }
}

/// Returns the difference between two definitions.
fn definition_diff(before: &str, after: &str) -> Option<versioning::DefinitionDiff> {
    let read = |json: &str| serde_json::from_str::<Definition>(json).ok();
    Some(versioning::diff(&read(before)?, &read(after)?, false))
}

fn import_problem(refused: &[ImportRefused], places: &[String]) -> Problem {
    let item = |ImportRefused { index, refusal }: &ImportRefused| {
        let place = places.get(*index).map_or("", String::as_str);
        match refusal {
            ImportRefusal::NameTaken => {
                let detail = "Another workflow has this name. Choose a different name, or rename the other workflow first.";
                ProblemItem::new(format!("{place}/name"), "name_taken", detail)
            }
            ImportRefusal::Twice => {
                let detail = "The import has this workflow twice, by id or name. Remove one of them.";
                ProblemItem::new(place, "duplicate", detail)
            }
        }
    };
    Problem::invalid(ProblemKind::InvalidBody, refused.iter().map(item).collect())
}

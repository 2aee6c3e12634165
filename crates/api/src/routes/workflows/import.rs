//! `POST /wf/import/`

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use serde::Serialize;
use sluice_domain::{Definition, naming, versioning};
use sluice_persistence::{ImportAction, ImportMode, ImportOutcome, ImportRefusal, ImportRefused, Imported};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::auth::caller::Caller;
use crate::blocking::cpu_bound;
use crate::change::{ChangeContext, audit, kept};
use crate::error::convert::Resource;
use crate::error::responses::{BodyProblems, DefinitionProblems, ServerProblems};
use crate::error::{Problem, ProblemItem, ProblemKind};
use crate::extract::json::JsonText;
use crate::extract::query::{FromQuery, Query, QueryReader};
use crate::openapi::transfer_schemas::Mode;
use crate::openapi::{examples, schemas};
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
    #[schema(value_type = Option<schemas::DefinitionDiff>, required = true)]
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
/// Accepts a document of exportWorkflow, the body of createWorkflow, a bare definition, or a list of up to 100 of
/// these. Imports all of them or none. `create` creates new workflows with unique names, and imports the versions and
/// labels of documents. `update` updates the workflow with the same id, or else the one with the same name, like
/// updateWorkflow. If neither exists, it creates the workflow, with the same id if that is a UUIDv7. The response to an
/// invalid import lists the problems of all workflows.
#[utoipa::path(
    post, path = "/wf/import/", tag = "workflows", operation_id = "importWorkflows",
    params(ImportQuery),
    request_body(content = ImportRequest, description = "The workflow, or a list of them.", example = json!(examples::document())),
    responses(
        (status = 200, description = "The result.", body = ImportAnswer, example = json!(examples::imported())),
        BodyProblems, DefinitionProblems, ServerProblems,
    )
)]
pub(crate) async fn workflow_import(
    State(state): State<AppState>,
    Query(query): Query<ImportQuery>,
    caller: Caller,
    change: ChangeContext,
    JsonText(text): JsonText,
) -> Result<Answer<ImportAnswer>, Problem> {
    let ImportQuery { mode, name } = query;
    let kinds = state.settings.kinds();
    let parsed = cpu_bound(move || import_body::parse_import(&text, name.as_deref(), &kinds)).await?;
    let places: Vec<String> = parsed.iter().map(|one| one.place.clone()).collect();
    let (imports, found): (Vec<_>, Vec<_>) = parsed
        .into_iter()
        .map(|ParsedWorkflow { import, diagnostics, .. }| {
            (import.by(caller.name().map(str::to_owned)), diagnostics)
        })
        .unzip();
    // What differs is found before the change is made: everybody else who writes would wait for it.
    let (imports, planned) = match mode {
        Mode::Create => (imports, None),
        Mode::Update | Mode::DryRun => {
            let planned = state.db.workflow_import_plan(&imports, ImportMode::Update).await?;
            (imports, Some(planned.map_err(|refused| import_problem(&refused, &places))?))
        }
    };
    let (planned, planned_diffs) = cpu_bound(move || {
        let planned_diffs = planned.iter().flatten().map(PlannedDiff::new).collect::<Vec<_>>();
        (planned, planned_diffs)
    })
    .await;
    let answer = Arc::new(ImportReport { found, planned_diffs });
    let keep = {
        let answer = Arc::clone(&answer);
        change.keep(audit::imported, move |done: &ImportOutcome| {
            kept(&[], &answer.response(done.as_ref().ok()?))
        })
    };
    let done = match mode {
        Mode::Create => state.db.workflow_import(imports, ImportMode::Create, keep).await,
        Mode::Update => state.db.workflow_import(imports, ImportMode::Update, keep).await,
        Mode::DryRun => Ok(Ok(planned.unwrap_or_default())),
    };
    let done = done.map_err(|error| Resource::Workflow.write_problem(error))?;
    let done = done.map_err(|refused| import_problem(&refused, &places))?;
    Ok(Answer(cpu_bound(move || answer.response(&done)).await))
}

/// Parts of the response that are known before the import commits.
struct ImportReport {
    found: Vec<Vec<Diagnostic>>,
    /// Of each workflow, unless all are new.
    planned_diffs: Vec<PlannedDiff>,
}

/// Difference that an update makes, unless the workflow is saved in between.
struct PlannedDiff {
    /// The definition that is replaced.
    before: Option<String>,
    diff: Option<versioning::DefinitionDiff>,
}

impl PlannedDiff {
    fn new(planned: &Imported) -> Self {
        let before = planned.before.as_ref().map(|before| before.definition.clone());
        Self { before, diff: definition_diff(planned) }
    }
}

impl ImportReport {
    fn response(&self, done: &[Imported]) -> ImportAnswer {
        let mut planned_diffs = self.planned_diffs.iter();
        let result = |(one, diagnostics): (&Imported, &Vec<Diagnostic>)| {
            let before = one.before.as_ref().map(|before| &before.definition);
            let diff = match planned_diffs.next() {
                Some(planned_diffs) if planned_diffs.before.as_ref() == before => planned_diffs.diff.clone(),
                _ => definition_diff(one),
            };
            let Imported { action, id, name, version, .. } = one;
            let (action, name, diagnostics) = ((*action).into(), name.clone(), diagnostics.clone());
            ImportResult { action, id: *id, name, version: *version, diff, diagnostics }
        };
        ImportAnswer { results: done.iter().zip(&self.found).map(result).collect() }
    }
}

/// Returns the difference between the definitions before and after an update.
fn definition_diff(imported: &Imported) -> Option<versioning::DefinitionDiff> {
    let before = imported.before.as_ref().filter(|_| imported.action == ImportAction::Update)?;
    let read = |json: &str| serde_json::from_str::<Definition>(json).ok();
    Some(versioning::diff(&read(&before.definition)?, &read(&imported.after.definition.json)?, false))
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

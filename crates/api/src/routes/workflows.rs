//! Workflows: create, read, replace, copy and delete them.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sluice_domain::graph::{self, Definition, SpurType};
use sluice_domain::{naming, validation, versioning};
use sluice_engine::{EngineError, RunStore};
use sluice_nodes::Builtin;
use sluice_persistence::{Accepted, NewWorkflow, WorkflowRow, WriteError};
use utoipa::ToSchema;
use uuid::Uuid;
use validator::Validate;

use super::{PageQuery, readable, stored_json};
use crate::extract::{Json, LARGE, Query, WorkflowId, no_control_characters};
use crate::problem::{Kind, Problem, ProblemItem};
use crate::refusal::Resource;
use crate::responses::{
    BodyProblems, DefinitionProblems, QueryProblems, ReplaceProblems, ServerProblems, WorkflowMissing,
};
use crate::time::Timestamp;
use crate::{AppState, examples, files, schema};

/// A workflow to be saved.
#[derive(Debug, Deserialize, ToSchema, Validate)]
pub(crate) struct WorkflowCreateRequest {
    /// What people call it. Empty: `Untitled Workflow`.
    #[schema(max_length = 255, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    #[validate(length(max = 255), custom(function = no_control_characters))]
    name: String,
    /// What it is for.
    #[serde(default)]
    #[schema(required = false, nullable = true, default = "", max_length = 65_536)]
    #[validate(length(max = 65_536))]
    description: Option<String>,
    /// What it does. None, or one without nodes: the default definition of its `spur_type`.
    #[serde(default)]
    #[schema(value_type = Option<schema::WorkflowDefinition>, required = false, nullable = true)]
    definition: Option<Definition>,
}

/// A workflow.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Workflow {
    /// Its id.
    id: Uuid,
    /// What people call it; no other workflow has this name.
    name: String,
    /// What it is for.
    #[schema(required = true)]
    description: Option<String>,
    /// What it does.
    #[schema(value_type = schema::WorkflowDefinition)]
    definition: Box<RawValue>,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was saved last.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// A variable that a workflow gives at one of its ends.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OutputVariable {
    /// The leaf node that gives it.
    node_id: String,
    /// Its name in that node's output.
    variable_name: String,
    /// `{node_id}-{variable_name}`.
    prefixed_variable: String,
}

impl TryFrom<WorkflowRow> for Workflow {
    type Error = Problem;

    fn try_from(row: WorkflowRow) -> Result<Self, Problem> {
        let WorkflowRow { id, name, description, definition, created_at, updated_at } = row;
        let definition = stored_json(definition, "workflows", id)?;
        let (created_at, updated_at) = (Timestamp(created_at), Timestamp(updated_at));
        Ok(Self { id, name, description, definition, created_at, updated_at })
    }
}

impl WorkflowCreateRequest {
    /// The workflow to be saved, every problem of its definition found first.
    async fn accept(self) -> Result<NewWorkflow, Problem> {
        let Self { name, description, definition } = self;
        let name = if name.trim().is_empty() { naming::UNTITLED.to_owned() } else { name };
        let definition = checked(definition.unwrap_or_default()).await?;
        Ok(NewWorkflow { name, description: Some(description.unwrap_or_default()), definition })
    }
}

/// The definition in its stored form.
async fn checked(mut definition: Definition) -> Result<Accepted, Problem> {
    definition.normalise();
    let definition = definition.or_default();
    let json = definition.to_json();
    if json.len() < LARGE {
        return check(&definition, json);
    }
    // It takes a while, in which others shall not wait.
    let checked = tokio::task::spawn_blocking(move || check(&definition, json)).await;
    checked.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

fn check(definition: &Definition, json: String) -> Result<Accepted, Problem> {
    let found = validation::validate(definition, &Builtin::default());
    if !found.is_empty() {
        return Err(Problem::invalid(Kind::InvalidDefinition, found.into_iter().map(item).collect()));
    }
    Ok(Accepted { json, hash: versioning::definition_hash(definition) })
}

fn item(diagnostic: validation::Diagnostic) -> ProblemItem {
    let validation::Diagnostic { code, pointer, node_id, message, .. } = diagnostic;
    ProblemItem {
        pointer: format!("/definition{pointer}"),
        code: code.as_str().to_owned(),
        detail: message,
        node_id,
    }
}

/// Create a workflow.
///
/// A taken name gets a suffix that makes it unique. Without a definition, or with one without nodes, the
/// workflow starts from the default definition of its `spur_type`. Nothing is saved unless the whole
/// definition is valid; what is merely unfinished is.
#[utoipa::path(
    post, path = "/wf/", tag = "workflows", operation_id = "createWorkflow",
    request_body(content = WorkflowCreateRequest, description = "The workflow.", example = json!(examples::create())),
    responses(
        (status = 200, description = "The workflow as it was saved.", body = Workflow, example = json!(examples::workflow())),
        BodyProblems, DefinitionProblems, ServerProblems,
    )
)]
pub(crate) async fn workflow_create(
    State(state): State<AppState>,
    Json(request): Json<WorkflowCreateRequest>,
) -> Result<Answer<Workflow>, Problem> {
    let row = state.db.workflow_create(request.accept().await?).await?;
    row.try_into().map(Answer)
}

/// List workflows.
///
/// The newest first.
#[utoipa::path(
    get, path = "/wf/", tag = "workflows", operation_id = "listWorkflows",
    params(PageQuery),
    responses(
        (status = 200, description = "The workflows of the page.", body = Vec<Workflow>, example = json!([examples::workflow()])),
        QueryProblems, ServerProblems,
    )
)]
pub(crate) async fn workflow_list(
    State(state): State<AppState>,
    Query(page): Query<PageQuery>,
) -> Result<Answer<Vec<Workflow>>, Problem> {
    let rows = state.db.workflows(page.into()).await?;
    readable(rows.into_iter().map(Workflow::try_from)).map(Answer)
}

/// Get a workflow.
///
/// Its definition comes back as it was saved.
#[utoipa::path(
    get, path = "/wf/{workflow_id}/", tag = "workflows", operation_id = "getWorkflow",
    params(("workflow_id" = String, Path, description = "The id of the workflow.", example = json!(examples::WORKFLOW_ID))),
    responses(
        (status = 200, description = "The workflow.", body = Workflow, example = json!(examples::workflow())),
        WorkflowMissing, ServerProblems,
    )
)]
pub(crate) async fn workflow_get(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
) -> Result<Answer<Workflow>, Problem> {
    let row = state.db.workflow(id).await?.ok_or_else(|| Resource::Workflow.missing())?;
    row.try_into().map(Answer)
}

/// Replace a workflow.
///
/// Replaces name, description and definition. A change of what executes makes a new version; a change of
/// the layout alone does not. Runs that have begun keep the version that they began with.
#[utoipa::path(
    put, path = "/wf/{workflow_id}/", tag = "workflows", operation_id = "updateWorkflow",
    params(("workflow_id" = String, Path, description = "The id of the workflow.", example = json!(examples::WORKFLOW_ID))),
    request_body(content = WorkflowCreateRequest, description = "The workflow, whole.", example = json!(examples::create())),
    responses(
        (status = 200, description = "The workflow as it was saved.", body = Workflow, example = json!(examples::workflow())),
        WorkflowMissing, BodyProblems, DefinitionProblems, ReplaceProblems, ServerProblems,
    )
)]
pub(crate) async fn workflow_update(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    request: Result<Json<WorkflowCreateRequest>, Problem>,
) -> Result<Answer<Workflow>, Problem> {
    let replaced = match request {
        Ok(Json(request)) if request.definition.is_none() => Err(definition_missing()),
        Ok(Json(request)) => request.accept().await,
        Err(problem) => Err(problem),
    };
    let replaced = found_first(&state, id, replaced).await?;
    let row = state.db.workflow_update(id, replaced).await;
    row.map_err(|error| Resource::Workflow.write(error))?.try_into().map(Answer)
}

fn definition_missing() -> Problem {
    let detail =
        "A workflow is replaced whole. Send its definition too, or use PUT /wf/{workflow_id}/reset/.";
    Problem::new(Kind::DefinitionMissing, detail)
}

/// `result`, unless it is a problem and the workflow doesn't even exist. Asks the store for problems only.
pub(crate) async fn found_first<T>(
    state: &AppState,
    id: Uuid,
    result: Result<T, Problem>,
) -> Result<T, Problem> {
    match result {
        Err(_) if state.db.latest_version_id(id).await?.is_none() => Err(Resource::Workflow.missing()),
        result => result,
    }
}

/// Reset a workflow.
///
/// Puts the default definition of its `spur_type` back. Its id, name, versions and runs stay.
#[utoipa::path(
    put, path = "/wf/{workflow_id}/reset/", tag = "workflows", operation_id = "resetWorkflow",
    params(("workflow_id" = String, Path, description = "The id of the workflow.", example = json!(examples::WORKFLOW_ID))),
    responses(
        (status = 200, description = "The workflow with the default definition.", body = Workflow, example = json!(examples::workflow())),
        WorkflowMissing, ServerProblems,
    )
)]
pub(crate) async fn workflow_reset(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
) -> Result<Answer<Workflow>, Problem> {
    let row = state.db.workflow(id).await?.ok_or_else(|| Resource::Workflow.missing())?;
    let default = checked(Definition::default_for(spur_type(&row.definition))).await?;
    let row = state.db.workflow_reset(id, default).await;
    row.map_err(|error| Resource::Workflow.write(error))?.try_into().map(Answer)
}

/// The type of a stored definition; of one that can't be read, the plain one, so that a reset repairs it.
fn spur_type(definition: &str) -> SpurType {
    #[derive(Deserialize)]
    struct Typed {
        #[serde(default)]
        spur_type: SpurType,
    }
    serde_json::from_str::<Typed>(definition).map(|typed| typed.spur_type).unwrap_or_default()
}

/// Delete a workflow.
///
/// With its versions, runs, pauses and files: all or nothing. Runs that have not ended are canceled first.
#[utoipa::path(
    delete, path = "/wf/{workflow_id}/", tag = "workflows", operation_id = "deleteWorkflow",
    params(("workflow_id" = String, Path, description = "The id of the workflow.", example = json!(examples::WORKFLOW_ID))),
    responses(
        (status = 204, description = "The workflow is gone."),
        WorkflowMissing, ServerProblems,
    )
)]
pub(crate) async fn workflow_delete(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
) -> Result<StatusCode, Problem> {
    for run in state.db.unfinished_runs(id).await? {
        match state.engine.run_cancel(run).await {
            // A run that ended or vanished meanwhile needs no canceling.
            Ok(_) | Err(EngineError::NotFound | EngineError::Refused(_)) => {}
            Err(error) => return Err(Resource::Run.engine(error)),
        }
    }
    files::mark_deleted(&state.settings.data_dir, id).await?;
    let deleted = state.db.workflow_delete(id).await;
    if matches!(deleted, Ok(()) | Err(WriteError::NotFound)) {
        files::remove_folders(&state.settings.data_dir, id).await;
    }
    deleted.map_err(|error| Resource::Workflow.write(error))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Copy a workflow.
///
/// The copy is named `{name} (Copy)`, made unique; it has the description and the definition, but no runs
/// and no files.
#[utoipa::path(
    post, path = "/wf/{workflow_id}/duplicate/", tag = "workflows", operation_id = "duplicateWorkflow",
    params(("workflow_id" = String, Path, description = "The id of the workflow.", example = json!(examples::WORKFLOW_ID))),
    responses(
        (status = 200, description = "The copy.", body = Workflow, example = json!(examples::workflow())),
        WorkflowMissing, ServerProblems,
    )
)]
pub(crate) async fn workflow_duplicate(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
) -> Result<Answer<Workflow>, Problem> {
    let row = state.db.workflow_duplicate(id).await;
    row.map_err(|error| Resource::Workflow.write(error))?.try_into().map(Answer)
}

/// List output variables.
///
/// One row for each variable in the `config.output_schema` of a leaf node (one without an outgoing link),
/// in node order.
#[utoipa::path(
    get, path = "/wf/{workflow_id}/output_variables/", tag = "workflows", operation_id = "listOutputVariables",
    params(("workflow_id" = String, Path, description = "The id of the workflow.", example = json!(examples::WORKFLOW_ID))),
    responses(
        (status = 200, description = "The variables.", body = Vec<OutputVariable>, example = json!(examples::output_variables())),
        WorkflowMissing, ServerProblems,
    )
)]
pub(crate) async fn output_variable_list(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
) -> Result<Answer<Vec<OutputVariable>>, Problem> {
    let row = state.db.workflow(id).await?.ok_or_else(|| Resource::Workflow.missing())?;
    let definition: Definition = serde_json::from_str(&row.definition).map_err(Problem::internal)?;
    let rows = graph::output_variables(&definition).into_iter();
    Ok(Answer(rows.map(OutputVariable::from).collect()))
}

impl From<graph::OutputVariable> for OutputVariable {
    fn from(variable: graph::OutputVariable) -> Self {
        let graph::OutputVariable { node_id, variable_name, prefixed_variable } = variable;
        Self { node_id, variable_name, prefixed_variable }
    }
}

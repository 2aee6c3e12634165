//! `GET /wf/paused_workflows/`

use axum::Json as JsonResponse;
use axum::extract::{RawQuery, State};
use serde::Serialize;
use serde_json::value::RawValue;
use sluice_domain::{Link, Node, SpurType};
use sluice_persistence::{RunDetail, RunFilter, RunOrder};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::Problem;
use crate::error::convert::Resource;
use crate::error::responses::ServerProblems;
use crate::extract::pagination::{ListQuery, ListResponse};
use crate::extract::query::Query;
use crate::openapi::examples;
use crate::openapi::value_types::Fields;
use crate::routes::pauses::PauseHistory;
use crate::routes::runs::list::{RunFilterQuery, WorkflowSearchQuery, count_if_requested};
use crate::routes::runs::view::{Run, run_view};
use crate::routes::stored_rows::{skip_unreadable, stored_json};
use crate::state::AppState;

/// A paused run.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PausedWorkflow {
    /// The run.
    run: Run,
    /// The open pause. If several are open, the newest. Without `node_id`, processPauseAction decides the
    /// oldest.
    current_pause: PauseHistory,
    /// The definition that the run executes, with the id and name of the workflow.
    #[schema(value_type = PinnedDefinition)]
    workflow: Box<RawValue>,
}

/// A definition with the id and name of its workflow.
// The response is the stored text of the definition with two more fields. A derived schema with a flattened
// `Definition` would be an anonymous intersection, which client generators do not support.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "declares the response, which is written as text")]
struct PinnedDefinition {
    /// Id of the workflow.
    id: Uuid,
    /// Name of the workflow.
    name: String,
    /// As in WorkflowDefinition.
    nodes: Vec<Node>,
    /// As in WorkflowDefinition.
    links: Vec<Link>,
    /// As in WorkflowDefinition.
    test_inputs: Vec<Fields>,
    /// As in WorkflowDefinition.
    spur_type: SpurType,
}

/// List paused runs.
///
/// Runs with an open pause, sorted by start time of the run. Includes runs with the status `RUNNING`, in which other
/// nodes can still run.
#[utoipa::path(
    get, path = "/wf/paused_workflows/", tag = "pauses", operation_id = "listPausedWorkflows",
    params(ListQuery<RunOrder>, RunFilterQuery, WorkflowSearchQuery),
    responses(
        (status = 200, description = "The paused runs of the page.", body = Vec<PausedWorkflow>,
            example = json!([examples::paused_workflow()])),
        ServerProblems,
    )
)]
pub(crate) async fn paused_workflow_list(
    State(state): State<AppState>,
    Query((list, (query, search))): Query<(ListQuery<RunOrder>, (RunFilterQuery, WorkflowSearchQuery))>,
    sent: RawQuery,
) -> Result<ListResponse<PausedWorkflow>, Problem> {
    let filter = RunFilter { has_open_pause: Some(true), ..search.apply_to(query.into()) };
    let total = count_if_requested(&state, &list, &filter).await?;
    let page = state.db.run_list(filter, list.page_request()).await?;
    let mut paused = Vec::new();
    for detail in page.rows {
        paused.push(paused_workflow(&state, detail).await.transpose());
    }
    let headers = list.response_headers(&sent, page.next, total);
    Ok((headers, JsonResponse(skip_unreadable(paused.into_iter().flatten())?)))
}

/// Returns the run with its open pause, or `None` if its log has no open pause.
async fn paused_workflow(state: &AppState, detail: RunDetail) -> Result<Option<PausedWorkflow>, Problem> {
    let RunDetail { record, log, version } = detail;
    let id = record.id;
    let snapshot =
        state.engine.snapshot(record, &log).await.map_err(|error| Resource::Run.engine_problem(error))?;
    let pauses = PauseHistory::of_run(id, &snapshot.state).into_iter();
    let Some(current_pause) = pauses.filter(|(_, open)| *open).map(|(pause, _)| pause).next() else {
        return Ok(None);
    };
    // The workflow may have been renamed or deleted meanwhile.
    let Some(workflow) = state.db.workflow_get(version.workflow_id).await? else { return Ok(None) };
    let workflow = named_definition(&version, &workflow.name)?;
    Ok(Some(PausedWorkflow { run: run_view(&snapshot, Some(version))?, current_pause, workflow }))
}

/// Returns the definition of a version, with the id and the name of the workflow before its fields.
fn named_definition(version: &sluice_persistence::VersionRow, name: &str) -> Result<Box<RawValue>, Problem> {
    let name = serde_json::to_string(name).map_err(Problem::internal)?;
    let fields = version.definition.trim_start().strip_prefix('{').unwrap_or_default().trim_start();
    let comma = if fields.starts_with('}') { "" } else { "," };
    let text = format!(r#"{{"id":"{}","name":{name}{comma}{fields}"#, version.workflow_id);
    stored_json(text, "workflow_versions", version.id)
}

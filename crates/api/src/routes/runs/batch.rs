//! `POST /wf/{workflow_id}/start_batch_run/`

use axum::Json as JsonResponse;
use axum::extract::{FromRequest as _, Request, State};
use serde::Deserialize;
use serde_json::{Map, Value};
use sluice_domain::Definition;
use sluice_domain::graph::node_type;
use sluice_engine::{StartBatch, StoreError};
use sluice_persistence::VersionRow;
use utoipa::ToSchema;
use uuid::Uuid;
use validator::Validate;

use crate::blocking::cpu_bound;
use crate::change::ChangeContext;
use crate::error::convert::Resource;
use crate::error::responses::{BatchProblems, ServerProblems, StartedRunMissing, VersionMissing};
use crate::error::{Problem, ProblemItem, ProblemKind};
use crate::extract::json::Json;
use crate::extract::multipart::{FileForm, is_form};
use crate::extract::path::WorkflowId;
use crate::extract::pin::PinQuery;
use crate::extract::query::Query;
use crate::openapi::examples;
use crate::openapi::value_types::Fields;
use crate::routes::runs::view::{Run, run_view};
use crate::routes::versions::pinned_version;
use crate::state::AppState;
use crate::tabular;
use crate::tabular::Table;

/// Default number of rows that run at the same time.
pub(crate) const DEFAULT_MINI_BATCH_SIZE: u32 = 10;

/// Maximum number of rows that run at the same time.
pub(crate) const MAX_MINI_BATCH_SIZE: u32 = 1_000;

/// The rows of a batch: either `rows` or a dataset.
#[derive(Debug, Deserialize, ToSchema, Validate)]
pub(crate) struct BatchRunRequest {
    /// The rows. Each row is either {field: value} or {input node id: {field: value}}, for the first input
    /// node.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Fields>>, required = false, nullable = true)]
    rows: Option<Vec<Map<String, Value>>>,
    /// Id of the dataset with the rows.
    #[serde(default)]
    #[schema(required = false, nullable = true, format = Uuid)]
    dataset_id: Option<String>,
    /// Maximum number of rows that run at the same time.
    #[serde(default)]
    #[schema(required = false, nullable = true, minimum = 1, maximum = 1000, default = 10)]
    #[validate(range(min = 1, max = MAX_MINI_BATCH_SIZE))]
    mini_batch_size: Option<u32>,
}

/// A file with the rows of a batch.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "declares a form that is read field by field")]
pub(crate) struct BatchRunForm {
    /// A CSV file (`.csv`, the first line has the field names), JSON Lines (`.jsonl`) or a JSON array (`.json`).
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// Maximum number of rows that run at the same time.
    #[schema(required = false, minimum = 1, maximum = 1000, default = 10)]
    mini_batch_size: u32,
}

/// The rows of a batch and their origin.
struct BatchSource {
    table: Table,
    mini_batch_size: u32,
    dataset_id: Option<Uuid>,
}

/// Start a batch.
///
/// Starts one run per row, at most `mini_batch_size` at the same time. Immediately returns a run that represents the
/// batch, in addition to the runs of the rows. `batch` in this run has the progress. Pass its `output_file_id` to
/// downloadOutputFile to get the outputs of the rows. A failed row does not affect other rows.
#[utoipa::path(
    post, path = "/wf/{workflow_id}/start_batch_run/", tag = "batches", operation_id = "startBatchRun",
    params(
        WorkflowId,
        PinQuery,
    ),
    request_body(description = "The rows or their dataset.", content(
        (BatchRunRequest = "application/json", example = json!(examples::batch())),
        (BatchRunForm = "multipart/form-data", example = json!(examples::batch_form())),
    )),
    responses(
        (status = 200, description = "The run of the batch, pending.", body = Run, example = json!(examples::batch_run())),
        VersionMissing, StartedRunMissing, BatchProblems, ServerProblems,
    )
)]
pub(crate) async fn batch_start(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    Query(pin): Query<PinQuery>,
    change: ChangeContext,
    request: Request,
) -> Result<JsonResponse<Run>, Problem> {
    let version = pinned_version(&state, id, &pin.or_latest()).await?;
    let version_id = version.id;
    let BatchSource { table, mini_batch_size, dataset_id } = read_source(&state, request).await?;
    let rows = tokio::task::block_in_place(|| row_inputs(&version, table))?;
    let total = rows.len() as u64;
    let origin = Some(change.origin());
    let start = StartBatch { workflow_id: id, version_id, rows, mini_batch_size, dataset_id, origin };
    let snapshot =
        state.engine.batch_start(start).await.map_err(|error| Resource::Workflow.engine_problem(error))?;
    Ok(JsonResponse(run_view(&snapshot, Some(version))?.with_batch_progress(total, Default::default())))
}

async fn read_source(state: &AppState, request: Request) -> Result<BatchSource, Problem> {
    if is_form(&request) {
        return form_source(state, FileForm::read(request, state).await?).await;
    }
    let Json(body) = Json::<BatchRunRequest>::from_request(request, state).await?;
    let BatchRunRequest { rows, dataset_id, mini_batch_size } = body;
    let mini_batch_size = mini_batch_size.unwrap_or(DEFAULT_MINI_BATCH_SIZE);
    let (table, dataset_id) = match (rows, dataset_id) {
        (Some(rows), None) => (Table { rows, is_text: false }, None),
        (None, Some(id)) => dataset_table(state, &id).await.map(|(table, id)| (table, Some(id)))?,
        _ => {
            let detail = "Send either rows or dataset_id.";
            return Err(invalid_body("", "rows", detail));
        }
    };
    if table.rows.is_empty() {
        return Err(invalid_body("/rows", "empty", "The batch has no rows. Send at least one."));
    }
    if table.rows.len() > state.settings.max_batch_rows {
        return Err(tabular::too_many_rows(state.settings.max_batch_rows));
    }
    Ok(BatchSource { table, mini_batch_size, dataset_id })
}

fn invalid_body(pointer: &str, code: &str, detail: &str) -> Problem {
    Problem::invalid(ProblemKind::InvalidBody, vec![ProblemItem::new(pointer, code, detail)])
}

async fn form_source(state: &AppState, mut form: FileForm) -> Result<BatchSource, Problem> {
    let mini_batch_size = match form.texts.get("mini_batch_size").map(|text| text.trim().parse::<u32>()) {
        None => DEFAULT_MINI_BATCH_SIZE,
        Some(Ok(size)) if (1..=MAX_MINI_BATCH_SIZE).contains(&size) => size,
        Some(_) => {
            let detail = format!("mini_batch_size must be an integer between 1 and {}.", MAX_MINI_BATCH_SIZE);
            return Err(invalid_body("/mini_batch_size", "range", &detail));
        }
    };
    let (filename, bytes) = form.file()?;
    let max = state.settings.max_batch_rows;
    let table = cpu_bound(move || Table::read(&filename, &bytes, max)).await?;
    Ok(BatchSource { table, mini_batch_size, dataset_id: None })
}

async fn dataset_table(state: &AppState, id: &str) -> Result<(Table, Uuid), Problem> {
    let id = crate::extract::path::parse_id(id).ok_or_else(|| Resource::Dataset.not_found())?;
    let dataset = state.db.dataset_get(id).await?.ok_or_else(|| Resource::Dataset.not_found())?;
    let rows = state.db.dataset_rows(id).await?;
    let unreadable = |error: serde_json::Error| StoreError::Unreadable {
        table: "dataset_rows",
        id: id.to_string(),
        what: error.to_string(),
    };
    let rows =
        rows.iter().map(|row| serde_json::from_str(row)).collect::<Result<_, _>>().map_err(unreadable)?;
    Ok((Table { rows, is_text: dataset.is_text }, id))
}

/// Returns {input node id: {field: value}} of every row as JSON.
fn row_inputs(version: &VersionRow, table: Table) -> Result<Vec<String>, Problem> {
    let definition: Definition = serde_json::from_str(&version.definition).map_err(Problem::internal)?;
    let is_input =
        |node: &&sluice_domain::Node| node.node_type == node_type::INPUT && node.parent_id.is_none();
    let Some(input) = definition.nodes.iter().find(is_input) else {
        return Err(Problem::new(
            ProblemKind::InvalidBody,
            "The workflow has no input node, so it can't run rows.",
        ));
    };
    let schema = match input.config.to_map().remove("output_schema") {
        Some(Value::Object(schema)) => schema,
        _ => Map::new(),
    };
    let rows = table.rows.into_iter().map(|row| {
        let inputs = match row.get(&input.id) {
            Some(Value::Object(_)) if row.len() == 1 => row,
            _ => {
                let fields = if table.is_text { sluice_nodes::parse_row(&schema, row) } else { row };
                Map::from_iter([(input.id.clone(), Value::Object(fields))])
            }
        };
        Value::Object(inputs).to_string()
    });
    Ok(rows.collect())
}

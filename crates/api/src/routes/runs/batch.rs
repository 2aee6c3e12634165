//! Starting batches: one run a row.

use axum::Json as Answer;
use axum::extract::{FromRequest as _, Request, State};
use serde::Deserialize;
use serde_json::{Map, Value};
use sluice_domain::Definition;
use sluice_domain::graph::node_type;
use sluice_engine::{Snapshot, StartBatch, StoreError};
use sluice_persistence::VersionRow;
use utoipa::ToSchema;
use uuid::Uuid;
use validator::Validate;

use super::view::{Run, run_view};
use crate::aside::aside;
use crate::extract::{Json, Query, WorkflowId};
use crate::form::{FileForm, is_form};
use crate::once::{Once, kept};
use crate::problem::{Kind, Problem, ProblemItem};
use crate::refusal::Resource;
use crate::responses::{BatchProblems, ServerProblems, VersionMissing};
use crate::routes::PinQuery;
use crate::routes::versions::pinned;
use crate::table::{self, Table};
use crate::values::Fields;
use crate::{AppState, examples};

/// How many rows go on at the same time where nothing is said, and at most.
const MINI_BATCH: (u32, u32) = (10, 1_000);

/// The rows of a batch: `rows`, or those of a dataset.
#[derive(Debug, Deserialize, ToSchema, Validate)]
pub(crate) struct BatchRunRequest {
    /// The rows: each the fields of the workflow's input node, or {input node id: {field: value}}.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Fields>>, required = false, nullable = true)]
    rows: Option<Vec<Map<String, Value>>>,
    /// The dataset whose rows are taken.
    #[serde(default)]
    #[schema(required = false, nullable = true, format = Uuid)]
    dataset_id: Option<String>,
    /// How many rows go on at the same time.
    #[serde(default)]
    #[schema(required = false, nullable = true, minimum = 1, maximum = 1000, default = 10)]
    #[validate(range(min = 1, max = 1_000))]
    mini_batch_size: Option<u32>,
}

/// The rows of a batch in a file.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the shape of a form that is read field by field")]
pub(crate) struct BatchRunForm {
    /// CSV (`.csv`, the first line names the fields), JSON Lines (`.jsonl`) or a JSON list (`.json`).
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// How many rows go on at the same time.
    #[schema(required = false, minimum = 1, maximum = 1000, default = 10)]
    mini_batch_size: u32,
}

/// Where the rows come from.
struct Source {
    table: Table,
    mini_batch_size: u32,
    dataset_id: Option<Uuid>,
}

/// Start a batch.
///
/// One run for each row, `mini_batch_size` of them at the same time. Answers at once with a run that stands
/// for the batch: `batch` says how far its rows are, and what they gave is in the file `output_file_id`. A row
/// that fails fails alone.
#[utoipa::path(
    post, path = "/wf/{workflow_id}/start_batch_run/", tag = "batches", operation_id = "startBatchRun",
    params(
        WorkflowId,
        PinQuery,
    ),
    request_body(description = "The rows, or where to take them from.", content(
        (BatchRunRequest = "application/json", example = json!(examples::batch())),
        (BatchRunForm = "multipart/form-data", example = json!(examples::batch_form())),
    )),
    responses(
        (status = 200, description = "The run that stands for the batch, about to begin.", body = Run, example = json!(examples::batch_run())),
        VersionMissing, BatchProblems, ServerProblems,
    )
)]
pub(crate) async fn batch_start(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    Query(pin): Query<PinQuery>,
    once: Once,
    request: Request,
) -> Result<Answer<Run>, Problem> {
    let version = pinned(&state, id, &pin.or_latest()).await?;
    let version_id = version.id;
    let Source { table, mini_batch_size, dataset_id } = source(&state, request).await?;
    let rows = tokio::task::block_in_place(|| inputs_of(&version, table))?;
    let total = rows.len() as u64;
    let remember = {
        let version = version.clone();
        once.keep_start(move |batch: &Snapshot| {
            let run = run_view(batch, Some(version.clone())).ok()?;
            kept(&[], &run.with_rows(total, Default::default()))
        })
    };
    let start = StartBatch { workflow_id: id, version_id, rows, mini_batch_size, dataset_id, remember };
    let snapshot = state.engine.batch_start(start).await.map_err(|error| Resource::Workflow.engine(error))?;
    Ok(Answer(run_view(&snapshot, Some(version))?.with_rows(total, Default::default())))
}

async fn source(state: &AppState, request: Request) -> Result<Source, Problem> {
    if is_form(&request) {
        return uploaded(state, FileForm::read(request, state).await?).await;
    }
    let Json(body) = Json::<BatchRunRequest>::from_request(request, state).await?;
    let BatchRunRequest { rows, dataset_id, mini_batch_size } = body;
    let mini_batch_size = mini_batch_size.unwrap_or(MINI_BATCH.0);
    let (table, dataset_id) = match (rows, dataset_id) {
        (Some(rows), None) => (Table { rows, is_text: false }, None),
        (None, Some(id)) => dataset(state, &id).await.map(|(table, id)| (table, Some(id)))?,
        _ => {
            let detail = "Send either rows or dataset_id: a batch takes its rows from one of them.";
            return Err(invalid("", "rows", detail));
        }
    };
    if table.rows.is_empty() {
        return Err(invalid("/rows", "empty", "There are no rows. Send at least one."));
    }
    if table.rows.len() > state.settings.max_batch_rows {
        return Err(table::too_many(state.settings.max_batch_rows));
    }
    Ok(Source { table, mini_batch_size, dataset_id })
}

fn invalid(pointer: &str, code: &str, detail: &str) -> Problem {
    Problem::invalid(Kind::InvalidBody, vec![ProblemItem::new(pointer, code, detail)])
}

async fn uploaded(state: &AppState, mut form: FileForm) -> Result<Source, Problem> {
    let mini_batch_size = match form.texts.get("mini_batch_size").map(|text| text.trim().parse::<u32>()) {
        None => MINI_BATCH.0,
        Some(Ok(size)) if (1..=MINI_BATCH.1).contains(&size) => size,
        Some(_) => {
            let detail = format!("mini_batch_size must be a whole number from 1 to {}.", MINI_BATCH.1);
            return Err(invalid("/mini_batch_size", "range", &detail));
        }
    };
    let (filename, bytes) = form.file()?;
    let max = state.settings.max_batch_rows;
    let table = aside(move || Table::read(&filename, &bytes, max)).await?;
    Ok(Source { table, mini_batch_size, dataset_id: None })
}

async fn dataset(state: &AppState, id: &str) -> Result<(Table, Uuid), Problem> {
    let id = crate::extract::parse_id(id).ok_or_else(|| Resource::Dataset.missing())?;
    let dataset = state.db.dataset(id).await?.ok_or_else(|| Resource::Dataset.missing())?;
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

/// {input node id: {field: value}} of every row, as JSON.
fn inputs_of(version: &VersionRow, table: Table) -> Result<Vec<String>, Problem> {
    let definition: Definition = serde_json::from_str(&version.definition).map_err(Problem::internal)?;
    let is_input =
        |node: &&sluice_domain::Node| node.node_type == node_type::INPUT && node.parent_id.is_none();
    let Some(input) = definition.nodes.iter().find(is_input) else {
        return Err(Problem::new(
            Kind::InvalidBody,
            "The workflow has no input node that rows could be given to.",
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

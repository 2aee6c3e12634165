//! Outputs of batches as files.

use axum::Json as JsonResponse;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Serialize;
use serde_json::{Value, json};
use sluice_domain::run::RunState;
use sluice_engine::{RunRecord, RunStore as _};
use sluice_persistence::{PageNumber, RunDetail, RunFilter};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::Problem;
use crate::error::convert::Resource;
use crate::error::responses::{OutputFileMissing, ServerProblems};
use crate::extract::page::PageQuery;
use crate::extract::path::OutputFileId;
use crate::extract::query::Query;
use crate::openapi::examples;
use crate::openapi::value_types::Download;
use crate::routes::runs::load_snapshot;
use crate::state::AppState;
use crate::timestamp::Timestamp;

/// Number of rows per query of the database.
const ROWS_PER_QUERY: u64 = 100;

/// The output file of a batch.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OutputFile {
    /// Id, equal to the id of the run of the batch.
    id: Uuid,
    /// File name of the download.
    file_name: String,
    /// Time at which the batch was accepted.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// End time of the batch. Equal to `created_at` until the batch has ended.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<&RunRecord> for OutputFile {
    fn from(record: &RunRecord) -> Self {
        Self {
            id: record.id,
            file_name: file_name(record.id),
            created_at: Timestamp(record.start_time),
            updated_at: Timestamp(record.end_time.unwrap_or(record.start_time)),
        }
    }
}

fn file_name(id: Uuid) -> String {
    format!("output_{id}.jsonl")
}

/// Loads the batch of an output file.
async fn load_batch(state: &AppState, id: Uuid) -> Result<RunRecord, Problem> {
    let run = state.db.run(id).await?.ok_or_else(|| Resource::OutputFile.not_found())?;
    let is_batch = RunState::from_log(run.log.iter().take(1)).batch.is_some();
    if is_batch { Ok(run.record) } else { Err(Resource::OutputFile.not_found()) }
}

/// List output files.
///
/// One file per batch, newest first.
#[utoipa::path(
    get, path = "/of/", tag = "batches", operation_id = "listOutputFiles",
    params(PageQuery),
    responses(
        (status = 200, description = "The files of the page.", body = Vec<OutputFile>, example = json!([examples::output_file()])),
        ServerProblems,
    )
)]
pub(crate) async fn output_file_list(
    State(state): State<AppState>,
    Query(page): Query<PageQuery>,
) -> Result<JsonResponse<Vec<OutputFile>>, Problem> {
    let filter = RunFilter { batches: true, ..RunFilter::default() };
    let batches = state.db.run_list(filter, PageNumber::from(page)).await?.rows;
    Ok(JsonResponse(batches.iter().map(|detail| (&detail.record).into()).collect()))
}

/// Get an output file.
///
/// Returns metadata only. Use downloadOutputFile for the content.
#[utoipa::path(
    get, path = "/of/{output_file_id}/", tag = "batches", operation_id = "getOutputFile",
    params(OutputFileId),
    responses(
        (status = 200, description = "The file.", body = OutputFile, example = json!(examples::output_file())),
        OutputFileMissing, ServerProblems,
    )
)]
pub(crate) async fn output_file_get(
    State(state): State<AppState>,
    OutputFileId(id): OutputFileId,
) -> Result<JsonResponse<OutputFile>, Problem> {
    Ok(JsonResponse((&load_batch(&state, id).await?).into()))
}

/// Download an output file.
///
/// Returns JSON Lines: one object per started row, in row order. The file of an unfinished batch has the rows so far.
#[utoipa::path(
    get, path = "/of/{output_file_id}/download/", tag = "batches", operation_id = "downloadOutputFile",
    params(OutputFileId),
    responses(
        (status = 200, description = "One JSON object per line, with `row`, `run_id`, `status`, `inputs`, `outputs` (by node id) and `error`.",
            content_type = "application/x-ndjson", body = inline(Download), example = json!(examples::output_lines())),
        OutputFileMissing, ServerProblems,
    )
)]
pub(crate) async fn output_file_download(
    State(state): State<AppState>,
    OutputFileId(id): OutputFileId,
) -> Result<Response, Problem> {
    let batch = load_batch(&state, id).await?.id;
    // Read here, so that an unavailable database is a problem instead of a truncated file.
    let first = state.db.batch_runs(batch, 0, ROWS_PER_QUERY).await?;
    let pages = stream::try_unfold((state, Some(first)), move |(state, page)| async move {
        let Some(page) = page.filter(|page| !page.is_empty()) else { return Ok(None) };
        let next = page.last().and_then(|detail| detail.record.batch_row).map_or(i64::MAX, |row| row + 1);
        let mut lines = Vec::new();
        for detail in page {
            let line = row_line(&state, detail)
                .await
                .map_err(|problem| std::io::Error::other(problem.to_string()))?;
            lines.extend_from_slice(line.to_string().as_bytes());
            lines.push(b'\n');
        }
        // A short page may not be the last, since unreadable rows are skipped.
        let page =
            Some(state.db.batch_runs(batch, next, ROWS_PER_QUERY).await.map_err(std::io::Error::other)?);
        Ok::<_, std::io::Error>(Some((Bytes::from(lines), (state, page))))
    });
    let disposition = format!("attachment; filename=\"{}\"", file_name(id));
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson".to_owned()),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    Ok((headers, Body::from_stream(pages)).into_response())
}

/// Returns the line of one row.
async fn row_line(state: &AppState, detail: RunDetail) -> Result<Value, Problem> {
    let (snapshot, _) = load_snapshot(state, detail).await?;
    let (record, run, plan) = (&snapshot.record, &snapshot.state, &snapshot.plan);
    let failed = run.tasks(plan).into_iter().find_map(|task| {
        let error = task.error.filter(|_| task.status == sluice_domain::run::TaskStatus::Failed)?;
        Some(format!("The node \"{}\" failed: {error}", task.node_id))
    });
    Ok(json!({
        "row": record.batch_row, "run_id": record.id, "status": record.status, "inputs": *run.inputs,
        "outputs": run.outputs_by_id(plan), "error": failed,
    }))
}

//! Datasets: rows for batches.

use axum::Json as JsonResponse;
use axum::extract::{Request, State};
use serde::Serialize;
use serde_json::Value;
use sluice_domain::naming::{MAX_DESCRIPTION_LENGTH, MAX_NAME_LENGTH};
use sluice_persistence::{DatasetRow, NewDataset, PageNumber, RunFilter};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::blocking::cpu_bound;
use crate::change::ChangeContext;
use crate::error::convert::Resource;
use crate::error::responses::{DatasetMissing, ServerProblems, UploadProblems};
use crate::error::{Problem, ProblemItem, ProblemKind};
use crate::extract::multipart::FileForm;
use crate::extract::page::PageQuery;
use crate::extract::path::DatasetId;
use crate::extract::query::{FromQuery, Query, QueryReader};
use crate::openapi::examples;
use crate::routes::runs::list::run_views;
use crate::routes::runs::view::Run;
use crate::state::AppState;
use crate::tabular::Table;
use crate::timestamp::Timestamp;

/// A dataset: rows for batches.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Dataset {
    /// Id.
    id: Uuid,
    /// Name.
    name: String,
    /// Description.
    #[schema(required = true)]
    description: Option<String>,
    /// Name of the uploaded file.
    filename: String,
    /// Number of rows.
    #[schema(minimum = 0)]
    rows: i64,
    /// Time of the upload.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Equal to `created_at`: datasets never change.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<DatasetRow> for Dataset {
    fn from(row: DatasetRow) -> Self {
        let DatasetRow { id, name, description, filename, rows, is_text: _, created_at } = row;
        let (created_at, updated_at) = (Timestamp(created_at), Timestamp(created_at));
        Self { id, name, description, filename, rows, created_at, updated_at }
    }
}

/// An uploaded file of rows.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "declares a form that is read field by field")]
pub(crate) struct DatasetForm {
    /// A CSV file (`.csv`, the first line has the field names), JSON Lines (`.jsonl`) or a JSON array (`.json`).
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// Name. Required unless it is in the query.
    #[schema(required = false, min_length = 1, max_length = 255, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    name: String,
    /// Description, unless it is in the query.
    #[schema(required = false, max_length = 65_536)]
    description: String,
}

/// The maximum length of a description in a query, in characters. The length of path and query is limited, too.
pub(crate) const MAX_QUERIED_DESCRIPTION_LENGTH: usize = 4_096;

/// Name and description of a dataset in the query.
#[derive(Clone, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DatasetQuery {
    /// Name of the dataset. Required here or in the form.
    #[param(value_type = String, min_length = 1, max_length = 255, required = false)]
    name: Option<String>,
    /// Description of the dataset. The form field of the same name accepts longer texts.
    #[param(value_type = String, max_length = 4_096, required = false)]
    description: Option<String>,
}

impl FromQuery for DatasetQuery {
    fn from_query(reader: &mut QueryReader) -> Self {
        Self {
            name: reader.text_up_to(MAX_NAME_LENGTH, "name"),
            description: reader.text_or_empty(MAX_QUERIED_DESCRIPTION_LENGTH, "description"),
        }
    }
}

/// The result.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Deleted {
    /// Confirmation message.
    message: &'static str,
}

/// Upload a dataset.
///
/// Stores the rows of a CSV, JSON Lines or JSON file for batches. Stores nothing if any row is invalid.
#[utoipa::path(
    post, path = "/ds/", tag = "batches", operation_id = "uploadDataset",
    params(DatasetQuery),
    request_body(content = DatasetForm, content_type = "multipart/form-data", description = "The file.",
        example = json!(examples::dataset_form())),
    responses(
        (status = 200, description = "The dataset.", body = Dataset, example = json!(examples::dataset())),
        UploadProblems, ServerProblems,
    )
)]
pub(crate) async fn dataset_upload(
    State(state): State<AppState>,
    Query(query): Query<DatasetQuery>,
    change: ChangeContext,
    request: Request,
) -> Result<JsonResponse<Dataset>, Problem> {
    let mut form = FileForm::read(request, &state).await?;
    let name = query.name.or_else(|| form.texts.remove("name")).filter(|name| !name.trim().is_empty());
    let description = query.description.or_else(|| form.texts.remove("description")).unwrap_or_default();
    let (name, (filename, bytes)) = (validate_texts(name, &description)?, form.file()?);
    let max = state.settings.max_batch_rows;
    let (table, filename) =
        cpu_bound(move || Table::read(&filename, &bytes, max).map(|table| (table, filename))).await?;
    let rows = table.rows.into_iter().map(|row| Value::Object(row).to_string()).collect();
    let new = NewDataset {
        name,
        description: Some(description),
        filename: crate::uploads::name::safe_name(&filename),
        rows,
        is_text: table.is_text,
    };
    let created = state.db.dataset_create(new, Some(change.origin())).await;
    created.map(|row| JsonResponse(row.into())).map_err(|error| Resource::Dataset.write_problem(error))
}

/// Returns the name if it and the description are valid.
fn validate_texts(name: Option<String>, description: &str) -> Result<String, Problem> {
    let mut problems = Vec::new();
    let is_valid = |text: &str, max: usize| text.chars().count() <= max && !text.contains('\0');
    match &name {
        None => problems.push(ProblemItem::new("/name", "missing", "name is missing. Add it.")),
        Some(name) if !is_valid(name, MAX_NAME_LENGTH) || name.contains(char::is_control) => {
            let detail = format!(
                "name must have at most {MAX_NAME_LENGTH} characters, none of them a control character."
            );
            problems.push(ProblemItem::new("/name", "length", detail));
        }
        Some(_) => {}
    }
    if !is_valid(description, MAX_DESCRIPTION_LENGTH) {
        let detail = format!("description must have at most {MAX_DESCRIPTION_LENGTH} characters.");
        problems.push(ProblemItem::new("/description", "length", detail));
    }
    match name {
        Some(name) if problems.is_empty() => Ok(name),
        _ => Err(Problem::invalid(ProblemKind::InvalidBody, problems)),
    }
}

/// List datasets.
///
/// Newest first.
#[utoipa::path(
    get, path = "/ds/", tag = "batches", operation_id = "listDatasets",
    params(PageQuery),
    responses(
        (status = 200, description = "The datasets of the page.", body = Vec<Dataset>, example = json!([examples::dataset()])),
        ServerProblems,
    )
)]
pub(crate) async fn dataset_list(
    State(state): State<AppState>,
    Query(page): Query<PageQuery>,
) -> Result<JsonResponse<Vec<Dataset>>, Problem> {
    Ok(JsonResponse(state.db.dataset_list(page.into()).await?.into_iter().map(Into::into).collect()))
}

/// Get a dataset.
///
/// Returns the dataset without its rows.
#[utoipa::path(
    get, path = "/ds/{dataset_id}/", tag = "batches", operation_id = "getDataset",
    params(DatasetId),
    responses(
        (status = 200, description = "The dataset.", body = Dataset, example = json!(examples::dataset())),
        DatasetMissing, ServerProblems,
    )
)]
pub(crate) async fn dataset_get(
    State(state): State<AppState>,
    DatasetId(id): DatasetId,
) -> Result<JsonResponse<Dataset>, Problem> {
    let dataset = state.db.dataset_get(id).await?.ok_or_else(|| Resource::Dataset.not_found())?;
    Ok(JsonResponse(dataset.into()))
}

/// List the batches of a dataset.
///
/// Returns one run per batch, newest first. Does not return the runs of rows.
#[utoipa::path(
    get, path = "/ds/{dataset_id}/list_runs/", tag = "batches", operation_id = "listDatasetRuns",
    params(
        DatasetId,
        PageQuery,
    ),
    responses(
        (status = 200, description = "The runs of the page.", body = Vec<Run>, example = json!([examples::batch_run()])),
        DatasetMissing, ServerProblems,
    )
)]
pub(crate) async fn dataset_run_list(
    State(state): State<AppState>,
    DatasetId(id): DatasetId,
    Query(page): Query<PageQuery>,
) -> Result<JsonResponse<Vec<Run>>, Problem> {
    state.db.dataset_get(id).await?.ok_or_else(|| Resource::Dataset.not_found())?;
    let filter = RunFilter { dataset_id: Some(id), ..RunFilter::default() };
    let found = state.db.run_list(filter, PageNumber::from(page)).await?;
    run_views(&state, found.rows).await.map(JsonResponse)
}

/// Delete a dataset.
///
/// Batches that use the dataset keep their rows.
#[utoipa::path(
    delete, path = "/ds/{dataset_id}/", tag = "batches", operation_id = "deleteDataset",
    params(DatasetId),
    responses(
        (status = 200, description = "The dataset is deleted.", body = Deleted, example = json!({"message": "Dataset deleted"})),
        DatasetMissing, ServerProblems,
    )
)]
pub(crate) async fn dataset_delete(
    State(state): State<AppState>,
    DatasetId(id): DatasetId,
    change: ChangeContext,
) -> Result<JsonResponse<Deleted>, Problem> {
    let deleted = state.db.dataset_delete(id, Some(change.origin())).await;
    deleted.map_err(|error| Resource::Dataset.write_problem(error))?;
    Ok(JsonResponse(Deleted { message: "Dataset deleted" }))
}

//! `GET /wf/{workflow_id}/export/`

use axum::extract::State;
use axum::response::Response;
use serde_json::value::RawValue;
use sluice_domain::json_limits;
use sluice_domain::transfer::Document;
use sluice_engine::StoreError;
use utoipa::IntoParams;

use crate::blocking::cpu_bound;
use crate::error::convert::Resource;
use crate::error::responses::{ExportProblems, ServerProblems, WorkflowMissing};
use crate::error::{Problem, ProblemKind};
use crate::extract::etag::{IfNoneMatch, WithETag};
use crate::extract::path::WorkflowId;
use crate::extract::query::{FromQuery, Query, QueryReader};
use crate::openapi::examples;
use crate::openapi::transfer_schemas::WorkflowDocument;
use crate::state::AppState;

/// Options of an export.
#[derive(Clone, Copy, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportQuery {
    /// If true, includes the latest 1,000 versions and their labels.
    #[param(default = false, required = false)]
    versions: bool,
}

impl FromQuery for ExportQuery {
    fn from_query(reader: &mut QueryReader) -> Self {
        Self { versions: reader.flag("versions", false) }
    }
}

/// Export a workflow.
///
/// Returns the workflow as one document, which importWorkflows accepts. The `checksum` detects incomplete or changed
/// copies.
#[utoipa::path(
    get, path = "/wf/{workflow_id}/export/", tag = "workflows", operation_id = "exportWorkflow",
    params(
        WorkflowId,
        IfNoneMatch,
        ExportQuery,
    ),
    responses(
        (status = 200, description = "The document.",
            headers(("ETag" = String, description = "Entity tag of the returned state.")),
            body = WorkflowDocument, example = json!(examples::document())),
        (status = 304, description = "The client's copy is current."),
        WorkflowMissing, ExportProblems, ServerProblems,
    )
)]
pub(crate) async fn workflow_export(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    Query(query): Query<ExportQuery>,
    if_none_match: IfNoneMatch,
) -> Result<Response, Problem> {
    let found = state.db.workflow_export(id, query.versions).await.map_err(|error| match error {
        StoreError::PageTooLarge(bytes) => too_large(bytes, query),
        other => other.into(),
    })?;
    let (row, document) = found.ok_or_else(|| Resource::Workflow.not_found())?;
    let most = state.settings.max_import_bytes;
    let written = cpu_bound(move || ExportFile::new(document.with_checksum(), most)).await?;
    let ExportFile { checksum, json } = written.ok_or_else(|| too_large(most, query))?;
    // Labels move without a change of the workflow.
    let etag = match checksum {
        Some(checksum) if query.versions => format!("{}-{}", row.version, checksum.replace(':', "-")),
        _ => row.etag(),
    };
    Ok(WithETag::new(etag, json).unless_match(&if_none_match))
}

/// A document as it is answered.
struct ExportFile {
    checksum: Option<String>,
    json: Box<RawValue>,
}

impl ExportFile {
    /// None when it is more than an import takes.
    fn new(document: Document, most: usize) -> Result<Option<Self>, Problem> {
        let (checksum, json) = (document.checksum().map(str::to_owned), document.to_json());
        drop(document);
        if json.len() > most || json_limits::check_documents(json.as_bytes()).is_err() {
            return Ok(None);
        }
        Ok(Some(Self { checksum, json: RawValue::from_string(json).map_err(Problem::internal)? }))
    }
}

fn too_large(bytes: usize, query: ExportQuery) -> Problem {
    let advice = match query.versions {
        true => "Export without ?versions=true, or with sluice export.",
        false => "Export with sluice export.",
    };
    Problem::new(
        ProblemKind::TooLarge,
        format!("The document is larger than {bytes} bytes, the maximum for an import. {advice}"),
    )
}

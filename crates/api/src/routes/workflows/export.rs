//! `GET /wf/{workflow_id}/export/`

use axum::extract::State;
use axum::response::Response;
use serde_json::value::RawValue;
use sluice_domain::json_limits;
use sluice_domain::transfer::WorkflowDocument;
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
    let max = state.settings.max_import_bytes;
    let (checksum, json) = cpu_bound(move || {
        let document = document.with_checksum();
        (document.checksum.clone(), document.to_json())
    })
    .await;
    if json.len() > max || json_limits::check_documents(json.as_bytes()).is_err() {
        return Err(too_large(max, query));
    }
    // Labels move without a change of the workflow.
    let etag = match checksum {
        Some(checksum) if query.versions => format!("{}-{}", row.version, checksum.replace(':', "-")),
        _ => row.etag(),
    };
    let json = RawValue::from_string(json).map_err(Problem::internal)?;
    Ok(WithETag::new(etag, json).unless_match(&if_none_match))
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

//! `GET /wf/{workflow_id}/versions/{a}/diff/{b}/`

use axum::Json as JsonResponse;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use sluice_domain::versioning::DefinitionDiff;
use sluice_domain::{Definition, versioning};
use sluice_persistence::VersionRow;
use utoipa::{IntoParams, ToSchema};

use crate::blocking::cpu_bound;
use crate::error::responses::{DiffProblems, ServerProblems, VersionMissing};
use crate::error::{Problem, ProblemKind};
use crate::extract::path::{DiffVersions, WorkflowId};
use crate::extract::query::{FromQuery, Query, QueryReader};
use crate::openapi::examples;
use crate::routes::versions::pinned_version;
use crate::state::AppState;

/// Options of a comparison.
#[derive(Clone, Copy, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DiffQuery {
    /// If true, also compares fields that do not affect execution: coordinates, dimensions and test inputs.
    #[param(default = false, required = false)]
    layout: bool,
}

impl FromQuery for DiffQuery {
    fn from_query(reader: &mut QueryReader) -> Self {
        Self { layout: reader.flag("layout", false) }
    }
}

/// A JSON Patch operation (RFC 6902).
// The type of the json-patch crate derives no schema.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only declares the response")]
struct PatchOperation {
    /// The operation.
    #[schema(example = "replace")]
    op: String,
    /// JSON Pointer (RFC 6901) into the definition.
    path: String,
    /// Source pointer of `move` and `copy`.
    #[schema(required = false, nullable = false)]
    from: Option<String>,
    /// Value of `add`, `replace` and `test`.
    #[schema(required = false)]
    value: Option<Value>,
}

/// Compare versions.
///
/// Returns the changes from the first version to the second, by node and link. The `Accept` header selects JSON, JSON
/// Patch (`application/json-patch+json`, RFC 6902) or `text/plain`.
#[utoipa::path(
    get, path = "/wf/{workflow_id}/versions/{a}/diff/{b}/", tag = "versions", operation_id = "diffVersions",
    params(
        WorkflowId,
        DiffVersions,
        DiffQuery,
    ),
    responses(
        (status = 200, description = "The differences.", content(
            (DefinitionDiff = "application/json", example = json!(examples::diff())),
            (Vec<PatchOperation> = "application/json-patch+json", example = json!(examples::patch())),
            (String = "text/plain", example = json!(examples::diff_text())),
        )),
        VersionMissing, DiffProblems, ServerProblems,
    )
)]
pub(crate) async fn version_diff(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    DiffVersions(a, b): DiffVersions,
    Query(query): Query<DiffQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (before, after) = (pinned_version(&state, id, &a).await?, pinned_version(&state, id, &b).await?);
    let format = DiffFormat::from_accept(&headers)?;
    cpu_bound(move || format.compare(&before, &after, query.layout)).await
}

/// The formats of a difference.
#[derive(Clone, Copy)]
enum DiffFormat {
    Json,
    Patch,
    Text,
}

impl DiffFormat {
    /// Returns the format with the highest weight (RFC 9110, 12.5.1). Of several, returns the first.
    fn from_accept(headers: &HeaderMap) -> Result<Self, Problem> {
        let Some(accept) = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()) else {
            return Ok(Self::Json);
        };
        let accept = accept.to_ascii_lowercase();
        let accepted = accept.split(',').filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let format = Self::from_media_type(parts.next().unwrap_or_default())?;
            let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok());
            Some((format, weight.unwrap_or(1.0)))
        });
        let pick_better = |best: Option<(Self, f32)>, (format, weight): (Self, f32)| match best {
            Some((_, highest)) if highest >= weight => best,
            _ => Some((format, weight)),
        };
        let best = accepted.filter(|(_, weight)| *weight > 0.0).fold(None, pick_better);
        best.map(|(format, _)| format).ok_or_else(|| {
            let detail =
                "The differences are available as application/json, application/json-patch+json and text/plain. Accept one of them.";
            Problem::new(ProblemKind::NotAcceptable, detail)
        })
    }

    fn from_media_type(kind: &str) -> Option<Self> {
        match kind {
            "application/json-patch+json" => Some(Self::Patch),
            "text/plain" | "text/*" => Some(Self::Text),
            "" | "*/*" | "application/*" | "application/json" => Some(Self::Json),
            _ => None,
        }
    }

    fn compare(self, before: &VersionRow, after: &VersionRow, layout: bool) -> Result<Response, Problem> {
        let read =
            |row: &VersionRow| serde_json::from_str::<Definition>(&row.definition).map_err(Problem::internal);
        let (before, after) = (read(before)?, read(after)?);
        let mut response = match self {
            Self::Json => JsonResponse(versioning::diff(&before, &after, layout)).into_response(),
            Self::Text => versioning::diff(&before, &after, layout).to_text().into_response(),
            Self::Patch => {
                let patch = JsonResponse(versioning::patch(&before, &after, layout));
                ([(header::CONTENT_TYPE, "application/json-patch+json")], patch).into_response()
            }
        };
        response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
        Ok(response)
    }
}

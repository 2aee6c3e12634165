//! `GET /wf/{workflow_id}/graph/`: drawings of a version or a run.

use std::collections::HashMap;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use sluice_domain::Definition;
use sluice_domain::api_scope::ApiScope;
use sluice_domain::draw::{DrawingFormat, draw, state_key};
use sluice_domain::run::TaskStatus;
use sluice_persistence::{Pin, VersionRow};
use utoipa::IntoParams;
use uuid::Uuid;

use crate::auth::caller::Caller;
use crate::blocking::cpu_bound;
use crate::error::convert::Resource;
use crate::error::responses::{RunMissing, ServerProblems, VersionMissing};
use crate::error::{Problem, ProblemItem, ProblemKind};
use crate::extract::path::{WorkflowId, parse_id};
use crate::extract::query::{FromQuery, Query, QueryReader};
use crate::openapi::examples;
use crate::routes::versions::pinned_version;
use crate::state::AppState;

/// Options of a drawing.
#[derive(Clone, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DrawQuery {
    /// Format of the drawing. Default: `svg`.
    #[param(value_type = DrawingFormat, required = false)]
    format: DrawingFormat,
    /// Version: a number, a label, or `latest`. `draft` is an alias of `latest`: there are no unpublished drafts.
    /// Default: the latest version.
    #[param(value_type = String, pattern = "^([1-9][0-9]{0,8}|[a-z][a-z0-9_-]{0,63})$", required = false)]
    version: Option<Pin>,
    /// Id of a run of the workflow. Draws the version of the run and colors the nodes by status. Can't be
    /// combined with `version`. Also requires the scope `runs:read`.
    #[param(value_type = String, format = Uuid, required = false)]
    run: Option<String>,
}

impl FromQuery for DrawQuery {
    fn from_query(reader: &mut QueryReader) -> Self {
        let format = reader.one_of("format", "mermaid, dot, svg").map(|DrawingFormatParam(format)| format);
        let (version, run) = (reader.pin("version"), reader.text("run"));
        if version.is_some() && run.is_some() {
            reader.conflict("version", "run");
        }
        Self { format: format.unwrap_or(DrawingFormat::Svg), version, run }
    }
}

struct DrawingFormatParam(DrawingFormat);

impl std::str::FromStr for DrawingFormatParam {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "mermaid" => Ok(Self(DrawingFormat::Mermaid)),
            "dot" => Ok(Self(DrawingFormat::Dot)),
            "svg" => Ok(Self(DrawingFormat::Svg)),
            _ => Err(()),
        }
    }
}

/// Draw a workflow.
///
/// Returns an SVG image, or text for Mermaid or Graphviz.
#[utoipa::path(
    get, path = "/wf/{workflow_id}/graph/", tag = "workflows", operation_id = "drawWorkflow",
    params(
        WorkflowId,
        DrawQuery,
    ),
    responses(
        (status = 200, description = "The drawing.", content(
            (String = "image/svg+xml", example = json!(examples::drawing(DrawingFormat::Svg))),
            (String = "text/vnd.mermaid", example = json!(examples::drawing(DrawingFormat::Mermaid))),
            (String = "text/vnd.graphviz", example = json!(examples::drawing(DrawingFormat::Dot))),
        )),
        VersionMissing, RunMissing, ServerProblems,
    )
)]
pub(crate) async fn workflow_draw(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    caller: Caller,
    Query(query): Query<DrawQuery>,
) -> Result<Response, Problem> {
    let DrawQuery { format, version, run } = query;
    let (version, states) = match run {
        Some(run) => {
            caller.require_scope(ApiScope::RunsRead)?;
            run_version_and_states(&state, id, &run).await?
        }
        None => (pinned_version(&state, id, &version.unwrap_or(Pin::Latest)).await?, HashMap::new()),
    };
    let drawing = cpu_bound(move || {
        let definition: Definition = serde_json::from_str(&version.definition).map_err(Problem::internal)?;
        draw(&definition, format, &states).map_err(|error| {
            Problem::invalid(
                ProblemKind::InvalidQuery,
                vec![ProblemItem::new("/format", "too_large", error.to_string())],
            )
        })
    })
    .await?;
    let media_type = match format {
        DrawingFormat::Svg => "image/svg+xml",
        DrawingFormat::Mermaid => "text/vnd.mermaid; charset=utf-8",
        DrawingFormat::Dot => "text/vnd.graphviz; charset=utf-8",
    };
    Ok(([(header::CONTENT_TYPE, media_type)], drawing).into_response())
}

/// Returns the version of a run, and the status of its nodes. A node in a loop has the status of the last iteration.
async fn run_version_and_states(
    state: &AppState,
    id: Uuid,
    run: &str,
) -> Result<(VersionRow, HashMap<String, TaskStatus>), Problem> {
    let missing = || Resource::Run.not_found();
    let detail = state.db.run_get(parse_id(run).ok_or_else(missing)?).await?.ok_or_else(missing)?;
    if detail.record.workflow_id != id {
        return Err(missing());
    }
    let run = state.engine.snapshot(detail.record, &detail.log).await;
    let run = run.map_err(|error| Resource::Run.engine_problem(error))?;
    let tasks = run.state.timeline(&run.plan).into_iter();
    Ok((detail.version, tasks.map(|task| (state_key(&task.path), task.status)).collect()))
}

//! Versions: every saved change of what executes. They are read, compared, put back and drawn.

use std::collections::HashMap;

use axum::Json as Answer;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::RawValue;
use sluice_domain::api_scope::ApiScope;
use sluice_domain::draw::{DrawingFormat, draw, state_key};
use sluice_domain::run::TaskStatus;
use sluice_domain::{Definition, versioning};
use sluice_persistence::{Between, Pin, Saving, Search, VersionFilter, VersionOrder, VersionRow};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::workflows::{SaveQuery, Workflow};
use super::{readable, stored_json};
use crate::access::Caller;
use crate::aside::aside;
use crate::audit;
use crate::conditional::{ChangeNote, Edit, Known, Tagged};
use crate::extract::{DiffVersions, FromQuery, Query, Reader, VersionPin, WorkflowId, parse_id};
use crate::lists::{ListAnswer, ListQuery};
use crate::once::Once;
use crate::problem::{Kind, Problem, ProblemItem};
use crate::refusal::{Resource, no_label, no_version};
use crate::responses::{
    Conditional, DiffProblems, KnownRefused, LabelProtected, RunMissing, ServerProblems, VersionMissing,
    WorkflowMissing,
};
use crate::time::Timestamp;
use crate::{AppState, examples, schema};

/// A version of a workflow.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WorkflowVersion {
    /// Its number: 1, 2, … in the order of saving.
    #[schema(minimum = 1)]
    version: i32,
    /// What the workflow was called.
    name: String,
    /// What the workflow was for.
    #[schema(required = true)]
    description: Option<String>,
    /// What the workflow did.
    #[schema(value_type = schema::WorkflowDefinition)]
    definition: Box<RawValue>,
    /// The SHA-256 (hex) of the RFC 8785 canonical JSON of the definition without what does not execute.
    #[schema(min_length = 64, max_length = 64)]
    definition_hash: String,
    /// When it was saved first.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When its layout was saved last.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// What the change was for that made it, as its header `X-Change-Note` said.
    #[schema(required = true)]
    note: Option<String>,
    /// Who made it; null when that isn't known.
    #[schema(required = true)]
    created_by: Option<String>,
}

impl TryFrom<VersionRow> for WorkflowVersion {
    type Error = Problem;

    fn try_from(row: VersionRow) -> Result<Self, Problem> {
        let VersionRow {
            id,
            workflow_id: _,
            version,
            name,
            description,
            definition,
            definition_hash,
            created_at,
            updated_at,
            note,
            created_by,
        } = row;
        let definition = stored_json(definition, "workflow_versions", id)?;
        let (created_at, updated_at) = (Timestamp(created_at), Timestamp(updated_at));
        Ok(Self {
            version,
            name,
            description,
            definition,
            definition_hash,
            created_at,
            updated_at,
            note,
            created_by,
        })
    }
}

/// Which versions.
#[derive(Clone, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct VersionQuery {
    /// Only versions whose note, name or description has, for each word of this, one that begins with it: 8 words at
    /// most. Small and capital letters are the same.
    #[param(value_type = String, min_length = 1, max_length = 64, required = false)]
    q: Option<Search>,
    /// Only versions that were made at this time or later. Without an offset it is UTC; a date is its midnight.
    #[param(value_type = String, example = "2026-11-23T00:00:00Z", required = false)]
    created_after: Option<DateTime<Utc>>,
    /// Only versions that were made at this time or before.
    #[param(value_type = String, example = "2026-11-30", required = false)]
    created_before: Option<DateTime<Utc>>,
}

impl FromQuery for VersionQuery {
    fn from_query(reader: &mut Reader) -> Self {
        Self {
            q: reader.search("q"),
            created_after: reader.time("created_after"),
            created_before: reader.time("created_before"),
        }
    }
}

impl VersionQuery {
    fn of(self, workflow_id: Uuid) -> VersionFilter {
        let created = Between { from: self.created_after, to: self.created_before };
        VersionFilter { workflow_id, search: self.q, created }
    }
}

/// List the versions of a workflow.
///
/// The highest number first, unless `sort` says otherwise.
#[utoipa::path(
    get, path = "/wf/{workflow_id}/versions/", tag = "versions", operation_id = "listVersions",
    params(
        WorkflowId,
        ListQuery<VersionOrder>, VersionQuery,
    ),
    responses(
        (status = 200, description = "The versions of the page.", body = Vec<WorkflowVersion>, example = json!([examples::version()])),
        WorkflowMissing, ServerProblems,
    )
)]
pub(crate) async fn version_list(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    Query((list, query)): Query<(ListQuery<VersionOrder>, VersionQuery)>,
    sent: RawQuery,
) -> Result<ListAnswer<WorkflowVersion>, Problem> {
    let filter = query.of(id);
    let found = state.db.versions(filter.clone(), list.part()).await?;
    let found = found.ok_or_else(|| Resource::Workflow.missing())?;
    let total = if list.count { Some(state.db.version_count(filter).await?) } else { None };
    let headers = list.headers(&sent, found.next, total);
    Ok((headers, Answer(readable(found.rows.into_iter().map(WorkflowVersion::try_from))?)))
}

/// The version that is meant.
pub(crate) async fn pinned(state: &AppState, id: Uuid, pin: &Pin) -> Result<VersionRow, Problem> {
    if let Some(version) = state.db.pinned_version(id, pin).await? {
        return Ok(version);
    }
    if *pin == Pin::Latest || state.db.latest_version_id(id).await?.is_none() {
        return Err(Resource::Workflow.missing());
    }
    Err(match pin {
        Pin::Label(name) => no_label(name),
        Pin::Number(number) => no_version(*number),
        Pin::Latest => Resource::Workflow.missing(),
    })
}

/// Get a version.
///
/// By its number, `draft` for the current state, or a label.
#[utoipa::path(
    get, path = "/wf/{workflow_id}/versions/{version}/", tag = "versions", operation_id = "getVersion",
    params(
        WorkflowId,
        VersionPin,
        Known,
    ),
    responses(
        (status = 200, description = "The version.", 
            headers(("ETag" = String, description = "What tells this state from any other.")),
            body = WorkflowVersion, example = json!(examples::version())),
        (status = 304, description = "The client has it already."),
        VersionMissing, KnownRefused, ServerProblems,
    )
)]
pub(crate) async fn version_get(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    VersionPin(pin): VersionPin,
    known: Known,
) -> Result<Response, Problem> {
    let row = pinned(&state, id, &pin).await?;
    Ok(Tagged::new(row.etag(), WorkflowVersion::try_from(row)?).unless_known(&known))
}

/// Restore a version.
///
/// Puts its definition back as that of the workflow. That makes a new version, if it is not what executes already;
/// what was there stays as the version before.
#[utoipa::path(
    post, path = "/wf/{workflow_id}/versions/{version}/restore/", tag = "versions", operation_id = "restoreVersion",
    params(
        WorkflowId,
        VersionPin,
        Edit,
        ChangeNote,
        SaveQuery,
    ),
    responses(
        (status = 200, description = "The workflow with that definition.", 
            headers(("ETag" = String, description = "What tells this state from any other.")),
            body = Workflow, example = json!(examples::workflow())),
        VersionMissing, Conditional, LabelProtected, ServerProblems,
    )
)]
pub(crate) async fn version_restore(
    State(state): State<AppState>,
    WorkflowId(id): WorkflowId,
    VersionPin(pin): VersionPin,
    Query(query): Query<SaveQuery>,
    edit: Edit,
    once: Once,
) -> Result<Tagged<Workflow>, Problem> {
    let saving = Saving { label: query.label, ..edit.saving.clone() };
    match state
        .db
        .version_restore(id, pin, saving, once.keep(audit::workflow, |saved| Workflow::kept(&saved.row)))
        .await
    {
        Ok(row) => Workflow::tagged(row),
        Err(error) => Err(edit.refused(&state, id, error).await),
    }
}

/// How versions are compared.
#[derive(Clone, Copy, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DiffQuery {
    /// Whether what doesn't execute counts too: coordinates, dimensions and test inputs.
    #[param(default = false, required = false)]
    layout: bool,
}

impl FromQuery for DiffQuery {
    fn from_query(reader: &mut Reader) -> Self {
        Self { layout: reader.flag("layout", false) }
    }
}

/// Compare versions.
///
/// What has to change in the first for the second, by nodes and links. The header `Accept` says in which form: as
/// JSON, as a JSON Patch (`application/json-patch+json`, RFC 6902) or as `text/plain`.
#[utoipa::path(
    get, path = "/wf/{workflow_id}/versions/{a}/diff/{b}/", tag = "versions", operation_id = "diffVersions",
    params(
        WorkflowId,
        DiffVersions,
        DiffQuery,
    ),
    responses(
        (status = 200, description = "How they differ.", content(
            (schema::DefinitionDiff = "application/json", example = json!(examples::diff())),
            (Vec<schema::PatchOperation> = "application/json-patch+json", example = json!(examples::patch())),
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
    let (before, after) = (pinned(&state, id, &a).await?, pinned(&state, id, &b).await?);
    let form = DiffForm::of(&headers)?;
    aside(move || form.compare(&before, &after, query.layout)).await
}

/// The forms of a difference.
#[derive(Clone, Copy)]
enum DiffForm {
    Json,
    Patch,
    Text,
}

impl DiffForm {
    /// The one that is wanted most (RFC 9110, 12.5.1); of several, the first.
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let Some(accept) = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()) else {
            return Ok(Self::Json);
        };
        let accept = accept.to_ascii_lowercase();
        let wanted = accept.split(',').filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let form = Self::named(parts.next().unwrap_or_default())?;
            let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok());
            Some((form, weight.unwrap_or(1.0)))
        });
        let better = |best: Option<(Self, f32)>, (form, weight): (Self, f32)| match best {
            Some((_, most)) if most >= weight => best,
            _ => Some((form, weight)),
        };
        let best = wanted.filter(|(_, weight)| *weight > 0.0).fold(None, better);
        best.map(|(form, _)| form).ok_or_else(|| {
            let detail =
                "A difference is given as application/json, application/json-patch+json or text/plain.";
            Problem::new(Kind::NotAcceptable, detail)
        })
    }

    fn named(kind: &str) -> Option<Self> {
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
        let mut answer = match self {
            Self::Json => Answer(versioning::diff(&before, &after, layout)).into_response(),
            Self::Text => versioning::diff(&before, &after, layout).to_text().into_response(),
            Self::Patch => {
                let patch = Answer(versioning::patch(&before, &after, layout));
                ([(header::CONTENT_TYPE, "application/json-patch+json")], patch).into_response()
            }
        };
        answer.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
        Ok(answer)
    }
}

/// How a definition is drawn.
#[derive(Clone, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DrawQuery {
    /// In which form: `svg` when absent.
    #[param(value_type = schema::DrawingFormat, required = false)]
    format: DrawingFormat,
    /// Which version: a number, `latest` or `draft` for the current state, or a label.
    #[param(value_type = String, pattern = "^([1-9][0-9]{0,8}|[a-z][a-z0-9_-]{0,63})$", required = false)]
    version: Option<Pin>,
    /// A run of the workflow: its version is drawn, with its nodes in the colours of their status. A key needs the scope
    /// `runs:read` for it too.
    #[param(value_type = String, format = Uuid, required = false)]
    run: Option<String>,
}

impl FromQuery for DrawQuery {
    fn from_query(reader: &mut Reader) -> Self {
        let format = reader.word("format", "mermaid, dot, svg").map(|Format(format)| format);
        let (version, run) = (reader.pin("version"), reader.text("run"));
        if version.is_some() && run.is_some() {
            reader.conflict("version", "run");
        }
        Self { format: format.unwrap_or(DrawingFormat::Svg), version, run }
    }
}

struct Format(DrawingFormat);

impl std::str::FromStr for Format {
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
/// As an SVG picture, or as text for Mermaid or Graphviz.
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
            caller.may(ApiScope::RunsRead)?;
            drawn_run(&state, id, &run).await?
        }
        None => (pinned(&state, id, &version.unwrap_or(Pin::Latest)).await?, HashMap::new()),
    };
    let drawn = aside(move || {
        let definition: Definition = serde_json::from_str(&version.definition).map_err(Problem::internal)?;
        draw(&definition, format, &states).map_err(|error| {
            Problem::invalid(
                Kind::InvalidQuery,
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
    Ok(([(header::CONTENT_TYPE, media_type)], drawn).into_response())
}

/// The version of a run, and where its nodes stand; of a node in a loop, the last iteration counts.
async fn drawn_run(
    state: &AppState,
    id: Uuid,
    run: &str,
) -> Result<(VersionRow, HashMap<String, TaskStatus>), Problem> {
    let missing = || Resource::Run.missing();
    let detail = state.db.run_detail(parse_id(run).ok_or_else(missing)?).await?.ok_or_else(missing)?;
    if detail.record.workflow_id != id {
        return Err(missing());
    }
    let run = state.engine.snapshot(detail.record, &detail.log).await;
    let run = run.map_err(|error| Resource::Run.engine(error))?;
    let tasks = run.state.timeline(&run.plan).into_iter();
    Ok((detail.version, tasks.map(|task| (state_key(&task.path), task.status)).collect()))
}

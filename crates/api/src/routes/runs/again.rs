//! Runs made from other runs, and runs that go on after they have failed.

use axum::Json as Answer;
use axum::extract::State;
use serde::Deserialize;
use sluice_domain::run::RunState;
use sluice_engine::{Remember, Rerun, RunStore as _, Snapshot};
use sluice_persistence::{Pin, RunDetail};
use utoipa::ToSchema;
use uuid::Uuid;
use validator::Validate;

use super::start::Objects;
use super::view::{Run, run_view};
use super::{detail_of, start};
use crate::audit::{self, Changed};
use crate::extract::{OptionalJson, Query, RunId};
use crate::once::{Once, kept};
use crate::problem::{Kind, Problem, ProblemItem};
use crate::refusal::Resource;
use crate::responses::{
    BodyProblems, RerunProblems, RunMissing, RunNotFailed, ServerProblems, VersionMissing,
};
use crate::routes::PinQuery;
use crate::routes::versions::pinned;
use crate::values::FieldsByNode;
use crate::{AppState, examples, files};

/// What a new run takes over from the one that it is made from.
#[derive(Debug, Deserialize, ToSchema, Validate)]
pub(crate) struct RerunRequest {
    /// Where to begin: the results of the nodes before this one are taken over, as far as there are any.
    /// Without it every node runs again.
    #[serde(default)]
    #[schema(required = false, nullable = true)]
    from_node: Option<String>,
    /// {input node id: {field: value}}, for input nodes that shall get something else than before.
    #[serde(default)]
    #[schema(value_type = Option<FieldsByNode>, required = false, nullable = true)]
    inputs: Option<Objects>,
    /// The version of the workflow to run. Without it, and without one in the query, the version of the other run.
    #[serde(default)]
    #[schema(required = false, nullable = true, minimum = 1, maximum = 2_147_483_647)]
    #[validate(range(min = 1))]
    version: Option<i32>,
}

/// Run again.
///
/// Starts a new run with the inputs of this one and with this one as its `parent_run_id`. It may begin at a
/// node in the middle: what the nodes before it gave is taken over. Answers at once, as startRun does.
#[utoipa::path(
    post, path = "/run/{run_id}/rerun/", tag = "runs", operation_id = "rerunRun",
    params(
        RunId,
        PinQuery,
    ),
    request_body(content = Option<RerunRequest>, description = "What the new run takes over; nothing is needed.",
        example = json!(examples::rerun())),
    responses(
        (status = 200, description = "The new run, about to begin.", body = Run, example = json!(examples::pending_run())),
        RunMissing, VersionMissing, BodyProblems, RerunProblems, ServerProblems,
    )
)]
pub(crate) async fn run_rerun(
    State(state): State<AppState>,
    RunId(run_id): RunId,
    Query(pin): Query<PinQuery>,
    once: Once,
    request: Result<OptionalJson<RerunRequest>, Problem>,
) -> Result<Answer<Run>, Problem> {
    // Whatever is wrong with the body: a run that is not there comes first.
    let RunDetail { record, .. } = detail_of(&state, run_id).await?;
    let OptionalJson(RerunRequest { from_node, inputs, version }) = request?;
    let version_id = match (version.map(Pin::Number), pin.0) {
        (Some(_), Some(_)) => return Err(named_twice()),
        (None, None) => None,
        (Some(pin), None) | (None, Some(pin)) => Some(pinned(&state, record.workflow_id, &pin).await?.id),
    };
    let inputs = inputs.unwrap_or_default().into_map();
    let inputs = files::store_data_uris(&state.settings.data_dir, record.workflow_id, inputs).await?;
    let version = state.db.version(version_id.unwrap_or(record.version_id)).await?;
    let remember = version.as_ref().and_then(|version| start::keep_run(&once, version));
    let begun = state.engine.run_rerun(Rerun { run_id, version_id, from_node, inputs, remember }).await;
    let snapshot = start::started(&state, record.workflow_id, Resource::Run, begun).await?;
    viewed(&state, &snapshot).await
}

fn named_twice() -> Problem {
    let detail = "The version is named in the query too. Name it once.";
    Problem::invalid(Kind::InvalidBody, vec![ProblemItem::new("/version", "conflict", detail)])
}

/// Retry a failed run.
///
/// The run itself goes on: the nodes that failed, and those that were canceled for it, run again; every
/// other result stays. Answers at once.
#[utoipa::path(
    post, path = "/run/{run_id}/retry/", tag = "runs", operation_id = "retryRun",
    params(RunId),
    responses(
        (status = 200, description = "The run, about to go on.", body = Run, example = json!(examples::retried_run())),
        RunMissing, RunNotFailed, ServerProblems,
    )
)]
pub(crate) async fn run_retry(
    State(state): State<AppState>,
    RunId(id): RunId,
    once: Once,
) -> Result<Answer<Run>, Problem> {
    let remember = keep_change(&state, id, &once, audit::run).await?;
    let snapshot = state.engine.run_retry(id, remember).await.map_err(|error| Resource::Run.engine(error))?;
    viewed(&state, &snapshot).await
}

/// Keeps the answer about a run that is there with a change of it.
pub(crate) async fn keep_change(
    state: &AppState,
    id: Uuid,
    once: &Once,
    changed: fn(&Snapshot) -> Vec<Changed>,
) -> Result<Option<Remember<Snapshot>>, Problem> {
    if !once.has_key() {
        return Ok(once.tell(changed));
    }
    let RunDetail { version, log, .. } = detail_of(state, id).await?;
    // Of a batch, how far its rows are when the change is asked for.
    let rows = match RunState::from_log(log.iter().take(1)).batch {
        Some(batch) => Some((batch.rows, state.db.batch_counts(id).await?)),
        None => None,
    };
    Ok(once.keep(changed, move |run| {
        let view = run_view(run, Some(version.clone())).ok()?;
        kept(&[], &rows.into_iter().fold(view, |view, (total, counts)| view.with_rows(total, counts)))
    }))
}

async fn viewed(state: &AppState, snapshot: &Snapshot) -> Result<Answer<Run>, Problem> {
    let version = state.db.version(snapshot.record.version_id).await?;
    run_view(snapshot, version).map(Answer)
}

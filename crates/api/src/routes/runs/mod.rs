//! Runs.

pub(crate) mod batch;
pub(crate) mod cancel;
pub(crate) mod events;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod partial;
pub(crate) mod rerun;
pub(crate) mod retry;
pub(crate) mod run_and_wait;
pub(crate) mod start;
pub(crate) mod start_request;
pub(crate) mod timeline;
pub(crate) mod view;

use sluice_domain::run::RunState;
use sluice_engine::{Remember, RunStore as _, Snapshot};
use sluice_persistence::{RunDetail, VersionRow};
use uuid::Uuid;

use crate::change::audit::Changed;
use crate::change::{ChangeContext, kept};
use crate::error::Problem;
use crate::error::convert::Resource;
use crate::routes::runs::view::{Run, run_view};
use crate::state::AppState;

/// The run with its log and version.
pub(crate) async fn load_run(state: &AppState, id: Uuid) -> Result<RunDetail, Problem> {
    state.db.run_get(id).await?.ok_or_else(|| Resource::Run.not_found())
}

/// The run, folded, with its version.
pub(crate) async fn load_snapshot(
    state: &AppState,
    detail: RunDetail,
) -> Result<(Snapshot, VersionRow), Problem> {
    let RunDetail { record, log, version } = detail;
    let snapshot =
        state.engine.snapshot(record, &log).await.map_err(|error| Resource::Run.engine_problem(error))?;
    Ok((snapshot, version))
}

/// The run as clients see it.
pub(crate) async fn load_run_view(state: &AppState, detail: RunDetail) -> Result<Run, Problem> {
    /// Outputs above this size, in bytes, are copied off the async threads.
    const FEW: usize = 1 << 20;
    let (snapshot, version) = load_snapshot(state, detail).await?;
    let view = || run_view(&snapshot, Some(version));
    let run = if snapshot.state.size.bytes > FEW { tokio::task::block_in_place(view) } else { view() }?;
    add_batch_progress(state, &snapshot, run).await
}

/// A batch with how far its rows are; any other run as it is.
pub(crate) async fn add_batch_progress(
    state: &AppState,
    snapshot: &Snapshot,
    run: Run,
) -> Result<Run, Problem> {
    let Some(batch) = snapshot.state.batch else { return Ok(run) };
    let counts = state.db.batch_counts(snapshot.record.id).await?;
    Ok(run.with_batch_progress(batch.rows, counts))
}

/// Keeps the answer about a run that is there with a change of it.
pub(crate) async fn keep_change(
    state: &AppState,
    id: Uuid,
    change: &ChangeContext,
    changed: fn(&Snapshot) -> Vec<Changed>,
) -> Result<Option<Remember<Snapshot>>, Problem> {
    if !change.has_key() {
        return Ok(change.tell(changed));
    }
    let RunDetail { version, log, .. } = load_run(state, id).await?;
    // Of a batch, how far its rows are when the change is asked for.
    let rows = match RunState::from_log(log.iter().take(1)).batch {
        Some(batch) => Some((batch.rows, state.db.batch_counts(id).await?)),
        None => None,
    };
    Ok(change.keep(changed, move |run| {
        let view = run_view(run, Some(version.clone())).ok()?;
        kept(
            &[],
            &rows.into_iter().fold(view, |view, (total, counts)| view.with_batch_progress(total, counts)),
        )
    }))
}

/// The run in responses, with its version.
pub(crate) async fn view_with_version(state: &AppState, snapshot: &Snapshot) -> Result<Run, Problem> {
    let version = state.db.version_get(snapshot.record.version_id).await?;
    run_view(snapshot, version)
}

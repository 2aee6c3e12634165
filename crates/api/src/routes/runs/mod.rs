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

use chrono::{DateTime, Utc};
use sluice_domain::run::RunStatus;
use sluice_engine::{BatchCounts, RunStore as _, Snapshot};
use sluice_persistence::{RunDetail, VersionRow};
use uuid::Uuid;

use crate::error::Problem;
use crate::error::convert::Resource;
use crate::routes::runs::view::{Run, run_view, run_view_at};
use crate::state::AppState;

/// Loads a run with its log and version.
pub(crate) async fn load_run(state: &AppState, id: Uuid) -> Result<RunDetail, Problem> {
    state.db.run_get(id).await?.ok_or_else(|| Resource::Run.not_found())
}

/// Returns the state of a run, computed from its log, and its version.
pub(crate) async fn load_snapshot(
    state: &AppState,
    detail: RunDetail,
) -> Result<(Snapshot, VersionRow), Problem> {
    let RunDetail { record, log, version } = detail;
    let snapshot =
        state.engine.snapshot(record, &log).await.map_err(|error| Resource::Run.engine_problem(error))?;
    Ok((snapshot, version))
}

/// Converts a run for responses.
pub(crate) async fn load_run_view(state: &AppState, detail: RunDetail) -> Result<Run, Problem> {
    /// Outputs above this size, in bytes, are copied on a thread that may block.
    const MAX_INLINE_BYTES: usize = 1 << 20;
    let (snapshot, version) = load_snapshot(state, detail).await?;
    let view = || run_view(&snapshot, Some(version));
    let run = if snapshot.state.size.bytes > MAX_INLINE_BYTES {
        tokio::task::block_in_place(view)
    } else {
        view()
    }?;
    add_batch_progress(state, &snapshot, run).await
}

/// Adds the progress of its rows to the run of a batch. Returns other runs unchanged.
pub(crate) async fn add_batch_progress(
    state: &AppState,
    snapshot: &Snapshot,
    run: Run,
) -> Result<Run, Problem> {
    let Some(batch) = snapshot.state.batch else { return Ok(run) };
    let counts = state.db.batch_counts(snapshot.record.id).await?;
    Ok(run.with_batch_progress(batch.rows, counts))
}

/// Returns the run after the first `log_length` events, for the response to a repeated request.
pub(crate) async fn load_earlier_run(
    state: &AppState,
    id: Uuid,
    log_length: u64,
    at: DateTime<Utc>,
) -> Result<Run, Problem> {
    let mut detail = load_run(state, id).await?;
    detail.log.truncate(usize::try_from(log_length).unwrap_or(usize::MAX));
    let (snapshot, version) = load_snapshot(state, detail).await?;
    let run = run_view_at(&snapshot, Some(version), at)?;
    match snapshot.state.batch {
        // A new batch has no rows in progress.
        Some(batch) if snapshot.state.status == RunStatus::Pending => {
            Ok(run.with_batch_progress(batch.rows, BatchCounts::default()))
        }
        _ => add_batch_progress(state, &snapshot, run).await,
    }
}

/// Converts a run for responses. Loads its version.
pub(crate) async fn view_with_version(state: &AppState, snapshot: &Snapshot) -> Result<Run, Problem> {
    let version = state.db.version_get(snapshot.record.version_id).await?;
    run_view(snapshot, version)
}

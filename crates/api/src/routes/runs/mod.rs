//! Runs: start workflows, wait for them, look at them, cancel them, run them again.

pub(crate) mod again;
pub(crate) mod batch;
pub(crate) mod events;
pub(crate) mod read;
pub(crate) mod start;
pub(crate) mod timeline;
mod view;

use sluice_engine::{RunStore as _, Snapshot};
use sluice_persistence::{RunDetail, VersionRow};
use uuid::Uuid;

pub(crate) use view::{Run, run_view};

use crate::AppState;
use crate::problem::Problem;
use crate::refusal::Resource;

/// The run with its log and version.
pub(crate) async fn detail_of(state: &AppState, id: Uuid) -> Result<RunDetail, Problem> {
    state.db.run_detail(id).await?.ok_or_else(|| Resource::Run.missing())
}

/// The run, folded, with its version.
pub(crate) async fn snapshot_of(
    state: &AppState,
    detail: RunDetail,
) -> Result<(Snapshot, VersionRow), Problem> {
    let RunDetail { record, log, version } = detail;
    let snapshot = state.engine.snapshot(record, &log).await.map_err(|error| Resource::Run.engine(error))?;
    Ok((snapshot, version))
}

/// The run as clients see it.
pub(crate) async fn detail_view(state: &AppState, detail: RunDetail) -> Result<Run, Problem> {
    /// How many bytes of outputs are copied while others wait.
    const FEW: usize = 1 << 20;
    let (snapshot, version) = snapshot_of(state, detail).await?;
    let view = || run_view(&snapshot, Some(version));
    let run = if snapshot.state.size.bytes > FEW { tokio::task::block_in_place(view) } else { view() }?;
    with_rows(state, &snapshot, run).await
}

/// A batch with how far its rows are; any other run as it is.
async fn with_rows(state: &AppState, snapshot: &Snapshot, run: Run) -> Result<Run, Problem> {
    let Some(batch) = snapshot.state.batch else { return Ok(run) };
    let counts = state.db.batch_counts(snapshot.record.id).await?;
    Ok(run.with_rows(batch.rows, counts))
}

//! Batches. Each row is a run, and a limited number of rows is in progress at a time. The progress is read from the
//! runs of the rows; the log of the batch itself contains only its start and its end.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use serde_json::{Map, Value};
use sluice_domain::run::{Batch, Input};
use uuid::Uuid;

use super::start::StartRun;
use super::{Engine, spawn_detached};
use crate::change::ChangeOrigin;
use crate::driver::dispatcher::Wake;
use crate::error::EngineError;
use crate::journal::BatchSignals;
use crate::snapshot::Snapshot;
use crate::store::{RunRecord, StoreError};

/// Maximum number of rows per query.
const ROW_PAGE: u64 = 1_000;
/// Number of rows that are canceled concurrently, so that their commits share transactions.
const CONCURRENT_CANCELS: usize = 200;
/// Delay before the next attempt to drive a batch.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// A request to start a batch.
#[derive(Clone, Debug)]
pub struct StartBatch {
    /// The workflow.
    pub workflow_id: Uuid,
    /// The version that every row is pinned to.
    pub version_id: Uuid,
    /// {input node id: {field: value}} of each row, as JSON.
    pub rows: Vec<String>,
    /// Number of rows in progress at the same time.
    pub mini_batch_size: u32,
    /// The dataset that the rows were taken from.
    pub dataset_id: Option<Uuid>,
    /// The origin of the start.
    pub origin: Option<ChangeOrigin>,
}

impl Engine {
    /// Starts a batch. Returns it as soon as the batch and its rows are durable.
    ///
    /// # Errors
    /// Those of [`Engine::run_start`].
    pub async fn batch_start(&self, start: StartBatch) -> Result<Snapshot, EngineError> {
        if self.0.draining.is_cancelled() {
            return Err(EngineError::Draining);
        }
        let engine = self.clone();
        spawn_detached(async move {
            let StartBatch { workflow_id, version_id, rows, mini_batch_size, dataset_id, origin } = start;
            let record =
                RunRecord { dataset_id, ..RunRecord::new(workflow_id, version_id, "batch".to_owned()) };
            let batch = Batch { rows: rows.len() as u64, mini_batch_size };
            let mut driver = engine.new_run_driver(record).await?;
            driver.rows = rows;
            driver.origin = origin;
            let (snapshot, _) = engine.commit_start(driver, vec![Input::StartBatch(batch)]).await?;
            engine.dispatch(snapshot.record.id, workflow_id);
            Ok(snapshot)
        })
        .await
    }

    /// Drives a batch until it ends or is canceled.
    pub(super) async fn drive_batch(&self, run: Snapshot, wake: &Wake) {
        let id = run.record.id;
        loop {
            match self.drive_rows(&run, wake).await {
                Ok(()) | Err(EngineError::NotFound) => break,
                // The next start of the server resumes the batch.
                Err(EngineError::Draining) => {}
                Err(EngineError::Store(cause)) => self.0.journal.report_store_unavailable(&cause),
                Err(error) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::error!(run = %id, error, "batch not advanced, retrying");
                }
            }
            tokio::time::sleep(RETRY_DELAY).await;
        }
        self.0.journal.batches().remove(id);
        self.0.dispatcher.remove(id);
    }

    async fn drive_rows(&self, run: &Snapshot, wake: &Wake) -> Result<(), EngineError> {
        let id = run.record.id;
        let Some(Batch { rows, mini_batch_size }) = run.state.batch else { return Ok(()) };
        let BatchSignals { row_idle, canceled } = self.0.journal.batches().get_or_insert(id);
        self.append(id, &Input::Advance, None).await?;
        loop {
            if self.load_with_retry(id).await?.state.status.is_terminal() {
                return Ok(self.cancel_rows(Some(id)).await?);
            }
            let counts = self.0.journal.store.batch_counts(id).await?;
            if counts.ended_count() >= rows {
                return self.append(id, &Input::CompleteBatch, None).await.map(drop);
            }
            let free = u64::from(mini_batch_size).saturating_sub(counts.pending + counts.running);
            let first = counts.started_count();
            let next = self.0.journal.store.batch_rows(id, row_number(first), free.min(ROW_PAGE)).await?;
            for (row, inputs) in (first..).zip(&next) {
                if canceled.is_cancelled() {
                    break;
                }
                self.start_row(&run.record, row_number(row), inputs).await?;
            }
            if next.is_empty() {
                tokio::select! {
                    () = row_idle.notified() => {}
                    () = wake.wait() => {}
                }
            }
        }
    }

    async fn start_row(&self, batch: &RunRecord, row: i64, inputs: &str) -> Result<(), EngineError> {
        let inputs: Map<String, Value> =
            serde_json::from_str(inputs).map_err(|error| StoreError::Unreadable {
                table: "batch_rows",
                id: format!("{}/{row}", batch.id),
                what: error.to_string(),
            })?;
        let record = RunRecord {
            parent_run_id: Some(batch.id),
            batch_row: Some(row),
            ..RunRecord::new(batch.workflow_id, batch.version_id, batch.run_type.clone())
        };
        match self.run_start(StartRun { record, inputs, origin: None }).await {
            // The row was started already, or the batch was deleted. The next iteration of the loop detects it.
            Ok(_) | Err(EngineError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Cancels the unfinished rows of `batch`, or of all canceled batches if `batch` is `None`.
    pub(super) async fn cancel_rows(&self, batch: Option<Uuid>) -> Result<(), StoreError> {
        let mut skipped = HashSet::new();
        loop {
            let limit = ROW_PAGE + skipped.len() as u64;
            let mut rows = self.0.journal.store.unfinished_rows(batch, limit).await?;
            rows.retain(|row| !skipped.contains(row));
            if rows.is_empty() {
                return Ok(());
            }
            let results: Vec<_> = stream::iter(rows)
                .map(async |row| (row, self.run_cancel(row, None).await))
                .buffer_unordered(CONCURRENT_CANCELS)
                .collect()
                .await;
            for (row, result) in results {
                match result {
                    // The row has meanwhile ended or was deleted.
                    Ok(_) | Err(EngineError::Rejected(_) | EngineError::NotFound) => {}
                    Err(EngineError::Store(error @ (StoreError::Unavailable(_) | StoreError::Full(_)))) => {
                        return Err(error);
                    }
                    // An unreadable row must not prevent the others from being canceled.
                    Err(error) => {
                        let error: &dyn std::error::Error = &error;
                        tracing::error!(run = %row, error, "row of a batch not canceled");
                        skipped.insert(row);
                    }
                }
            }
        }
    }
}

/// Converts a row number to the type that the store uses.
fn row_number(row: u64) -> i64 {
    i64::try_from(row).unwrap_or(i64::MAX)
}

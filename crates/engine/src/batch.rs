//! Batches: one run a row, some of them at a time. The rows' own runs are the truth about how far a batch
//! is; its log says only that it was accepted, has begun and has ended.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use serde_json::{Map, Value};
use sluice_domain::run::{Batch, Input};
use uuid::Uuid;

use crate::dispatcher::Wake;
use crate::engine::{record, uninterrupted};
use crate::feed::Rows;
use crate::{Engine, EngineError, Remember, RunRecord, Snapshot, StartRun, StoreError};

/// How many rows are read at once.
const PAGE: u64 = 1_000;
/// How many rows are canceled at once: their commits are grouped.
const CANCELS: usize = 200;
/// How long a batch waits for a store that gives no answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// A batch that is asked for.
#[derive(Clone, Debug)]
pub struct StartBatch {
    /// The workflow.
    pub workflow_id: Uuid,
    /// The version of it that every row is pinned to.
    pub version_id: Uuid,
    /// {input node id: {field: value}} of each row, as JSON.
    pub rows: Vec<String>,
    /// How many rows go on at the same time.
    pub mini_batch_size: u32,
    /// The dataset that the rows were taken from.
    pub dataset_id: Option<Uuid>,
    /// What is kept for a client that asks again.
    pub remember: Option<Remember<Snapshot>>,
}

impl Engine {
    /// Starts a batch and answers as soon as it is durable, its rows with it.
    ///
    /// # Errors
    /// As [`Engine::run_start`].
    pub async fn batch_start(&self, start: StartBatch) -> Result<Snapshot, EngineError> {
        if self.draining().is_cancelled() {
            return Err(EngineError::Draining);
        }
        let engine = self.clone();
        uninterrupted(async move {
            let StartBatch { workflow_id, version_id, rows, mini_batch_size, dataset_id, remember } = start;
            let record = RunRecord { dataset_id, ..record(workflow_id, version_id, "batch".to_owned()) };
            let batch = Batch { rows: rows.len() as u64, mini_batch_size };
            let mut driver = engine.new_driver(record).await?;
            driver.rows = rows;
            driver.remember = remember;
            let (snapshot, _) = engine.first(driver, vec![Input::StartBatch(batch)]).await?;
            engine.dispatch(snapshot.record.id, workflow_id);
            Ok(snapshot)
        })
        .await
    }

    /// Drives a batch to its end, or until it is canceled.
    pub(crate) async fn drive_batch(&self, run: Snapshot, wake: &Wake) {
        let id = run.record.id;
        loop {
            match self.bring_rows_on(&run, wake).await {
                Ok(()) | Err(EngineError::NotFound) => break,
                // The next start takes it up.
                Err(EngineError::Draining) => {}
                Err(EngineError::Store(cause)) => self.journal().gives_no_answer(&cause),
                Err(cause) => {
                    let cause: &dyn std::error::Error = &cause;
                    tracing::error!(run = %id, cause, "a batch can't go on, it is tried again");
                }
            }
            tokio::time::sleep(PATIENCE).await;
        }
        self.journal().forget_rows_of(id);
        self.let_go(id);
    }

    async fn bring_rows_on(&self, run: &Snapshot, wake: &Wake) -> Result<(), EngineError> {
        let id = run.record.id;
        let Some(Batch { rows, mini_batch_size }) = run.state.batch else { return Ok(()) };
        let Rows { rested, called_off } = self.journal().rows_of(id);
        self.tell(id, &Input::Advance).await?;
        loop {
            if self.load_patiently(id).await?.state.status.is_terminal() {
                return Ok(self.cancel_rows(Some(id)).await?);
            }
            let counts = self.journal().store.batch_counts(id).await?;
            if counts.ended() >= rows {
                return self.tell(id, &Input::RowsEnded).await.map(drop);
            }
            let room = u64::from(mini_batch_size).saturating_sub(counts.pending + counts.running);
            let begun = counts.begun();
            let next = self.journal().store.batch_rows(id, row_number(begun), room.min(PAGE)).await?;
            for (row, inputs) in (begun..).zip(&next).take_while(|_| !called_off.is_cancelled()) {
                self.start_row(&run.record, row_number(row), inputs).await?;
            }
            if next.is_empty() {
                tokio::select! {
                    () = rested.notified() => {}
                    () = wake.woken() => {}
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
        let start = StartRun {
            workflow_id: batch.workflow_id,
            version_id: batch.version_id,
            inputs,
            parent_run_id: Some(batch.id),
            batch_row: Some(row),
            run_type: batch.run_type.clone(),
            remember: None,
        };
        match self.run_start(start).await {
            // It was begun already, or the batch was deleted: the next look tells.
            Ok(_) | Err(EngineError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Cancels the rows that have not ended: of this batch, or of every batch that was canceled.
    pub(crate) async fn cancel_rows(&self, batch: Option<Uuid>) -> Result<(), StoreError> {
        let mut left_alone = HashSet::new();
        loop {
            let limit = PAGE + left_alone.len() as u64;
            let mut rows = self.journal().store.unfinished_rows(batch, limit).await?;
            rows.retain(|row| !left_alone.contains(row));
            if rows.is_empty() {
                return Ok(());
            }
            let cancel = |row| async move { (row, self.run_cancel(row, None).await) };
            let canceled: Vec<_> = stream::iter(rows).map(cancel).buffer_unordered(CANCELS).collect().await;
            for (row, canceled) in canceled {
                match canceled {
                    // It has ended meanwhile, or was deleted.
                    Ok(_) | Err(EngineError::Refused(_) | EngineError::NotFound) => {}
                    Err(EngineError::Store(away @ (StoreError::Unavailable(_) | StoreError::Full(_)))) => {
                        return Err(away);
                    }
                    // One that can't be read keeps none of the others.
                    Err(cause) => {
                        let cause: &dyn std::error::Error = &cause;
                        tracing::error!(run = %row, cause, "a row of a batch can't be canceled");
                        left_alone.insert(row);
                    }
                }
            }
        }
    }
}

fn row_number(row: u64) -> i64 {
    i64::try_from(row).unwrap_or(i64::MAX)
}

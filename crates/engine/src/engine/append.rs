//! Operations that append to the log of an existing run: decide a pause, retry, cancel.

use sluice_domain::pause::PauseDecision;
use sluice_domain::run::{Input, InputError, RunStatus};
use uuid::Uuid;

use super::{Engine, spawn_detached};
use crate::driver::decide::decide_now;
use crate::error::EngineError;
use crate::remember::Remember;
use crate::snapshot::{Applied, Snapshot};
use crate::store::{Commit, CommitError, StoredRun};

impl Engine {
    /// Decides the open pause at `node_id`, or the oldest one if none is given, and resumes the run.
    ///
    /// # Errors
    /// When the run or the open pause doesn't exist, or the store fails.
    pub async fn pause_decide(
        &self,
        run_id: Uuid,
        node_id: Option<String>,
        decision: PauseDecision,
        remember: Option<Remember<Snapshot>>,
    ) -> Result<Snapshot, EngineError> {
        let engine = self.clone();
        spawn_detached(async move {
            let input = Input::Decide(node_id, decision);
            let snapshot = engine.append(run_id, &input, remember.as_ref()).await?;
            engine.dispatch(run_id, snapshot.record.workflow_id);
            Ok(snapshot)
        })
        .await
    }

    /// Resumes a failed run at the nodes that failed.
    ///
    /// # Errors
    /// When the run doesn't exist, has not failed or is a row of a canceled batch, or the store fails.
    pub async fn run_retry(
        &self,
        run_id: Uuid,
        remember: Option<Remember<Snapshot>>,
    ) -> Result<Snapshot, EngineError> {
        let engine = self.clone();
        spawn_detached(async move {
            let record = engine.load(run_id).await?.record;
            if let Some(batch) = record.batch()
                && engine.load(batch).await?.state.status == RunStatus::Canceled
            {
                return Err(InputError::BatchCanceled.into());
            }
            let snapshot = engine.append(run_id, &Input::Retry, remember.as_ref()).await?;
            engine.dispatch(run_id, snapshot.record.workflow_id);
            Ok(snapshot)
        })
        .await
    }

    /// Cancels a run and stops its nodes.
    ///
    /// # Errors
    /// When the run doesn't exist or has ended, or the store fails.
    pub async fn run_cancel(
        &self,
        run_id: Uuid,
        remember: Option<Remember<Snapshot>>,
    ) -> Result<Snapshot, EngineError> {
        let engine = self.clone();
        spawn_detached(async move {
            let snapshot = engine.append(run_id, &Input::Cancel, remember.as_ref()).await?;
            engine.0.dispatcher.wake(run_id);
            Ok(snapshot)
        })
        .await
    }

    /// Decides an input from outside of the run's driver and appends the events to its log. Retries when another
    /// writer appends first.
    pub(super) async fn append(
        &self,
        run_id: Uuid,
        input: &Input,
        remember: Option<&Remember<Snapshot>>,
    ) -> Result<Snapshot, EngineError> {
        loop {
            let StoredRun { record, log } =
                self.0.journal.store.run(run_id).await?.ok_or(EngineError::NotFound)?;
            let mut snapshot = self.snapshot(record, &log).await?;
            let first = snapshot.state.length;
            let decision = decide_now(&snapshot.plan, &mut snapshot.state, input.clone())?;
            if decision.events.is_empty() {
                return Ok(snapshot);
            }
            snapshot.applied =
                Some(Applied { status_before: snapshot.record.status, events: decision.events.clone() });
            snapshot.record = snapshot.record.with_state(&snapshot.state);
            let commit = Commit {
                record: snapshot.record.clone(),
                first,
                events: decision.events,
                rows: Vec::new(),
                kept: remember.map(|remember| remember.of(&snapshot)).unwrap_or_default(),
            };
            match self.0.journal.commit(commit, &snapshot.plan, &snapshot.state).await {
                Ok(()) => return Ok(snapshot),
                // Another writer made progress, so this loop ends.
                Err(CommitError::Conflict) => {}
                Err(CommitError::Gone) => return Err(EngineError::NotFound),
                Err(CommitError::Store(error)) => {
                    // The commit may have succeeded although its answer was lost: then the run has to continue.
                    self.dispatch(run_id, snapshot.record.workflow_id);
                    return Err(error.into());
                }
            }
        }
    }
}

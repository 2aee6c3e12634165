//! Operations on existing runs: deciding a pause, retrying and canceling. They append to the log of the run.

use sluice_domain::pause::PauseDecision;
use sluice_domain::run::{Event, Input, InputError, RunState, RunStatus, pause_ids};
use uuid::Uuid;

use super::{Engine, spawn_detached};
use crate::change::{AuditEntry, ChangeOrigin, RunOutcome, RunSideRecords, Subject};
use crate::driver::decide::decide_now;
use crate::error::EngineError;
use crate::snapshot::Snapshot;
use crate::store::{Commit, CommitError, RunRecord, StoredRun};

impl Engine {
    /// Decides the open pause at `node_id`, or the oldest open pause if `node_id` is `None`, and resumes the run.
    ///
    /// # Errors
    /// The run or the open pause doesn't exist, or the store failed.
    pub async fn pause_decide(
        &self,
        run_id: Uuid,
        node_id: Option<String>,
        decision: PauseDecision,
        origin: Option<ChangeOrigin>,
    ) -> Result<Snapshot, EngineError> {
        self.change(run_id, Input::Decide(node_id, decision), origin).await
    }

    /// Resumes a failed run at the nodes that failed.
    ///
    /// # Errors
    /// The run doesn't exist, has not failed or is a row of a canceled batch, or the store failed.
    pub async fn run_retry(
        &self,
        run_id: Uuid,
        origin: Option<ChangeOrigin>,
    ) -> Result<Snapshot, EngineError> {
        self.change(run_id, Input::Retry, origin).await
    }

    /// Cancels a run and stops its nodes.
    ///
    /// # Errors
    /// The run doesn't exist or has ended, or the store failed.
    pub async fn run_cancel(
        &self,
        run_id: Uuid,
        origin: Option<ChangeOrigin>,
    ) -> Result<Snapshot, EngineError> {
        self.change(run_id, Input::Cancel, origin).await
    }

    /// Appends the events of an operation, then continues the run or stops its driver.
    async fn change(
        &self,
        run_id: Uuid,
        input: Input,
        origin: Option<ChangeOrigin>,
    ) -> Result<Snapshot, EngineError> {
        let engine = self.clone();
        spawn_detached(async move {
            let snapshot = engine.append(run_id, &input, origin.as_ref()).await?;
            if snapshot.state.status.is_terminal() {
                // The driver, if there is one, stops the nodes.
                engine.0.dispatcher.wake(run_id);
            } else {
                engine.dispatch(run_id, snapshot.record.workflow_id);
            }
            Ok(snapshot)
        })
        .await
    }

    /// Decides an input independently of the driver of the run, and appends the events to the log. Retries if another
    /// writer appended first.
    pub(super) async fn append(
        &self,
        run_id: Uuid,
        input: &Input,
        origin: Option<&ChangeOrigin>,
    ) -> Result<Snapshot, EngineError> {
        loop {
            let StoredRun { record, log } =
                self.0.journal.store.run(run_id).await?.ok_or(EngineError::NotFound)?;
            if matches!(input, Input::Retry) {
                self.require_active_batch(&record).await?;
            }
            let mut snapshot = self.snapshot(record, &log).await?;
            let (first, status_before) = (snapshot.state.length, snapshot.record.status);
            let decision = decide_now(&snapshot.plan, &mut snapshot.state, input.clone())?;
            if decision.events.is_empty() {
                return Ok(snapshot);
            }
            snapshot.record = snapshot.record.with_state(&snapshot.state);
            let side_records = origin.map(|origin| RunSideRecords {
                origin: origin.clone(),
                audit: audit_entries(&snapshot, status_before, &decision.events),
                outcome: RunOutcome::Changed { run_id, log_length: snapshot.state.length },
            });
            let commit = Commit {
                record: snapshot.record.clone(),
                first,
                events: decision.events,
                rows: Vec::new(),
                side_records,
            };
            match self.0.journal.commit(commit, &snapshot.plan, &snapshot.state).await {
                Ok(()) => return Ok(snapshot),
                // Each conflict means that another writer succeeded, so the loop terminates.
                Err(CommitError::Conflict) => {}
                Err(CommitError::Gone) => return Err(EngineError::NotFound),
                Err(CommitError::Store(error)) => {
                    // The commit may have succeeded although its reply was lost. Then the run has to continue.
                    self.dispatch(run_id, snapshot.record.workflow_id);
                    return Err(error.into());
                }
            }
        }
    }

    /// Rejects a row of a canceled batch.
    async fn require_active_batch(&self, row: &RunRecord) -> Result<(), EngineError> {
        match row.batch() {
            Some(batch) if self.load(batch).await?.state.status == RunStatus::Canceled => {
                Err(InputError::BatchCanceled.into())
            }
            _ => Ok(()),
        }
    }
}

/// Returns the audit entries for the run and for the pauses that were decided.
fn audit_entries(after: &Snapshot, status_before: RunStatus, events: &[Event]) -> Vec<AuditEntry> {
    let Snapshot { record, state, .. } = after;
    let [before, after] = [status_before, record.status].map(|status| Some(status.as_str().to_owned()));
    let run = AuditEntry::new(Subject::Run, record.id).with_states(before, after);
    let pauses = events.iter().filter_map(|event| pause_entry(record.id, state, event));
    std::iter::once(run).chain(pauses).collect()
}

fn pause_entry(run_id: Uuid, state: &RunState, event: &Event) -> Option<AuditEntry> {
    let Event::PauseDecided { task, decision, at } = event else { return None };
    let is_decided_now = |decided: &(PauseDecision, _)| decided.1 == *at;
    let index = state
        .pauses
        .iter()
        .rposition(|pause| pause.task == *task && pause.decided.as_ref().is_some_and(is_decided_now))?;
    let id = pause_ids(run_id, &state.pauses[..=index]).pop()?;
    let after = format!("{} by {}", decision.action.as_str(), decision.user_id);
    Some(AuditEntry::new(Subject::Pause, id).with_states(Some("open".to_owned()), Some(after)))
}

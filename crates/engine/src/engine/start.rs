//! Starts runs, and waits for their end.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use sluice_domain::run::{Input, ReusedOutput, RunState, RunStatus};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{Engine, spawn_detached};
use crate::change::ChangeOrigin;
use crate::driver::{AppendError, Driver};
use crate::error::EngineError;
use crate::snapshot::Snapshot;
use crate::store::{CommitError, RunRecord};

/// A request to start a run.
#[derive(Clone, Debug)]
pub struct StartRun {
    /// The record of the new run.
    pub record: RunRecord,
    /// {input node id: {field: value}}.
    pub inputs: Map<String, Value>,
    /// The origin of the start. `None` if the engine itself starts the run.
    pub origin: Option<ChangeOrigin>,
}

/// A run to start.
pub(super) struct NewRun {
    pub(super) start: StartRun,
    /// Results of another run to reuse.
    pub(super) reused: Option<Vec<ReusedOutput>>,
    /// True if the caller waits until the run ends or pauses.
    pub(super) is_awaited: bool,
}

impl From<StartRun> for NewRun {
    fn from(start: StartRun) -> Self {
        Self { start, reused: None, is_awaited: false }
    }
}

impl Engine {
    /// Starts a run, which is driven in the background. Returns it as soon as it is durable.
    ///
    /// # Errors
    /// The server is stopping, the version doesn't exist or can't be executed, or the store failed.
    pub async fn run_start(&self, start: StartRun) -> Result<Snapshot, EngineError> {
        let engine = self.clone();
        spawn_detached(async move {
            let (accepted, driver) = engine.start(start.into()).await?;
            engine.drive(driver, None);
            Ok(accepted)
        })
        .await
    }

    /// Starts a run and waits until it ends or pauses, or `timeout` has passed.
    ///
    /// # Errors
    /// Those of [`Self::run_start`].
    pub async fn run_wait(&self, start: StartRun, timeout: Duration) -> Result<Snapshot, EngineError> {
        let engine = self.clone();
        let (snapshot, finished) = spawn_detached(async move {
            let (_, driver) = engine.start(NewRun { is_awaited: true, ..start.into() }).await?;
            if driver.is_idle() {
                return Ok((driver.into_snapshot(), None));
            }
            let snapshot = driver.snapshot();
            let (waiter, finished) = oneshot::channel();
            engine.drive(driver, Some(waiter));
            Ok((snapshot, Some(finished)))
        })
        .await?;
        let Some(finished) = finished else { return Ok(snapshot) };
        let run_id = snapshot.record.id;
        tokio::select! {
            result = finished => match result {
                Ok(snapshot) => Ok(snapshot),
                // The driver gave up, or another driver has replaced it.
                Err(_) => self.load(run_id).await,
            },
            () = tokio::time::sleep(timeout) => self.load(run_id).await,
            () = self.wait_drained() => self.load(run_id).await,
        }
    }

    /// Waits until an existing run ends or pauses, or `timeout` has passed.
    ///
    /// # Errors
    /// The run doesn't exist, or the store failed.
    pub async fn run_await(&self, run_id: Uuid, timeout: Duration) -> Result<Snapshot, EngineError> {
        let mut stream = self.run_events(run_id, 0).await?;
        let finished = async {
            while stream.next().await?.is_some() {
                let status = self.load(run_id).await?.state.status;
                if status.is_terminal() || status == RunStatus::Paused {
                    break;
                }
            }
            Ok::<(), EngineError>(())
        };
        tokio::select! {
            result = finished => result?,
            () = tokio::time::sleep(timeout) => {}
            () = self.wait_drained() => {}
        }
        self.load(run_id).await
    }

    /// Commits the start of a run. Returns the run in its accepted state, and its driver. If a slot is free, the run
    /// advances in the same commit: a run without side effects is then complete.
    pub(super) async fn start(&self, new: NewRun) -> Result<(Snapshot, Driver), EngineError> {
        if self.0.draining.is_cancelled() {
            return Err(EngineError::Draining);
        }
        let NewRun { start, reused, is_awaited } = new;
        let StartRun { record, inputs, origin } = start;
        let workflow_id = record.workflow_id;
        let mut driver = self.new_run_driver(record).await?;
        (driver.origin, driver.is_awaited) = (origin, is_awaited);
        driver.permit = self.0.run_slots.try_acquire(workflow_id);
        driver.wake = Some(self.0.dispatcher.reserve(driver.record.id));
        let mut inputs = vec![Input::Start(Arc::new(inputs))];
        inputs.extend(reused.map(Input::Reuse));
        self.commit_start(driver, inputs).await
    }

    pub(super) async fn new_run_driver(&self, record: RunRecord) -> Result<Driver, EngineError> {
        let plan = self.0.plans.get(record.version_id).await?;
        Ok(self.new_driver(Snapshot { record, state: RunState::default(), plan }))
    }

    /// Decides and commits the first inputs of a run.
    pub(super) async fn commit_start(
        &self,
        mut driver: Driver,
        inputs: Vec<Input>,
    ) -> Result<(Snapshot, Driver), EngineError> {
        let (run, workflow) = (driver.record.id, driver.record.workflow_id);
        let result = driver.start(inputs).await;
        let needs_no_driver = driver.wake.is_some() && (result.is_err() || driver.is_idle());
        let was_woken = needs_no_driver && !self.0.dispatcher.try_remove(run);
        if was_woken {
            self.0.dispatcher.remove(run);
        }
        // The commit may have succeeded although its reply was lost. Then the run has to be driven.
        let may_be_committed = matches!(result, Err(AppendError::Commit(CommitError::Store(_))));
        if was_woken || may_be_committed {
            self.dispatch(run, workflow);
        }
        Ok((result?, driver))
    }
}

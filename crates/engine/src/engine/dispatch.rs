//! Assigns drivers to runs.

use std::sync::Arc;

use sluice_domain::run::Input;
use tokio::sync::oneshot;
use tracing::error;
use uuid::Uuid;

use super::Engine;
use crate::driver::Driver;
use crate::driver::dispatcher::Wake;
use crate::error::EngineError;
use crate::fair_semaphore::{Acquire, Permit};
use crate::snapshot::Snapshot;

impl Engine {
    pub(super) fn new_driver(&self, run: Snapshot) -> Driver {
        Driver::new(Arc::clone(&self.0.journal), self.0.runner_context.clone(), run)
    }

    /// Spawns the driver of a run that has just started. Sends the run to `waiter` when it ends or pauses.
    pub(super) fn drive(&self, mut driver: Driver, waiter: Option<oneshot::Sender<Snapshot>>) {
        if driver.is_idle() {
            return;
        }
        let (run, workflow) = (driver.record.id, driver.record.workflow_id);
        if driver.permit.is_none() && waiter.is_none() {
            // Frees the memory of a run that waits for a slot. The run is loaded again later.
            self.0.dispatcher.remove(run);
            return self.dispatch(run, workflow);
        }
        let wake = driver.wake.take().unwrap_or_else(|| self.0.dispatcher.reserve(run));
        let acquire = driver.permit.take().map_or_else(|| self.0.run_slots.acquire(workflow), Acquire::Ready);
        let engine = self.clone();
        let drive = async move {
            driver.permit = engine.acquire_run_slot(run, acquire, &wake).await;
            if driver.permit.is_none() {
                return engine.0.dispatcher.remove(run);
            }
            let driver = driver.drive(Input::Advance, wake, engine.0.dispatcher.clone()).await;
            if let (Some(driver), Some(waiter)) = (driver, waiter) {
                // Fails if the caller has stopped waiting.
                let _ = waiter.send(driver.into_snapshot());
            }
        };
        self.0.dispatcher.spawn(run, drive, self.restart(run, workflow));
    }

    /// Wakes the driver of a run, or spawns one that loads the run from the store.
    pub(super) fn dispatch(&self, run_id: Uuid, workflow_id: Uuid) {
        let drive = |wake: Arc<Wake>| {
            // Join the queue before spawning the task, so that recovered runs keep their order.
            let acquire = self.0.run_slots.acquire(workflow_id);
            let engine = self.clone();
            async move { engine.resume(run_id, acquire, wake).await }
        };
        self.0.dispatcher.dispatch(run_id, drive, self.restart(run_id, workflow_id));
    }

    fn restart(&self, run_id: Uuid, workflow_id: Uuid) -> impl FnOnce() + Send + 'static {
        let engine = self.clone();
        move || engine.dispatch(run_id, workflow_id)
    }

    /// Loads a run and continues it from the end of its log.
    async fn resume(&self, run_id: Uuid, acquire: Acquire, wake: Arc<Wake>) {
        let dispatcher = self.0.dispatcher.clone();
        // Acquire the slot before loading the run, because many runs may be waiting.
        let Some(permit) = self.acquire_run_slot(run_id, acquire, &wake).await else {
            return dispatcher.remove(run_id);
        };
        match self.load_with_retry(run_id).await {
            Ok(run) if run.state.batch.is_some() => {
                // Only the rows of a batch need slots.
                drop(permit);
                self.drive_batch(run, &wake).await;
            }
            Ok(run) => {
                let mut driver = self.new_driver(run);
                driver.permit = Some(permit);
                driver.drive(Input::Recover, wake, dispatcher).await;
            }
            // The run was deleted meanwhile, or was never committed.
            Err(EngineError::NotFound) => dispatcher.remove(run_id),
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                error!(run = %run_id, error, "run can't be driven");
                dispatcher.remove(run_id);
            }
        }
    }

    /// Waits for a slot of the concurrency limit. Returns `None` if the run has meanwhile ended or was deleted.
    async fn acquire_run_slot(&self, run_id: Uuid, acquire: Acquire, wake: &Wake) -> Option<Permit> {
        let mut acquire = std::pin::pin!(acquire.wait());
        loop {
            tokio::select! {
                biased;
                permit = &mut acquire => return Some(permit),
                () = wake.wait() => {
                    let run = self.load_with_retry(run_id).await.ok()?;
                    if run.state.status.is_terminal() {
                        return None;
                    }
                }
            }
        }
    }
}

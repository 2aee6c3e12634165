//! The commit path: appends events to logs, then publishes them.

mod batch_signals;
mod subscription;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sluice_domain::run::{Event, Plan, RunState, RunStatus};
use tokio::sync::watch;
use tracing::{info, warn};
use uuid::Uuid;

use crate::store::{Commit, CommitError, RunStore, StoreError};
use crate::telemetry::Telemetry;
use batch_signals::BatchSignalsMap;
use subscription::Subscribers;

pub(crate) use batch_signals::BatchSignals;
pub(crate) use subscription::{LogAppended, Subscription};

/// The only writer of run logs in this process, so that every commit is published to subscribers.
pub(crate) struct Journal {
    pub(crate) store: Arc<dyn RunStore>,
    pub(crate) telemetry: Telemetry,
    subscribers: Arc<Subscribers>,
    batches: BatchSignalsMap,
    /// A counter that is incremented when a pause is opened or decided, or a run ends.
    pause_changes: watch::Sender<u64>,
    /// True if the store was unavailable at the last attempt.
    store_unavailable: AtomicBool,
}

impl Journal {
    pub(crate) fn new(store: Arc<dyn RunStore>, telemetry: Telemetry) -> Self {
        Self {
            store,
            telemetry,
            subscribers: Arc::default(),
            batches: BatchSignalsMap::default(),
            pause_changes: watch::Sender::new(0),
            store_unavailable: AtomicBool::new(false),
        }
    }

    /// Appends events to the log of a run, and publishes them when they are durable. `state` is the state after the
    /// events.
    pub(crate) async fn commit(
        &self,
        commit: Commit,
        plan: &Plan,
        state: &RunState,
    ) -> Result<(), CommitError> {
        let summary = self.telemetry.summarize(&commit, plan, state);
        let first = commit.first;
        let (run, status, batch) = (commit.record.id, commit.record.status, commit.record.batch());
        let events: Option<Arc<[Event]>> =
            self.subscribers.has_any(run).then(|| commit.events.as_slice().into());
        let changes_pauses = status.is_terminal() || commit.events.iter().any(Event::changes_pause);
        self.store.commit(commit).await?;
        self.report_store_available();
        self.telemetry.record(&summary);
        // When a row ends or pauses, its batch can start the next one.
        if status.is_terminal() || status == RunStatus::Paused {
            self.notify_batch(batch);
        }
        if status == RunStatus::Canceled
            && let Some(signals) = self.batches.get(run)
        {
            signals.canceled.cancel();
        }
        self.subscribers.publish(run, LogAppended { first, events });
        if changes_pauses {
            self.pause_changes.send_modify(|count| *count += 1);
        }
        Ok(())
    }

    fn notify_batch(&self, batch: Option<Uuid>) {
        if let Some(signals) = batch.and_then(|batch| self.batches.get(batch)) {
            signals.row_idle.notify_one();
        }
    }

    /// Returns the signals of driven batches.
    pub(crate) fn batches(&self) -> &BatchSignalsMap {
        &self.batches
    }

    /// Subscribes to the commits of `run` from now on.
    pub(crate) fn subscribe(&self, run: Uuid) -> Subscription {
        Subscribers::subscribe(&self.subscribers, run)
    }

    /// Subscribes to changes of pauses and ends of runs, for all runs.
    pub(crate) fn pause_changes(&self) -> watch::Receiver<u64> {
        self.pause_changes.subscribe()
    }

    /// Logs that the store is unavailable, but only once until it is available again.
    pub(crate) fn report_store_unavailable(&self, cause: &StoreError) {
        if !self.store_unavailable.swap(true, Ordering::Relaxed) {
            let cause: &dyn std::error::Error = cause;
            warn!(cause, "database unavailable, runs are waiting");
        }
    }

    fn report_store_available(&self) {
        if self.store_unavailable.load(Ordering::Relaxed)
            && self.store_unavailable.swap(false, Ordering::Relaxed)
        {
            info!("database available again");
        }
    }
}

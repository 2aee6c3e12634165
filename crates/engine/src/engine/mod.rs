//! The façade of the crate. Each file implements a group of operations on [`Engine`].

pub(crate) mod append;
pub(crate) mod batch;
mod dispatch;
pub(crate) mod partial_run;
pub(crate) mod rerun;
pub(crate) mod run_stream;
pub(crate) mod start;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::global::BoxedTracer;
use opentelemetry::trace::FutureExt as _;
use prometheus_client::registry::Registry;
use sluice_domain::run::{Event, RunState};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::info;
use uuid::Uuid;

use crate::driver::dispatcher::Dispatcher;
use crate::driver::task_runner::RunnerContext;
use crate::error::EngineError;
use crate::executors::Executors;
use crate::fair_semaphore::FairSemaphore;
use crate::journal::Journal;
use crate::options::Options;
use crate::plan_cache::PlanCache;
use crate::snapshot::Snapshot;
use crate::store::{RunRecord, RunStore, StoreError};
use crate::telemetry::Telemetry;

/// Page size for reading unfinished runs at startup.
const RECOVERY_PAGE: u64 = 500;
/// Minimum number of events in a log whose folding blocks the thread noticeably.
const LONG_LOG: usize = 2_000;
/// Minimum and maximum delay between attempts to load a run from an unavailable store.
const LOAD_BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// Starts runs, applies operations to them, and drives them. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    journal: Arc<Journal>,
    runner_context: RunnerContext,
    /// Limits the runs that are driven at the same time.
    run_slots: FairSemaphore,
    plans: PlanCache,
    dispatcher: Dispatcher,
    draining: CancellationToken,
    drain: Duration,
}

impl Engine {
    /// Creates an engine that uses `store`. No run is driven before [`Self::recover`] or a start.
    #[must_use]
    pub fn new(store: Arc<dyn RunStore>, executors: Executors, options: Options) -> Self {
        let Options { drain, limits, policies, tracer } = options;
        Self(Arc::new(Inner {
            plans: PlanCache::new(Arc::clone(&store), policies),
            journal: Arc::new(Journal::new(store, Telemetry::new(tracer))),
            runner_context: RunnerContext {
                executors,
                node_slots: FairSemaphore::new(limits.nodes, limits.nodes),
            },
            run_slots: FairSemaphore::new(limits.runs, limits.runs_per_workflow),
            dispatcher: Dispatcher::default(),
            draining: CancellationToken::new(),
            drain,
        }))
    }

    /// Dispatches all unfinished runs of earlier server processes, and returns their number.
    ///
    /// # Errors
    /// The store failed.
    pub async fn recover(&self) -> Result<usize, StoreError> {
        let (mut count, mut after) = (0, None);
        loop {
            let runs = self.0.journal.store.driven_runs(after, RECOVERY_PAGE).await?;
            let Some((last, _)) = runs.last().copied() else { break };
            count += runs.len();
            for (run, workflow) in runs {
                self.dispatch(run, workflow);
            }
            after = Some(last);
        }
        self.cancel_rows(None).await?;
        if count > 0 {
            info!(runs = count, "resumed unfinished runs");
        }
        Ok(count)
    }

    /// Folds a log into a snapshot of its run.
    ///
    /// # Errors
    /// The version of the run doesn't exist or is unreadable, or the store failed.
    pub async fn snapshot(&self, record: RunRecord, log: &[Event]) -> Result<Snapshot, EngineError> {
        let plan = self.0.plans.get(record.version_id).await?;
        let state = if log.len() > LONG_LOG {
            tokio::task::block_in_place(|| RunState::from_log(log))
        } else {
            RunState::from_log(log)
        };
        Ok(Snapshot { record, state, plan })
    }

    async fn load(&self, run_id: Uuid) -> Result<Snapshot, EngineError> {
        let run = self.0.journal.store.run(run_id).await?.ok_or(EngineError::NotFound)?;
        self.snapshot(run.record, &run.log).await
    }

    /// Loads a run, retrying while the store is unavailable.
    async fn load_with_retry(&self, run_id: Uuid) -> Result<Snapshot, EngineError> {
        let mut backoff = LOAD_BACKOFF.0;
        loop {
            match self.load(run_id).await {
                Err(EngineError::Store(cause)) if !matches!(cause, StoreError::Unreadable { .. }) => {
                    self.0.journal.report_store_unavailable(&cause);
                    tokio::time::sleep(backoff).await;
                }
                result => return result,
            }
            backoff = (backoff * 2).min(LOAD_BACKOFF.1);
        }
    }

    /// Subscribes to changes of pauses: a pause was opened or decided, or its run has ended.
    #[must_use]
    pub fn pause_changes(&self) -> watch::Receiver<u64> {
        self.0.journal.pause_changes()
    }

    /// Returns a token that is canceled when the server begins to stop.
    #[must_use]
    pub fn draining(&self) -> CancellationToken {
        self.0.draining.clone()
    }

    /// Begins to drain: rejects new runs. Requests that wait for a run have the drain time to finish.
    pub fn drain(&self) {
        self.0.draining.cancel();
    }

    /// Waits until the server has begun to stop and the drain time is over.
    async fn wait_drained(&self) {
        self.0.draining.cancelled().await;
        tokio::time::sleep(self.0.drain).await;
    }

    /// Stops all drivers. Unfinished runs continue at the next start of the server.
    pub async fn stop(&self) {
        self.drain();
        self.0.dispatcher.stop().await;
        self.0.journal.telemetry.stop();
    }

    /// Returns the tracer, if tracing is enabled.
    #[must_use]
    pub fn tracer(&self) -> Option<&Arc<BoxedTracer>> {
        self.0.journal.telemetry.tracer()
    }

    /// Registers the metrics of runs, nodes and concurrency limits.
    pub fn register_metrics(&self, registry: &mut Registry) {
        self.0.journal.telemetry.register(registry);
    }

    /// Updates the metrics of the concurrency limits. To be called before each scrape.
    pub fn update_concurrency_metrics(&self) {
        self.0.journal.telemetry.update_concurrency(&self.0.run_slots, &self.0.runner_context.node_slots);
    }
}

/// Runs `operation` to completion even if the caller is dropped: the steps after a commit must not be skipped. The task
/// uses the trace context of the caller.
async fn spawn_detached<T: Send + 'static>(
    operation: impl Future<Output = Result<T, EngineError>> + Send + 'static,
) -> Result<T, EngineError> {
    match tokio::spawn(operation.with_current_context()).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(EngineError::Draining),
    }
}

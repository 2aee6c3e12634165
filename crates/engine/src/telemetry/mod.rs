//! Metrics and spans of runs and nodes. Both are derived from committed events, so that they match the log. The only
//! exception is a start that was committed although the reply was lost: it is not counted.

mod commit_summary;
mod metrics;
mod spans;

use std::sync::Arc;

use opentelemetry::global::BoxedTracer;
use prometheus_client::registry::Registry;
use sluice_domain::run::{Plan, RunState};
use uuid::Uuid;

use crate::fair_semaphore::FairSemaphore;
use crate::store::Commit;
pub(crate) use commit_summary::CommitSummary;
use metrics::Metrics;
use spans::Spans;

/// The metrics of the engine, and the spans if there is a tracer.
pub(crate) struct Telemetry {
    metrics: Metrics,
    spans: Option<Spans>,
}

impl Telemetry {
    pub(crate) fn new(tracer: Option<Arc<BoxedTracer>>) -> Self {
        Self { metrics: Metrics::default(), spans: tracer.map(Spans::new) }
    }

    /// Summarizes a commit before it is written. `state` is the state after the commit.
    pub(crate) fn summarize(&self, commit: &Commit, plan: &Plan, state: &RunState) -> CommitSummary {
        CommitSummary::new(commit, plan, state, self.spans.is_some())
    }

    /// Records a commit that is durable.
    pub(crate) fn record(&self, summary: &CommitSummary) {
        self.metrics.record(summary);
        if let Some(spans) = &self.spans {
            spans.record(summary);
        }
    }

    /// Drops the span of a run that was deleted.
    pub(crate) fn remove_run(&self, run: Uuid) {
        if let Some(spans) = &self.spans {
            spans.remove(run);
        }
    }

    /// Ends the spans of runs that continue at the next start of the server.
    pub(crate) fn stop(&self) {
        if let Some(spans) = &self.spans {
            spans.stop();
        }
    }

    /// Returns the tracer, if there is one.
    pub(crate) fn tracer(&self) -> Option<&Arc<BoxedTracer>> {
        self.spans.as_ref().map(Spans::tracer)
    }

    /// Registers the metrics of runs, nodes and concurrency limits.
    pub(crate) fn register(&self, registry: &mut Registry) {
        self.metrics.register(registry);
    }

    /// Sets the gauges to the current usage of the concurrency limits.
    pub(crate) fn update_concurrency(&self, runs: &FairSemaphore, nodes: &FairSemaphore) {
        self.metrics.update_concurrency("runs", &runs.usage());
        self.metrics.update_concurrency("nodes", &nodes.usage());
    }
}

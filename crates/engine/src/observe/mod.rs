//! What is seen from outside of how runs go: numbers and spans, both read off the events of commits that are known to
//! be durable. A start whose commit was kept although its answer was lost is in the store alone: then one run more ends
//! than began.

mod metrics;
mod news;
mod spans;

use std::sync::Arc;

use opentelemetry::global::BoxedTracer;
use prometheus_client::registry::Registry;
use sluice_domain::run::{Plan, RunState};
use uuid::Uuid;

use crate::{Commit, Engine};
use metrics::Metrics;
pub(crate) use news::News;
use spans::Spans;

/// Counts, and makes spans when somebody wants them.
pub(crate) struct Observer {
    metrics: Metrics,
    spans: Option<Spans>,
}

impl Observer {
    pub(crate) fn new(tracer: Option<Arc<BoxedTracer>>) -> Self {
        Self { metrics: Metrics::default(), spans: tracer.map(Spans::new) }
    }

    /// What a commit will have said once it is durable. `state` is the run after it.
    pub(crate) fn news(&self, commit: &Commit, plan: &Plan, state: &RunState) -> News {
        News::of(commit, plan, state, self.spans.is_some())
    }

    /// Takes what has become durable.
    pub(crate) fn take(&self, news: &News) {
        self.metrics.take(news);
        if let Some(spans) = &self.spans {
            spans.take(news);
        }
    }

    /// Forgets a run that is gone.
    pub(crate) fn forget(&self, run: Uuid) {
        if let Some(spans) = &self.spans {
            spans.forget(run);
        }
    }

    /// Ends the spans of runs that go on at the next start.
    pub(crate) fn stop(&self) {
        if let Some(spans) = &self.spans {
            spans.stop();
        }
    }
}

impl Engine {
    /// What makes spans, when somebody wants them.
    #[must_use]
    pub fn tracer(&self) -> Option<&Arc<BoxedTracer>> {
        self.journal().observer.spans.as_ref().map(Spans::tracer)
    }

    /// Adds the numbers of runs, nodes and places.
    pub fn register_metrics(&self, registry: &mut Registry) {
        self.journal().observer.metrics.register(registry);
    }

    /// Brings the numbers of places to where they are: nobody keeps them up.
    pub fn look_at_places(&self) {
        let (runs, nodes) = self.places();
        self.journal().observer.metrics.look_at_places(runs, nodes);
    }
}

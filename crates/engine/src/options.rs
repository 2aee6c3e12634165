use std::sync::Arc;
use std::time::Duration;

use opentelemetry::global::BoxedTracer;
use sluice_nodes::Policies;

/// What of the engine can be set.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long, once the server stops, a request may still wait for its run.
    pub drain: Duration,
    /// How much goes on at the same time.
    pub limits: Limits,
    /// How long nodes may take and how often they are tried.
    pub policies: Policies,
    /// What makes spans of runs and nodes; none when nobody wants them.
    pub tracer: Option<Arc<BoxedTracer>>,
}

/// How much goes on at the same time. What is beyond waits, and is `PENDING`; workflows take turns.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Nodes that work outside of the log.
    pub nodes: usize,
    /// Runs. One that waits for a person doesn't count.
    pub runs: usize,
    /// Runs of one workflow.
    pub runs_per_workflow: usize,
}

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::global::BoxedTracer;
use sluice_nodes::Policies;

/// Settings of an [`Engine`](crate::Engine).
#[derive(Clone, Debug)]
pub struct Options {
    /// Time for waiting requests to finish, from the moment when the server begins to stop.
    pub drain: Duration,
    /// Concurrency limits.
    pub limits: Limits,
    /// Timeouts and retries of nodes.
    pub policies: Policies,
    /// Creates spans of runs and nodes. `None` without tracing.
    pub tracer: Option<Arc<BoxedTracer>>,
}

/// Concurrency limits. Runs and nodes beyond a limit stay `PENDING` until a slot is free. Slots are assigned to
/// workflows round-robin.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Nodes with side effects that execute at the same time.
    pub nodes: usize,
    /// Runs that are driven at the same time. Paused runs don't count.
    pub runs: usize,
    /// Runs of one workflow that are driven at the same time.
    pub runs_per_workflow: usize,
}

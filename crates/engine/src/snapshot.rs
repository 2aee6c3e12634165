use std::sync::Arc;

use sluice_domain::run::{Plan, RunState};

use crate::store::RunRecord;

/// A run at one point of its log.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The record.
    pub record: RunRecord,
    /// The state, folded from the log.
    pub state: RunState,
    /// The plan of the version that the run executes.
    pub plan: Arc<Plan>,
}

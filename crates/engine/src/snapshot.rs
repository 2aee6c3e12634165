use std::sync::Arc;

use sluice_domain::run::{Plan, RunState};

use crate::store::RunRecord;

/// A run at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The run's record.
    pub record: RunRecord,
    /// The run's state: its log, folded.
    pub state: RunState,
    /// The plan of the run's version.
    pub plan: Arc<Plan>,
}

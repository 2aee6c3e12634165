use std::sync::Arc;

use sluice_domain::run::{Event, Plan, RunState, RunStatus};

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
    /// The change that the operation applied; none when it changed nothing.
    pub applied: Option<Applied>,
}

impl Snapshot {
    /// A run without a change.
    pub(crate) fn new(record: RunRecord, state: RunState, plan: Arc<Plan>) -> Self {
        Self { record, state, plan, applied: None }
    }
}

/// A change that one operation applied to a run.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The run's status before the change.
    pub status_before: RunStatus,
    /// The events that were appended.
    pub events: Vec<Event>,
}

use chrono::{DateTime, Utc};
use sluice_domain::run::{Event, RunState, RunStatus};
use uuid::Uuid;

use crate::change::RunSideRecords;
use crate::clock;

/// The properties of a run for lists and filters. `status`, `start_time`, `end_time` and `has_open_pause` are derived
/// from the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRecord {
    /// The run id.
    pub id: Uuid,
    /// The workflow.
    pub workflow_id: Uuid,
    /// The version that the run is pinned to.
    pub version_id: Uuid,
    /// The run that started this one.
    pub parent_run_id: Option<Uuid>,
    /// The row of the batch `parent_run_id`, from 0.
    pub batch_row: Option<i64>,
    /// The dataset from which the rows of a batch were taken.
    pub dataset_id: Option<Uuid>,
    /// The run type that the client chose: `interactive`, `batch`, …
    pub run_type: String,
    /// Time of acceptance.
    pub start_time: DateTime<Utc>,
    /// The status.
    pub status: RunStatus,
    /// Time of the end.
    pub end_time: Option<DateTime<Utc>>,
    /// True while a gate waits for a decision.
    pub has_open_pause: bool,
}

impl RunRecord {
    /// Returns the record of a new run.
    #[must_use]
    pub fn new(workflow_id: Uuid, version_id: Uuid, run_type: String) -> Self {
        Self {
            id: clock::new_id(),
            workflow_id,
            version_id,
            parent_run_id: None,
            batch_row: None,
            dataset_id: None,
            run_type,
            start_time: clock::now(),
            status: RunStatus::Pending,
            end_time: None,
            has_open_pause: false,
        }
    }

    /// Returns a copy of the record with the properties that are derived from `state`.
    pub(crate) fn with_state(&self, state: &RunState) -> Self {
        Self {
            start_time: state.started_at.unwrap_or(self.start_time),
            status: state.status,
            end_time: state.ended_at,
            has_open_pause: state.open_pauses().next().is_some(),
            ..self.clone()
        }
    }

    /// Returns the batch that the run is a row of.
    pub(crate) fn batch(&self) -> Option<Uuid> {
        self.parent_run_id.filter(|_| self.batch_row.is_some())
    }
}

/// Events to append to the log of a run, with the resulting record. Applied completely or not at all.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The record after the events. The run is created if `first` is 0.
    pub record: RunRecord,
    /// The sequence number of the first event: the length of the log when the events were decided.
    pub first: u64,
    /// The events, at least one.
    pub events: Vec<Event>,
    /// The rows of a new batch: the inputs of each, as JSON.
    pub rows: Vec<String>,
    /// Side records, written in the same transaction. `None` if the engine itself makes the change.
    pub side_records: Option<RunSideRecords>,
}

/// The number of rows of a batch by status. Doesn't include rows that have not started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchCounts {
    /// `PENDING`.
    pub pending: u64,
    /// `RUNNING`.
    pub running: u64,
    /// `PAUSED`.
    pub paused: u64,
    /// `COMPLETED`.
    pub completed: u64,
    /// `FAILED`.
    pub failed: u64,
    /// `CANCELED`.
    pub canceled: u64,
}

impl BatchCounts {
    /// Returns the number of rows that have ended.
    #[must_use]
    pub fn ended_count(&self) -> u64 {
        self.completed + self.failed + self.canceled
    }

    /// Returns the number of rows that have started.
    #[must_use]
    pub fn started_count(&self) -> u64 {
        self.pending + self.running + self.paused + self.ended_count()
    }
}

/// A run with its complete log.
#[derive(Clone, Debug)]
pub struct StoredRun {
    /// The record.
    pub record: RunRecord,
    /// The log.
    pub log: Vec<Event>,
}

/// A run that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnfinishedRun {
    /// The run id.
    pub id: Uuid,
    /// The row of the batch that started the run.
    pub batch_row: Option<i64>,
}

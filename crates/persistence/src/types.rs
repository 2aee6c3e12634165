//! What goes in and what comes out.

use chrono::{DateTime, Utc};
use sluice_domain::run::{Event, RunStatus};
use sluice_engine::RunRecord;
use uuid::Uuid;

/// A definition that passed validation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The definition as JSON text, as clients shall get it back.
    pub json: String,
    /// Its [`sluice_domain::versioning::definition_hash`].
    pub hash: String,
}

/// What a client says about a workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewWorkflow {
    /// The name that it shall have.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// What it does.
    pub definition: Accepted,
}

/// A workflow as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkflowRow {
    /// Its id.
    pub id: Uuid,
    /// Its name, which no other workflow has.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The definition as JSON text.
    pub definition: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was last saved.
    pub updated_at: DateTime<Utc>,
}

/// A version of a workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionRow {
    /// Its id.
    pub id: Uuid,
    /// The workflow.
    pub workflow_id: Uuid,
    /// Its number: 1, 2, …
    pub version: i32,
    /// The name that the workflow had.
    pub name: String,
    /// The description that the workflow had.
    pub description: Option<String>,
    /// The definition as JSON text, with the layout that was saved last.
    pub definition: String,
    /// The hash of what of the definition executes.
    pub definition_hash: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When its layout was last saved.
    pub updated_at: DateTime<Utc>,
}

/// A run with everything that an answer about it needs.
#[derive(Clone, Debug, PartialEq)]
pub struct RunDetail {
    /// Its record.
    pub record: RunRecord,
    /// Its log, from the first event on. The record is as it was after the last of these.
    pub log: Vec<Event>,
    /// The version that it is pinned to.
    pub version: VersionRow,
}

/// Which runs a list shall have: those that fit everything that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Runs of this workflow.
    pub workflow_id: Option<Uuid>,
    /// Runs that stand here.
    pub status: Option<RunStatus>,
    /// Runs that their client called so.
    pub run_type: Option<String>,
    /// Only runs that no other run started.
    pub parent_only: bool,
    /// Only runs that stand for batches.
    pub batches: bool,
    /// Runs of the rows of this batch, from this row on.
    pub batch: Option<(Uuid, i64)>,
    /// Batches that took their rows from this dataset.
    pub dataset_id: Option<Uuid>,
    /// Runs that wait for a person, or don't.
    pub has_open_pause: Option<bool>,
    /// Runs accepted at this time or later.
    pub start_date: Option<DateTime<Utc>>,
    /// Runs accepted at this time or earlier.
    pub end_date: Option<DateTime<Utc>>,
}

/// A part of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Which part, from 1.
    pub number: u64,
    /// How many rows a part has.
    pub size: u64,
}

impl Page {
    /// How many rows are in front of this part; no more than a store can count.
    pub(crate) fn offset(self) -> u64 {
        self.number.saturating_sub(1).saturating_mul(self.size).min(i64::MAX as u64)
    }

    /// How many rows this part has at most.
    pub(crate) fn limit(self) -> u64 {
        self.size.min(i64::MAX as u64)
    }
}

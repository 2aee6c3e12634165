//! What goes in and what comes out.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use sluice_domain::run::{Event, RunStatus};
use sluice_engine::RunRecord;
use uuid::Uuid;

use crate::Search;

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
    /// The words that it is filed under; none: those that it has.
    pub tags: Option<Vec<String>>,
    /// Who makes it, when that is known.
    pub by: Option<String>,
}

/// What comes with a change of a workflow.
#[derive(Clone, Debug, Default)]
pub struct Saving {
    /// On what condition: none always holds.
    pub condition: Option<Condition>,
    /// What the change is for, to be kept with the version that it makes.
    pub note: Option<String>,
    /// Who makes it, when that is known.
    pub by: Option<String>,
    /// The label that is to stand for what is saved.
    pub label: Option<String>,
}

/// A label that was moved, or stayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelMoved {
    /// The label as it is now.
    pub label: LabelRow,
    /// The label as it was before; none: it is new.
    pub before: Option<LabelRow>,
}

/// A workflow as it was saved, and the hashes of its definition.
#[derive(Clone, Debug, PartialEq)]
pub struct Saved {
    /// The workflow.
    pub row: WorkflowRow,
    /// Whether it is another than before.
    pub changed: bool,
    /// The hash before; none for a workflow that is new.
    pub before: Option<String>,
    /// The hash now; none where nothing is changed.
    pub after: Option<String>,
    /// The label that stands for what was saved, if one was named.
    pub label: Option<LabelMoved>,
}

impl Saved {
    /// A workflow that is as it was.
    pub(crate) fn unchanged(row: WorkflowRow) -> Self {
        Self { row, changed: false, before: None, after: None, label: None }
    }
}

/// What is said about a workflow beside what it does; none: as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// The name that it shall have.
    pub name: Option<String>,
    /// What it is for, which may be nothing.
    pub description: Option<Option<String>>,
    /// The words that it is filed under.
    pub tags: Option<Vec<String>>,
}

/// What a workflow has to be for a change to be made: told its [`WorkflowRow::etag`], says whether it is.
#[derive(Clone)]
pub struct Condition(Arc<dyn Fn(&str) -> bool + Send + Sync>);

impl Condition {
    /// A condition that `holds` decides.
    pub fn new(holds: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(holds))
    }

    /// Whether it holds of a workflow with this tag.
    #[must_use]
    pub fn holds(&self, etag: &str) -> bool {
        (self.0)(etag)
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Condition")
    }
}

/// Which version of a workflow is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pin {
    /// The latest.
    Latest,
    /// The one with this number.
    Number(i32),
    /// The one that this label stands for.
    Label(String),
}

/// A name that stands for a version of a workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelRow {
    /// The name: a slug.
    pub name: String,
    /// The version.
    pub version: i32,
    /// Whether saving never moves it.
    pub is_protected: bool,
    /// When it was set first.
    pub created_at: DateTime<Utc>,
    /// When it was moved or protected last.
    pub updated_at: DateTime<Utc>,
}

impl LabelRow {
    /// For which version it stands, and whether it is protected, as the audit log says it: `2`, or `2 protected`.
    #[must_use]
    pub fn stands(&self) -> String {
        let protected = if self.is_protected { " protected" } else { "" };
        format!("{}{protected}", self.version)
    }
}

/// That a label was set, moved or taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelMoveRow {
    /// Where it stood; none when it is new.
    pub from_version: Option<i32>,
    /// Where it stands since; none when it was taken away.
    pub to_version: Option<i32>,
    /// When.
    pub moved_at: DateTime<Utc>,
    /// By whom, when that is known.
    pub moved_by: Option<String>,
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
    /// The words that it is filed under, as a JSON list of texts.
    pub tags: String,
    /// The number of its latest version.
    pub version: i32,
}

impl WorkflowRow {
    /// What tells this state of the workflow from any other: the number of its latest version, a dash, and 32 hex
    /// digits of a SHA-256. The opaque part of an entity tag (RFC 9110, 8.8.3). The definition, which may be large, is
    /// not read for it: each change of it comes with a later `updated_at`.
    #[must_use]
    pub fn etag(&self) -> String {
        let description = self.description.as_deref().unwrap_or_default();
        let saved = self.updated_at.to_rfc3339();
        let id = self.id.to_string();
        etag(self.version, [&id, &self.name, description, &self.tags, &saved])
    }
}

/// A tag of what `parts` say, each told from the next by its length.
fn etag(version: i32, parts: [&str; 5]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    let hex: String = hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{version}-{hex}")
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
    /// What the change was for that made it.
    pub note: Option<String>,
    /// Who made it, when that is known.
    pub created_by: Option<String>,
}

impl VersionRow {
    /// As [`WorkflowRow::etag`].
    #[must_use]
    pub fn etag(&self) -> String {
        let description = self.description.as_deref().unwrap_or_default();
        let saved = self.updated_at.to_rfc3339();
        let id = self.id.to_string();
        etag(self.version, [&id, &self.name, description, &self.definition_hash, &saved])
    }
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
    /// Runs of workflows with these words in name or description.
    pub search: Option<Search>,
    /// Runs of workflows that are filed under this.
    pub tag: Option<String>,
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

impl Default for Page {
    fn default() -> Self {
        Self { number: 1, size: 10 }
    }
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

//! New workflows: many in three statements.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use sea_orm::{ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QuerySelect, Set};
use sluice_domain::naming;
use sluice_engine::{Remember, StoreError, clock};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::queued_change::Work;
use super::side_records;
use crate::connection::sqlite_fast_path::Tx;
use crate::entity::label::LabelRow;
use crate::entity::workflow::{self, WorkflowRow};
use crate::entity::workflow_version;
use crate::error::WriteError;
use crate::search::index;

/// A new workflow and the caller who waits for it.
pub(super) struct Creation {
    new: NewWorkflow,
    remember: Option<Remember<Saved>>,
    created: Option<WorkflowRow>,
    reply: oneshot::Sender<Result<WorkflowRow, WriteError>>,
}

impl Creation {
    pub(super) fn new(
        new: NewWorkflow,
        remember: Option<Remember<Saved>>,
        reply: oneshot::Sender<Result<WorkflowRow, WriteError>>,
    ) -> Self {
        Self { new, remember, created: None, reply }
    }
}

/// Writes new workflows, in their order.
pub(super) async fn insert(tx: &Tx<'_>, mut creations: Vec<&mut Creation>) -> Result<(), DbErr> {
    if creations.is_empty() {
        return Ok(());
    }
    let all: Vec<&NewWorkflow> = creations.iter().map(|creation| &creation.new).collect();
    let created = create_all(tx, &all).await?;
    let mut kept = Vec::new();
    for (creation, row) in creations.iter_mut().zip(created) {
        let after = Some(creation.new.definition.hash.clone());
        let saved = Saved { row, changed: true, before: None, after, label: None };
        kept.extend(creation.remember.as_ref().map(|remember| remember.of(&saved)));
        creation.created = Some(saved.row);
    }
    side_records::keep(tx, kept.iter()).await
}

impl Work for Creation {
    fn frees_space(&self) -> bool {
        false
    }

    fn apply<'a>(&'a mut self, tx: &'a DatabaseTransaction) -> BoxFuture<'a, Result<(), DbErr>> {
        Box::pin(async move { insert(&Tx::Orm(tx), vec![self]).await })
    }

    fn done(self: Box<Self>) {
        if let Some(created) = self.created {
            // Nobody there any more: the workflow stands all the same.
            let _ = self.reply.send(Ok(created));
        }
    }

    fn failed(self: Box<Self>, error: StoreError) {
        let _ = self.reply.send(Err(error.into()));
    }
}

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

/// Creates workflows, each with its version 1, in few statements. A name that is taken gets a number.
pub(crate) async fn create_all(tx: &Tx<'_>, all: &[&NewWorkflow]) -> Result<Vec<WorkflowRow>, DbErr> {
    let now = clock::now();
    let mut taken = taken_of(tx, all.iter().map(|new| naming::numbered_name(&new.name, 1))).await?;
    let (mut created, mut workflows, mut versions) = (Vec::new(), Vec::new(), Vec::new());
    for new in all {
        let mut name = naming::numbered_name(&new.name, 1);
        if taken.contains(&name) {
            name = free_name(tx, &new.name, &taken).await?;
        }
        taken.insert(name.clone());
        let new = NewWorkflow { name, ..(*new).clone() };
        let row = first_row(&new, now);
        workflows.push(workflow_model(&row));
        versions.push(version_model((row.id, row.version), &new, None, new.by.as_deref(), now));
        created.push(row);
    }
    tx.execute(&workflow::Entity::insert_many(workflows)).await?;
    index::insert_versions(tx, versions).await?;
    index::insert(tx, &created).await?;
    Ok(created)
}

/// A workflow that is about to be.
fn first_row(new: &NewWorkflow, now: DateTime<Utc>) -> WorkflowRow {
    WorkflowRow {
        id: clock::new_id(),
        name: new.name.clone(),
        description: new.description.clone(),
        definition: new.definition.json.clone(),
        created_at: now,
        updated_at: now,
        tags: listed(new.tags.as_deref().unwrap_or_default()),
        version: 1,
    }
}

/// Those of the wanted names that other workflows have.
pub(crate) async fn taken_of(
    tx: &Tx<'_>,
    wanted: impl IntoIterator<Item = String>,
) -> Result<HashSet<String>, DbErr> {
    let taken = workflow::Entity::find()
        .select_only()
        .column(workflow::Column::Name)
        .filter(workflow::Column::Name.is_in(wanted));
    Ok(tx.texts(&taken).await?.into_iter().collect())
}

/// A new workflow, as its table has it.
pub(crate) fn workflow_model(row: &WorkflowRow) -> workflow::ActiveModel {
    workflow::ActiveModel {
        id: Set(row.id),
        name: Set(row.name.clone()),
        description: Set(row.description.clone()),
        definition: Set(row.definition.clone()),
        created_at: Set(row.created_at),
        updated_at: Set(row.updated_at),
        tags: Set(row.tags.clone()),
        version: Set(row.version),
        // Whoever writes it writes them too.
        has_words: Set(true),
    }
}

/// Words as they are stored.
pub(crate) fn listed(tags: &[String]) -> String {
    serde_json::to_string(tags).unwrap_or_else(|_| "[]".to_owned())
}

pub(crate) fn version_model(
    (workflow_id, number): (Uuid, i32),
    new: &NewWorkflow,
    note: Option<&str>,
    by: Option<&str>,
    now: DateTime<Utc>,
) -> workflow_version::ActiveModel {
    workflow_version::ActiveModel {
        id: Set(clock::new_id()),
        workflow_id: Set(workflow_id),
        version: Set(number),
        name: Set(new.name.clone()),
        description: Set(new.description.clone()),
        definition: Set(new.definition.json.clone()),
        definition_hash: Set(new.definition.hash.clone()),
        created_at: Set(now),
        updated_at: Set(now),
        note: Set(note.map(str::to_owned)),
        created_by: Set(by.map(str::to_owned)),
    }
}

/// The first name with a number that nobody has, also none of `others`, which are about to be written. The
/// numbers are doubled until one is free, then the last taken one is approached by halves: the thousandth copy
/// looks twenty times, not a thousand.
pub(crate) async fn free_name(tx: &Tx<'_>, wanted: &str, others: &HashSet<String>) -> Result<String, DbErr> {
    let is_free = async |number| -> Result<bool, DbErr> {
        let name = naming::numbered_name(wanted, number);
        Ok(!others.contains(&name) && taken_of(tx, [name]).await?.is_empty())
    };
    let (mut taken, mut free) = (1, 2);
    while !is_free(free).await? {
        (taken, free) = (free, free.saturating_mul(2));
    }
    while free - taken > 1 {
        let middle = taken + (free - taken) / 2;
        if is_free(middle).await? {
            free = middle;
        } else {
            taken = middle;
        }
    }
    Ok(naming::numbered_name(wanted, free))
}

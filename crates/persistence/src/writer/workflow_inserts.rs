//! Inserts of new workflows. A batch of them needs one statement per table.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use sea_orm::{
    ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel as _, QueryFilter, QuerySelect,
};
use sluice_domain::{Definition, naming, versioning};
use sluice_engine::{AuditEntry, ChangeOrigin, StoreError, Subject, clock};
use tokio::sync::oneshot;

use super::queued_change::QueuedChange;
use super::side_records::{self, SideRecords};
use crate::change::Audited;
use crate::connection::sqlite_fast_path::Tx;
use crate::entity::{label, workflow, workflow_version};
use crate::error::WriteError;
use crate::outcome::Outcome;
use crate::search::index;

/// A definition that passed validation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidDefinition {
    /// The definition as JSON, in the form that is returned to clients.
    pub json: String,
    /// The [`sluice_domain::versioning::definition_hash`].
    pub hash: String,
}

impl ValidDefinition {
    /// Converts a definition that passed validation to its stored form.
    #[must_use]
    pub fn new(definition: &Definition) -> Self {
        Self { json: definition.to_json(), hash: versioning::definition_hash(definition) }
    }
}

/// The fields of a workflow that a client sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewWorkflow {
    /// The name.
    pub name: String,
    /// The description.
    pub description: Option<String>,
    /// The definition.
    pub definition: ValidDefinition,
    /// The tags; `None` keeps the current ones.
    pub tags: Option<Vec<String>>,
}

/// A changed label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelChange {
    /// The label after the change.
    pub label: label::Model,
    /// The label before the change, or `None` if it is new.
    pub before: Option<label::Model>,
}

/// A saved workflow, and the hashes of its definition.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedWorkflow {
    /// The workflow.
    pub row: workflow::Model,
    /// False if the workflow is unchanged.
    pub changed: bool,
    /// The hash before the save, or `None` if the workflow is new.
    pub before: Option<String>,
    /// The hash after the save, or `None` if the workflow is unchanged.
    pub after: Option<String>,
    /// The label that was set to the saved version.
    pub label: Option<LabelChange>,
}

impl SavedWorkflow {
    /// Returns the result of a save without changes.
    pub(crate) fn without_changes(row: workflow::Model) -> Self {
        Self { row, changed: false, before: None, after: None, label: None }
    }

    /// Returns the result of a creation.
    pub(crate) fn of_creation(row: workflow::Model, hash: String) -> Self {
        Self { row, changed: true, before: None, after: Some(hash), label: None }
    }
}

impl Audited for SavedWorkflow {
    fn audit_entries(&self) -> Vec<AuditEntry> {
        let Self { row, changed, before, after, label } = self;
        let entry = AuditEntry::new(Subject::Workflow, row.id).with_states(before.clone(), after.clone());
        let label_entries = label.iter().flat_map(LabelChange::audit_entries);
        changed.then_some(entry).into_iter().chain(label_entries).collect()
    }

    fn outcome(&self) -> Option<Outcome> {
        Some(Outcome::Workflow(self.row.clone()))
    }
}

impl Audited for LabelChange {
    fn audit_entries(&self) -> Vec<AuditEntry> {
        let Self { label, before } = self;
        let has_changed = before.as_ref() != Some(label);
        has_changed.then(|| label.audit_entry(before.as_ref(), Some(label))).into_iter().collect()
    }

    fn outcome(&self) -> Option<Outcome> {
        Some(Outcome::Label(self.label.clone()))
    }
}

/// A new workflow, with the channel of its caller.
pub(super) struct WorkflowInsert {
    new: NewWorkflow,
    origin: Option<ChangeOrigin>,
    created: Option<workflow::Model>,
    reply: oneshot::Sender<Result<workflow::Model, WriteError>>,
}

impl WorkflowInsert {
    pub(super) fn new(
        new: NewWorkflow,
        origin: Option<ChangeOrigin>,
        reply: oneshot::Sender<Result<workflow::Model, WriteError>>,
    ) -> Self {
        Self { new, origin, created: None, reply }
    }

    fn creation(&self) -> Creation<'_> {
        let actor = self.origin.as_ref().and_then(|origin| origin.actor.as_deref());
        Creation { new: &self.new, actor }
    }
}

impl QueuedChange for WorkflowInsert {
    fn frees_space(&self) -> bool {
        false
    }

    fn changes_versions(&self) -> bool {
        false
    }

    fn apply<'a>(&'a mut self, tx: &'a DatabaseTransaction) -> BoxFuture<'a, Result<(), DbErr>> {
        Box::pin(async move { insert(&Tx::Orm(tx), vec![self]).await })
    }

    fn reply(self: Box<Self>) {
        let Self { created, origin, reply, .. } = *self;
        // Frees the idempotency key before the client can repeat the request.
        drop(origin);
        if let Some(created) = created {
            // The workflow is durable even if the caller is gone.
            let _ = reply.send(Ok(created));
        }
    }

    fn reply_error(self: Box<Self>, error: StoreError) {
        let Self { origin, reply, .. } = *self;
        drop(origin);
        let _ = reply.send(Err(error.into()));
    }
}

/// Writes new workflows in order.
pub(super) async fn insert(tx: &Tx<'_>, mut inserts: Vec<&mut WorkflowInsert>) -> Result<(), DbErr> {
    if inserts.is_empty() {
        return Ok(());
    }
    let creations: Vec<Creation<'_>> = inserts.iter().map(|insert| insert.creation()).collect();
    let rows = create_all(tx, &creations).await?;
    let mut records = Vec::new();
    for (insert, row) in inserts.iter_mut().zip(rows) {
        let saved = SavedWorkflow::of_creation(row, insert.new.definition.hash.clone());
        records.extend(insert.origin.as_ref().map(|origin| SideRecords::of_result(origin, &saved)));
        insert.created = Some(saved.row);
    }
    side_records::insert(tx, records.iter()).await
}

/// A workflow to create.
pub(crate) struct Creation<'a> {
    pub(crate) new: &'a NewWorkflow,
    /// The name of the API key.
    pub(crate) actor: Option<&'a str>,
}

/// Creates workflows, each with its version 1. Appends a number to a name that is taken.
pub(crate) async fn create_all(
    tx: &Tx<'_>,
    creations: &[Creation<'_>],
) -> Result<Vec<workflow::Model>, DbErr> {
    let now = clock::now();
    let mut taken =
        taken_names(tx, creations.iter().map(|creation| naming::numbered_name(&creation.new.name, 1)))
            .await?;
    let (mut workflows, mut versions) = (Vec::new(), Vec::new());
    for Creation { new, actor } in creations {
        let mut name = naming::numbered_name(&new.name, 1);
        if taken.contains(&name) {
            name = free_name(tx, &new.name, &taken).await?;
        }
        taken.insert(name.clone());
        let workflow = workflow::Model {
            id: clock::new_id(),
            name,
            description: new.description.clone(),
            definition: new.definition.json.clone(),
            created_at: now,
            updated_at: now,
            tags: tags_json(new.tags.as_deref().unwrap_or_default()),
            version: 1,
        };
        versions.push(new_version(&workflow, &new.definition, *actor, now));
        workflows.push(workflow);
    }
    let rows = workflows.iter().map(|workflow| workflow.clone().into_active_model());
    tx.execute(&workflow::Entity::insert_many(rows)).await?;
    index::insert_versions(tx, versions).await?;
    index::insert(tx, &workflows).await?;
    Ok(workflows)
}

/// Returns the row of the latest version of a workflow, without a note.
pub(crate) fn new_version(
    workflow: &workflow::Model,
    definition: &ValidDefinition,
    actor: Option<&str>,
    now: DateTime<Utc>,
) -> workflow_version::Model {
    workflow_version::Model {
        id: clock::new_id(),
        workflow_id: workflow.id,
        version: workflow.version,
        name: workflow.name.clone(),
        description: workflow.description.clone(),
        definition: definition.json.clone(),
        definition_hash: definition.hash.clone(),
        created_at: now,
        updated_at: now,
        note: None,
        created_by: actor.map(str::to_owned),
    }
}

/// Converts tags to their stored form.
pub(crate) fn tags_json(tags: &[String]) -> String {
    serde_json::to_string(tags).unwrap_or_else(|_| "[]".to_owned())
}

/// Returns the names that are taken by workflows.
pub(crate) async fn taken_names(
    tx: &Tx<'_>,
    names: impl IntoIterator<Item = String>,
) -> Result<HashSet<String>, DbErr> {
    let select = workflow::Entity::find()
        .select_only()
        .column(workflow::Column::Name)
        .filter(workflow::Column::Name.is_in(names));
    Ok(tx.read_strings(&select).await?.into_iter().collect())
}

/// Returns a free name with a number that is not in `reserved`. Doubles the number until a name is free, then bisects
/// between that number and the last taken one: the thousandth copy takes twenty queries.
pub(crate) async fn free_name(tx: &Tx<'_>, name: &str, reserved: &HashSet<String>) -> Result<String, DbErr> {
    let is_free = async |number| -> Result<bool, DbErr> {
        let candidate = naming::numbered_name(name, number);
        Ok(!reserved.contains(&candidate) && taken_names(tx, [candidate]).await?.is_empty())
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
    Ok(naming::numbered_name(name, free))
}

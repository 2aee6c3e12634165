//! Changes of workflows. The writer applies each of them within a transaction.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel as _,
    Iterable as _, QueryFilter, QueryOrder, QuerySelect,
};
use sluice_domain::{Definition, SpurType, naming, versioning};
use sluice_engine::{AuditEntry, Subject, clock};
use uuid::Uuid;

use super::labels;
use super::versions::Pin;
use crate::change::{Audited, Change, Fault};
use crate::connection::sqlite_fast_path::Tx;
use crate::entity::{workflow, workflow_version};
use crate::error::WriteError;
use crate::query::convert;
use crate::search::index;
use crate::writer::workflow_inserts::{
    Creation, NewWorkflow, SavedWorkflow, ValidDefinition, create_all, new_version, tags_json,
};

/// Options of a save.
#[derive(Clone, Debug, Default)]
pub struct SaveOptions {
    /// The precondition of the save.
    pub precondition: Option<Precondition>,
    /// A note on the change, stored with the new version.
    pub note: Option<String>,
    /// A label to move to the saved version.
    pub label: Option<String>,
}

/// The fields of a workflow to change, except for its definition. `None` keeps a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkflowDetails {
    /// The name.
    pub name: Option<String>,
    /// The description; `Some(None)` removes it.
    pub description: Option<Option<String>>,
    /// The tags.
    pub tags: Option<Vec<String>>,
}

/// A precondition of a change: the current [`workflow::Model::etag`] must be one of these entity tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Precondition {
    /// The entity tags.
    pub etags: Vec<String>,
}

impl Precondition {
    /// Returns true if the workflow meets the precondition.
    #[must_use]
    pub fn is_met(&self, workflow: &workflow::Model) -> bool {
        let current = workflow.etag();
        self.etags.contains(&current)
    }
}

/// Replaces name, description and definition.
pub(crate) struct Update {
    pub(crate) id: Uuid,
    pub(crate) new: NewWorkflow,
    pub(crate) options: SaveOptions,
    pub(crate) actor: Option<String>,
}

impl Change for Update {
    type Output = SavedWorkflow;

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<SavedWorkflow, Fault> {
        let current = current_workflow(tx, self.id, self.options.precondition.as_ref()).await?;
        check_name(tx, self.id, &self.new.name).await?;
        save(tx, current, Save { new: &self.new, options: &self.options, actor: self.actor.as_deref() }).await
    }
}

/// Replaces the definition by the default definition of its type.
pub(crate) struct Reset {
    pub(crate) id: Uuid,
    pub(crate) options: SaveOptions,
    pub(crate) actor: Option<String>,
}

impl Change for Reset {
    type Output = SavedWorkflow;

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<SavedWorkflow, Fault> {
        let current = current_workflow(tx, self.id, self.options.precondition.as_ref()).await?;
        let mut default = Definition::default_for(SpurType::from_definition(&current.definition));
        default.normalize();
        let new = with_definition(&current, ValidDefinition::new(&default));
        save(tx, current, Save { new: &new, options: &self.options, actor: self.actor.as_deref() }).await
    }
}

/// Restores the definition of a version.
pub(crate) struct Restore {
    pub(crate) id: Uuid,
    pub(crate) pin: Pin,
    pub(crate) options: SaveOptions,
    pub(crate) actor: Option<String>,
}

impl Change for Restore {
    type Output = SavedWorkflow;

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<SavedWorkflow, Fault> {
        let current = current_workflow(tx, self.id, self.options.precondition.as_ref()).await?;
        let number = version_number(tx, self.id, &self.pin).await?;
        let definition = version_definition(tx, self.id, number).await?;
        let note = self.options.note.clone().unwrap_or_else(|| format!("Restored from version {number}."));
        let options = SaveOptions { note: Some(note), ..self.options.clone() };
        let new = with_definition(&current, definition);
        save(tx, current, Save { new: &new, options: &options, actor: self.actor.as_deref() }).await
    }
}

/// Changes name, description or tags.
pub(crate) struct Patch {
    pub(crate) id: Uuid,
    pub(crate) patch: WorkflowDetails,
    pub(crate) options: SaveOptions,
}

impl Change for Patch {
    type Output = SavedWorkflow;

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<SavedWorkflow, Fault> {
        let current = current_workflow(tx, self.id, self.options.precondition.as_ref()).await?;
        let mut row = current.clone();
        let WorkflowDetails { name, description, tags } = self.patch.clone();
        if let Some(name) = name {
            row.name = name;
        }
        if let Some(description) = description {
            row.description = description;
        }
        if let Some(tags) = tags {
            row.tags = tags_json(&tags);
        }
        check_name(tx, self.id, &row.name).await?;
        if row == current {
            return Ok(SavedWorkflow::without_changes(current));
        }
        row.updated_at = now_after(current.updated_at);
        update_row(tx, &current, &row).await?;
        let hash = latest_version(tx, self.id).await?.map(|latest| latest.hash);
        Ok(SavedWorkflow { row, changed: true, before: hash.clone(), after: hash, label: None })
    }
}

/// Copies a workflow or one of its versions.
pub(crate) struct Duplicate {
    pub(crate) id: Uuid,
    pub(crate) pin: Pin,
    pub(crate) actor: Option<String>,
}

impl Change for Duplicate {
    type Output = SavedWorkflow;

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<SavedWorkflow, Fault> {
        let original = current_workflow(tx, self.id, None).await?;
        let definition = match &self.pin {
            Pin::Latest => {
                // The row of the workflow contains the definition of its latest version.
                let latest = latest_version(tx, self.id).await?.ok_or(WriteError::NotFound)?;
                ValidDefinition { json: original.definition, hash: latest.hash }
            }
            pin => {
                let number = version_number(tx, self.id, pin).await?;
                version_definition(tx, self.id, number).await?
            }
        };
        let new = NewWorkflow {
            name: naming::copy_name(&original.name),
            description: original.description,
            definition,
            tags: serde_json::from_str(&original.tags).ok(),
        };
        let creation = Creation { new: &new, actor: self.actor.as_deref() };
        let row = create_all(&Tx::Orm(tx), &[creation]).await?.pop().ok_or(DbErr::RecordNotInserted)?;
        Ok(SavedWorkflow::of_creation(row, new.definition.hash))
    }
}

/// Deletes a workflow with its versions, labels and runs.
pub(crate) struct Delete {
    pub(crate) id: Uuid,
    pub(crate) options: SaveOptions,
}

/// A deleted workflow.
pub(crate) struct DeletedWorkflow {
    id: Uuid,
    /// The hash of the definition.
    hash: Option<String>,
}

impl Audited for DeletedWorkflow {
    fn audit_entries(&self) -> Vec<AuditEntry> {
        vec![AuditEntry::new(Subject::Workflow, self.id).with_states(self.hash.clone(), None)]
    }
}

impl Change for Delete {
    type Output = DeletedWorkflow;

    const FREES_SPACE: bool = true;

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<DeletedWorkflow, Fault> {
        if let Some(precondition) = &self.options.precondition {
            current_workflow(tx, self.id, Some(precondition)).await?;
        }
        let latest = latest_version(tx, self.id).await?;
        // The deletion cascades to versions, labels and runs.
        let deleted = workflow::Entity::delete_by_id(self.id).exec(tx).await?;
        if deleted.rows_affected == 0 {
            return Err(WriteError::NotFound.into());
        }
        Ok(DeletedWorkflow { id: self.id, hash: latest.map(|latest| latest.hash) })
    }
}

/// The content to save.
#[derive(Clone, Copy)]
pub(crate) struct Save<'a> {
    pub(crate) new: &'a NewWorkflow,
    pub(crate) options: &'a SaveOptions,
    /// The name of the API key.
    pub(crate) actor: Option<&'a str>,
}

/// Replaces the content of `current`. Creates a version if the executable part of the definition has changed. Writes
/// nothing if nothing has changed.
pub(crate) async fn save(
    tx: &DatabaseTransaction,
    current: workflow::Model,
    save: Save<'_>,
) -> Result<SavedWorkflow, Fault> {
    let Save { new, options, actor } = save;
    if let Some(label) = &options.label {
        labels::check_movable(tx, current.id, label).await?;
    }
    let latest = latest_version(tx, current.id).await?;
    let mut row = workflow::Model {
        name: new.name.clone(),
        description: new.description.clone(),
        definition: new.definition.json.clone(),
        tags: new.tags.as_deref().map_or_else(|| current.tags.clone(), tags_json),
        ..current.clone()
    };
    let mut saved = match latest {
        Some(latest) if latest.hash == new.definition.hash => {
            row.definition = with_new_layout(tx, latest.id, &current, &new.definition).await?;
            save_without_version(tx, &current, row, latest).await?
        }
        latest => save_version(tx, &current, row, latest, save).await?,
    };
    if let Some(name) = &options.label {
        let label = labels::LabelTarget {
            workflow_id: saved.row.id,
            name,
            version: saved.row.version,
            is_protected: None,
        };
        saved.label = Some(labels::set_label(tx, label, actor).await?);
    }
    Ok(saved)
}

/// Saves a workflow without a new version, because its definition executes like the latest version.
async fn save_without_version(
    tx: &DatabaseTransaction,
    before: &workflow::Model,
    mut row: workflow::Model,
    latest: LatestVersion,
) -> Result<SavedWorkflow, DbErr> {
    if row == *before {
        return Ok(SavedWorkflow::without_changes(row));
    }
    row.updated_at = now_after(before.updated_at);
    row.version = latest.number;
    update_row(tx, before, &row).await?;
    if row.definition != before.definition {
        update_layout(tx, latest.id, &row.definition, row.updated_at).await?;
    }
    let hash = Some(latest.hash);
    Ok(SavedWorkflow { row, changed: true, before: hash.clone(), after: hash, label: None })
}

/// Saves a workflow and a new version.
async fn save_version(
    tx: &DatabaseTransaction,
    before: &workflow::Model,
    mut row: workflow::Model,
    latest: Option<LatestVersion>,
    save: Save<'_>,
) -> Result<SavedWorkflow, DbErr> {
    let Save { new, options, actor } = save;
    row.updated_at = now_after(before.updated_at);
    row.version = latest.as_ref().map_or(0, |latest| latest.number).saturating_add(1);
    update_row(tx, before, &row).await?;
    let version = workflow_version::Model {
        note: options.note.clone(),
        ..new_version(&row, &new.definition, actor, row.updated_at)
    };
    index::insert_versions(&Tx::Orm(tx), vec![version]).await?;
    Ok(SavedWorkflow {
        row,
        changed: true,
        before: latest.map(|latest| latest.hash),
        after: Some(new.definition.hash.clone()),
        label: None,
    })
}

/// Returns the current time. The result is always later than `before`, even if the clock was set back, because entity
/// tags depend on it.
fn now_after(before: DateTime<Utc>) -> DateTime<Utc> {
    clock::now().max(before + TimeDelta::microseconds(1))
}

/// Updates the row and the search index of a workflow.
async fn update_row(
    tx: &DatabaseTransaction,
    before: &workflow::Model,
    after: &workflow::Model,
) -> Result<(), DbErr> {
    let mut row = after.clone().into_active_model();
    for column in workflow::Column::iter() {
        if !matches!(column, workflow::Column::Id | workflow::Column::CreatedAt) {
            row.reset(column);
        }
    }
    workflow::Entity::update_many().set(row).filter(workflow::Column::Id.eq(after.id)).exec(tx).await?;
    index::replace(&Tx::Orm(tx), before, after).await
}

/// Returns the content of a workflow with another definition.
fn with_definition(current: &workflow::Model, definition: ValidDefinition) -> NewWorkflow {
    NewWorkflow {
        name: current.name.clone(),
        description: current.description.clone(),
        definition,
        tags: None,
    }
}

/// Reads a workflow and checks the precondition. Doesn't check the stored definition, so that a save can replace a
/// damaged one.
async fn current_workflow(
    tx: &DatabaseTransaction,
    id: Uuid,
    precondition: Option<&Precondition>,
) -> Result<workflow::Model, Fault> {
    let rows = convert::find(tx, workflow::Entity::find_by_id(id)).await?;
    let row = rows.first().ok_or(WriteError::NotFound)?;
    let row: workflow::Model = convert::read(row, "", convert::WORKFLOWS).map_err(WriteError::Store)?;
    match precondition {
        Some(precondition) if !precondition.is_met(&row) => {
            Err(WriteError::PreconditionFailed(Box::new(row)).into())
        }
        _ => Ok(row),
    }
}

/// Rejects a name that is taken by another workflow.
async fn check_name(tx: &DatabaseTransaction, id: Uuid, name: &str) -> Result<(), Fault> {
    match name_owner(tx, name).await? {
        Some(owner) if owner != id => Err(WriteError::NameTaken.into()),
        _ => Ok(()),
    }
}

/// Returns the number of a pinned version.
async fn version_number(tx: &DatabaseTransaction, workflow_id: Uuid, pin: &Pin) -> Result<i32, Fault> {
    match pin {
        Pin::Latest => Ok(latest_version(tx, workflow_id).await?.ok_or(WriteError::NotFound)?.number),
        Pin::Number(number) => Ok(*number),
        Pin::Label(name) => {
            let label = labels::find(tx, workflow_id, name).await?;
            Ok(label.ok_or_else(|| WriteError::NoLabel(name.clone()))?.version)
        }
    }
}

/// Returns the definition of a version.
async fn version_definition(
    tx: &DatabaseTransaction,
    workflow_id: Uuid,
    number: i32,
) -> Result<ValidDefinition, Fault> {
    use workflow_version::Column::{Version, WorkflowId};
    let select =
        workflow_version::Entity::find().filter(WorkflowId.eq(workflow_id)).filter(Version.eq(number));
    let rows = convert::find(tx, select).await?;
    let row = rows.first().ok_or(WriteError::NoVersion(number))?;
    let row = convert::read_version(row).map_err(WriteError::Store)?;
    Ok(ValidDefinition { json: row.definition, hash: row.definition_hash })
}

/// The latest version, without its definition.
pub(super) struct LatestVersion {
    pub(super) id: Uuid,
    number: i32,
    pub(super) hash: String,
}

pub(super) async fn latest_version(
    tx: &DatabaseTransaction,
    workflow_id: Uuid,
) -> Result<Option<LatestVersion>, DbErr> {
    use workflow_version::Column::{DefinitionHash, Id, Version, WorkflowId};
    let row: Option<(Uuid, i32, String)> = workflow_version::Entity::find()
        .select_only()
        .columns([Id, Version, DefinitionHash])
        .filter(WorkflowId.eq(workflow_id))
        .order_by_desc(Version)
        .limit(1)
        .into_tuple()
        .one(tx)
        .await?;
    Ok(row.map(|(id, number, hash)| LatestVersion { id, number, hash }))
}

/// Returns the stored definition of the latest version, with the layout of the new definition. The two have the same
/// hash. The format of numbers and the order of keys may differ, and code in a workflow can observe that. Clients must
/// get the definition that is executed.
pub(super) async fn with_new_layout(
    tx: &DatabaseTransaction,
    version_id: Uuid,
    current: &workflow::Model,
    new: &ValidDefinition,
) -> Result<String, DbErr> {
    if new.json == current.definition {
        return Ok(new.json.clone());
    }
    let stored: Option<String> = workflow_version::Entity::find_by_id(version_id)
        .select_only()
        .column(workflow_version::Column::Definition)
        .into_tuple()
        .one(tx)
        .await?;
    let merged = stored.and_then(|stored| {
        let (stored, new) = (serde_json::from_str(&stored).ok()?, serde_json::from_str(&new.json).ok()?);
        Some(versioning::with_layout_of(stored, &new).to_json())
    });
    // Replace a damaged stored definition.
    Ok(merged.unwrap_or_else(|| new.json.clone()))
}

/// Updates the layout and the test inputs of a version.
async fn update_layout(
    tx: &DatabaseTransaction,
    version_id: Uuid,
    definition: &str,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    use workflow_version::Column::{Definition, Id, UpdatedAt};
    workflow_version::Entity::update_many()
        .col_expr(Definition, Expr::value(definition))
        .col_expr(UpdatedAt, Expr::value(now))
        .filter(Id.eq(version_id))
        .exec(tx)
        .await
        .map(drop)
}

/// Returns the id of the workflow with a name.
pub(super) async fn name_owner(tx: &DatabaseTransaction, name: &str) -> Result<Option<Uuid>, DbErr> {
    workflow::Entity::find()
        .select_only()
        .column(workflow::Column::Id)
        .filter(workflow::Column::Name.eq(name))
        .into_tuple()
        .one(tx)
        .await
}

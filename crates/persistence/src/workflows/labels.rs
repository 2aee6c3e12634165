//! Labels of versions, and the history of their moves.

use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel as _,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select,
};
use sluice_domain::naming::MAX_LABELS;
use sluice_domain::transfer::DocumentLabel;
use sluice_engine::{AuditEntry, ChangeOrigin, StoreError, clock};
use uuid::Uuid;

use crate::change::{Audited, Change, Fault, actor};
use crate::connection::sqlite_fast_path::Tx;
use crate::database::Database;
use crate::entity::{label, label_move, workflow_version};
use crate::error::{WriteError, store_error};
use crate::query::pagination::PageNumber;
use crate::writer::workflow_inserts::LabelChange;

/// A label to set to a version.
#[derive(Clone, Debug)]
pub struct NewLabel {
    /// The workflow.
    pub workflow_id: Uuid,
    /// The name of the label.
    pub name: String,
    /// The number of the version.
    pub version: i32,
    /// True to protect the label, false to unprotect it; `None` keeps its protection.
    pub is_protected: Option<bool>,
}

impl Database {
    /// Sets a label to a version.
    ///
    /// # Errors
    /// The workflow or the version doesn't exist, the workflow has too many labels, or the database failed.
    pub async fn label_set(
        &self,
        new: NewLabel,
        origin: Option<ChangeOrigin>,
    ) -> Result<label::Model, WriteError> {
        let change = SetLabel { new, actor: actor(origin.as_ref()) };
        self.writer().audited_change(change, origin).await.map(|change| change.label)
    }

    /// Sets a label to the version that it referred to before its last move.
    ///
    /// # Errors
    /// The workflow or the label doesn't exist, the label has no previous version, or the database failed.
    pub async fn label_rollback(
        &self,
        workflow_id: Uuid,
        name: String,
        origin: Option<ChangeOrigin>,
    ) -> Result<label::Model, WriteError> {
        let rollback = RollbackLabel { workflow_id, name, actor: actor(origin.as_ref()) };
        self.writer().audited_change(rollback, origin).await.map(|change| change.label)
    }

    /// Deletes a label. Keeps the history of its moves.
    ///
    /// # Errors
    /// The workflow or the label doesn't exist, or the database failed.
    pub async fn label_delete(
        &self,
        workflow_id: Uuid,
        name: String,
        origin: Option<ChangeOrigin>,
    ) -> Result<(), WriteError> {
        let delete = DeleteLabel { workflow_id, name, actor: actor(origin.as_ref()) };
        self.writer().audited_change(delete, origin).await.map(drop)
    }

    /// Returns the labels of a workflow by name, or `None` if the workflow doesn't exist.
    ///
    /// # Errors
    /// The database failed.
    pub async fn label_list(&self, workflow_id: Uuid) -> Result<Option<Vec<label::Model>>, StoreError> {
        let select = label::Entity::find()
            .filter(label::Column::WorkflowId.eq(workflow_id))
            .order_by_asc(label::Column::Name);
        let labels = select.all(self.read_pool()).await.map_err(store_error)?;
        if labels.is_empty() && self.latest_version_id(workflow_id).await?.is_none() {
            return Ok(None);
        }
        Ok(Some(labels))
    }

    /// Returns the moves of a label, newest first, or `None` if the workflow doesn't exist or never had the label.
    ///
    /// # Errors
    /// The database failed.
    pub async fn label_move_list(
        &self,
        workflow_id: Uuid,
        name: &str,
        page: PageNumber,
    ) -> Result<Option<Vec<label_move::Model>>, StoreError> {
        let select = select_moves(workflow_id, name).offset(page.offset()).limit(page.limit());
        let moves = select.all(self.read_pool()).await.map_err(store_error)?;
        if moves.is_empty() {
            let first = select_moves(workflow_id, name).limit(1).one(self.read_pool());
            if page.offset() == 0 || first.await.map_err(store_error)?.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(moves))
    }
}

struct SetLabel {
    new: NewLabel,
    actor: Option<String>,
}

impl Change for SetLabel {
    type Output = LabelChange;

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<LabelChange, Fault> {
        let NewLabel { workflow_id, name, version, is_protected } = &self.new;
        let latest = latest_version_number(tx, *workflow_id).await?.ok_or(WriteError::NotFound)?;
        if !(1..=latest).contains(version) {
            return Err(WriteError::NoVersion(*version).into());
        }
        check_label_limit(tx, *workflow_id, name).await?;
        let target =
            LabelTarget { workflow_id: *workflow_id, name, version: *version, is_protected: *is_protected };
        Ok(set_label(tx, target, self.actor.as_deref()).await?)
    }
}

struct RollbackLabel {
    workflow_id: Uuid,
    name: String,
    actor: Option<String>,
}

impl Change for RollbackLabel {
    type Output = LabelChange;

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<LabelChange, Fault> {
        let Self { workflow_id, name, .. } = self;
        existing_label(tx, *workflow_id, name).await?;
        let last = select_moves(*workflow_id, name).limit(1).one(tx).await?;
        let previous = last.and_then(|last| last.from_version);
        let version = previous.ok_or_else(|| WriteError::NoPreviousVersion(name.clone()))?;
        let target = LabelTarget { workflow_id: *workflow_id, name, version, is_protected: None };
        Ok(set_label(tx, target, self.actor.as_deref()).await?)
    }
}

struct DeleteLabel {
    workflow_id: Uuid,
    name: String,
    actor: Option<String>,
}

impl Change for DeleteLabel {
    type Output = DeletedLabel;

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<DeletedLabel, Fault> {
        let Self { workflow_id, name, actor } = self;
        let label = existing_label(tx, *workflow_id, name).await?;
        label::Entity::delete_by_id((*workflow_id, name.clone())).exec(tx).await?;
        let mut label_move = new_move(&label, actor.as_deref());
        (label_move.from_version, label_move.to_version) = (Some(label.version), None);
        label_move::Entity::insert(label_move.into_active_model()).exec_without_returning(tx).await?;
        Ok(DeletedLabel(label))
    }
}

/// A deleted label, in its last state.
struct DeletedLabel(label::Model);

impl Audited for DeletedLabel {
    fn audit_entries(&self) -> Vec<AuditEntry> {
        vec![self.0.audit_entry(Some(&self.0), None)]
    }
}

/// Returns the label with this name.
pub(crate) async fn find(
    db: &impl ConnectionTrait,
    workflow_id: Uuid,
    name: &str,
) -> Result<Option<label::Model>, DbErr> {
    label::Entity::find_by_id((workflow_id, name.to_owned())).one(db).await
}

/// Rejects a save that would move a protected label, or exceed [`MAX_LABELS`].
pub(crate) async fn check_movable(
    tx: &DatabaseTransaction,
    workflow_id: Uuid,
    name: &str,
) -> Result<(), Fault> {
    match find(tx, workflow_id, name).await? {
        Some(label) if label.is_protected => Err(WriteError::Protected(name.to_owned()).into()),
        Some(_) => Ok(()),
        None => check_label_limit(tx, workflow_id, name).await,
    }
}

/// Rejects a new label if the workflow already has [`MAX_LABELS`].
async fn check_label_limit(tx: &DatabaseTransaction, workflow_id: Uuid, name: &str) -> Result<(), Fault> {
    use label::Column::{Name, WorkflowId};
    let other_labels = label::Entity::find().filter(WorkflowId.eq(workflow_id)).filter(Name.ne(name));
    if other_labels.count(tx).await? >= MAX_LABELS as u64 {
        return Err(WriteError::TooManyLabels.into());
    }
    Ok(())
}

/// The label to set, and its version.
pub(crate) struct LabelTarget<'a> {
    pub(crate) workflow_id: Uuid,
    pub(crate) name: &'a str,
    pub(crate) version: i32,
    /// `None` keeps the protection.
    pub(crate) is_protected: Option<bool>,
}

/// Sets a label, and records a move if its version has changed.
pub(crate) async fn set_label(
    tx: &DatabaseTransaction,
    target: LabelTarget<'_>,
    actor: Option<&str>,
) -> Result<LabelChange, DbErr> {
    let LabelTarget { workflow_id, name, version, is_protected } = target;
    let before = find(tx, workflow_id, name).await?;
    let now = clock::now();
    let was_protected = before.as_ref().is_some_and(|label| label.is_protected);
    let label = label::Model {
        workflow_id,
        name: name.to_owned(),
        version,
        is_protected: is_protected.unwrap_or(was_protected),
        created_at: before.as_ref().map_or(now, |label| label.created_at),
        updated_at: now,
    };
    if let Some(before) = &before
        && before.version == label.version
        && before.is_protected == label.is_protected
    {
        return Ok(LabelChange { label: before.clone(), before: Some(before.clone()) });
    }
    let upsert = OnConflict::columns([label::Column::WorkflowId, label::Column::Name])
        .update_columns([label::Column::Version, label::Column::IsProtected, label::Column::UpdatedAt])
        .to_owned();
    let insert = label::Entity::insert(label.clone().into_active_model()).on_conflict(upsert);
    insert.exec_without_returning(tx).await?;
    let from_version = before.as_ref().map(|before| before.version);
    if from_version != Some(version) {
        let label_move = label_move::Model { from_version, ..new_move(&label, actor) };
        label_move::Entity::insert(label_move.into_active_model()).exec_without_returning(tx).await?;
    }
    Ok(LabelChange { label, before })
}

/// Inserts the labels of a new workflow and their first moves, in two statements.
pub(crate) async fn insert(
    tx: &Tx<'_>,
    workflow_id: Uuid,
    labels: &[DocumentLabel],
    actor: Option<&str>,
) -> Result<Vec<label::Model>, DbErr> {
    if labels.is_empty() {
        return Ok(Vec::new());
    }
    let now = clock::now();
    let rows: Vec<label::Model> = labels
        .iter()
        .map(|DocumentLabel { label, version, protected }| label::Model {
            workflow_id,
            name: label.clone(),
            version: *version,
            is_protected: *protected,
            created_at: now,
            updated_at: now,
        })
        .collect();
    let moves = rows.iter().map(|label| new_move(label, actor).into_active_model());
    tx.execute(&label::Entity::insert_many(rows.iter().map(|label| label.clone().into_active_model())))
        .await?;
    tx.execute(&label_move::Entity::insert_many(moves)).await?;
    Ok(rows)
}

/// Returns the move that records the creation of a label.
fn new_move(label: &label::Model, actor: Option<&str>) -> label_move::Model {
    label_move::Model {
        id: clock::new_id(),
        workflow_id: label.workflow_id,
        name: label.name.clone(),
        from_version: None,
        to_version: Some(label.version),
        moved_at: clock::now(),
        moved_by: actor.map(str::to_owned),
    }
}

async fn existing_label(
    tx: &DatabaseTransaction,
    workflow_id: Uuid,
    name: &str,
) -> Result<label::Model, Fault> {
    latest_version_number(tx, workflow_id).await?.ok_or(WriteError::NotFound)?;
    Ok(find(tx, workflow_id, name).await?.ok_or_else(|| WriteError::NoLabel(name.to_owned()))?)
}

/// Returns the number of the latest version, or `None` if the workflow doesn't exist.
async fn latest_version_number(tx: &DatabaseTransaction, workflow_id: Uuid) -> Result<Option<i32>, DbErr> {
    use workflow_version::Column::{Version, WorkflowId};
    workflow_version::Entity::find()
        .select_only()
        .column(Version)
        .filter(WorkflowId.eq(workflow_id))
        .order_by_desc(Version)
        .limit(1)
        .into_tuple()
        .one(tx)
        .await
}

fn select_moves(workflow_id: Uuid, name: &str) -> Select<label_move::Entity> {
    label_move::Entity::find()
        .filter(label_move::Column::WorkflowId.eq(workflow_id))
        .filter(label_move::Column::Name.eq(name))
        .order_by_desc(label_move::Column::Id)
}

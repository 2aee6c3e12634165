//! Labels: names that stand for versions, and who moved them.

use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, Set,
};
use sluice_domain::transfer::IncomingLabel;
use sluice_engine::{Remember, StoreError, clock};
use uuid::Uuid;

use crate::change::{Change, Fault};
use crate::connection::sqlite_fast_path::Tx;
use crate::database::Database;
use crate::entity::label::LabelRow;
use crate::entity::label_move::LabelMoveRow;
use crate::entity::{label, label_move, workflow_version};
use crate::error::{WriteError, store_error};
use crate::query::pagination::Page;
use crate::writer::workflow_inserts::LabelMoved;

/// The most labels of a workflow.
const MAX_LABELS: u64 = 100;

impl Database {
    /// Sets a label, or moves it, to a version. `is_protected` says whether saving never moves it from now on;
    /// none leaves that as it is.
    ///
    /// # Errors
    /// When there is no such workflow or version, or the store fails.
    pub async fn label_set(
        &self,
        workflow_id: Uuid,
        name: String,
        version: i32,
        is_protected: Option<bool>,
        (by, remember): (Option<String>, Option<Remember<LabelMoved>>),
    ) -> Result<LabelRow, WriteError> {
        let set = SetLabel { workflow_id, name, version, is_protected, by };
        self.writer().change_once(set, remember).await.map(|moved| moved.label)
    }

    /// Moves a label to where it stood before its last move.
    ///
    /// # Errors
    /// When there is no such workflow or label, when it stood nowhere else, or when the store fails.
    pub async fn label_rollback(
        &self,
        workflow_id: Uuid,
        name: String,
        by: Option<String>,
        remember: Option<Remember<LabelMoved>>,
    ) -> Result<LabelRow, WriteError> {
        let rollback = Rollback { workflow_id, name, by };
        self.writer().change_once(rollback, remember).await.map(|moved| moved.label)
    }

    /// Takes a label away. Its history stays.
    ///
    /// # Errors
    /// When there is no such workflow or label, or the store fails.
    pub async fn label_delete(
        &self,
        workflow_id: Uuid,
        name: String,
        by: Option<String>,
        remember: Option<Remember<LabelRow>>,
    ) -> Result<(), WriteError> {
        self.writer().change_once(DropLabel { workflow_id, name, by }, remember).await.map(drop)
    }

    /// The labels of a workflow by name; none when there is no such workflow.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn labels(&self, workflow_id: Uuid) -> Result<Option<Vec<LabelRow>>, StoreError> {
        let select = label::Entity::find()
            .filter(label::Column::WorkflowId.eq(workflow_id))
            .order_by_asc(label::Column::Name);
        let found = select.all(self.readers()).await.map_err(store_error)?;
        if found.is_empty() && self.latest_version_id(workflow_id).await?.is_none() {
            return Ok(None);
        }
        Ok(Some(found.into_iter().map(row).collect()))
    }

    /// The moves of a label, the last first; none when there is no such workflow or it never had this label.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn label_moves(
        &self,
        workflow_id: Uuid,
        name: &str,
        page: Page,
    ) -> Result<Option<Vec<LabelMoveRow>>, StoreError> {
        let select = moves(workflow_id, name).offset(page.offset()).limit(page.limit());
        let found = select.all(self.readers()).await.map_err(store_error)?;
        let is_beyond = found.is_empty() && page.offset() > 0;
        let first = moves(workflow_id, name).limit(1);
        let is_known =
            !found.is_empty() || is_beyond && first.one(self.readers()).await.map_err(store_error)?.is_some();
        if !is_known {
            return Ok(None);
        }
        let row = |label_move::Model { from_version, to_version, moved_at, moved_by, .. }| LabelMoveRow {
            from_version,
            to_version,
            moved_at,
            moved_by,
        };
        Ok(Some(found.into_iter().map(row).collect()))
    }
}

struct SetLabel {
    workflow_id: Uuid,
    name: String,
    version: i32,
    is_protected: Option<bool>,
    by: Option<String>,
}

struct Rollback {
    workflow_id: Uuid,
    name: String,
    by: Option<String>,
}

struct DropLabel {
    workflow_id: Uuid,
    name: String,
    by: Option<String>,
}

impl Change for SetLabel {
    type Output = LabelMoved;

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<LabelMoved, Fault> {
        let Self { workflow_id, name, version, is_protected, by } = self;
        let latest = latest(tx, *workflow_id).await?.ok_or(WriteError::NotFound)?;
        if !(1..=latest).contains(version) {
            return Err(WriteError::NoVersion(*version).into());
        }
        check_room(tx, *workflow_id, name).await?;
        Ok(point(tx, (*workflow_id, name), *version, *is_protected, by.as_deref()).await?)
    }
}

impl Change for Rollback {
    type Output = LabelMoved;

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<LabelMoved, Fault> {
        let Self { workflow_id, name, by } = self;
        existing(tx, *workflow_id, name).await?;
        let last = moves(*workflow_id, name).limit(1).one(tx).await?;
        let before = last.and_then(|last| last.from_version);
        let before = before.ok_or_else(|| WriteError::NoEarlier(name.clone()))?;
        Ok(point(tx, (*workflow_id, name), before, None, by.as_deref()).await?)
    }
}

impl Change for DropLabel {
    /// The label, as it was.
    type Output = LabelRow;

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<LabelRow, Fault> {
        let Self { workflow_id, name, by } = self;
        let label = existing(tx, *workflow_id, name).await?;
        label::Entity::delete_by_id((*workflow_id, name.clone())).exec(tx).await?;
        note(tx, (*workflow_id, name), (Some(label.version), None), by.as_deref()).await?;
        Ok(label)
    }
}

/// The label, if there is one.
pub(crate) async fn find(
    db: &impl ConnectionTrait,
    workflow_id: Uuid,
    name: &str,
) -> Result<Option<LabelRow>, DbErr> {
    Ok(label::Entity::find_by_id((workflow_id, name.to_owned())).one(db).await?.map(row))
}

/// Refuses to let saving move a label that is protected.
pub(crate) async fn check_movable(
    tx: &DatabaseTransaction,
    workflow_id: Uuid,
    name: &str,
) -> Result<(), Fault> {
    match find(tx, workflow_id, name).await? {
        Some(label) if label.is_protected => Err(WriteError::Protected(name.to_owned()).into()),
        Some(_) => Ok(()),
        None => check_room(tx, workflow_id, name).await,
    }
}

/// Refuses a new label beyond [`MAX_LABELS`].
async fn check_room(tx: &DatabaseTransaction, workflow_id: Uuid, name: &str) -> Result<(), Fault> {
    use label::Column::{Name, WorkflowId};
    let others = label::Entity::find().filter(WorkflowId.eq(workflow_id)).filter(Name.ne(name));
    if others.count(tx).await? >= MAX_LABELS {
        return Err(WriteError::TooManyLabels(MAX_LABELS).into());
    }
    Ok(())
}

/// Lets a label stand for a version, and keeps that in its history if it stood elsewhere.
pub(crate) async fn point(
    tx: &DatabaseTransaction,
    (workflow_id, name): (Uuid, &str),
    version: i32,
    is_protected: Option<bool>,
    by: Option<&str>,
) -> Result<LabelMoved, DbErr> {
    let before = find(tx, workflow_id, name).await?;
    let now = clock::now();
    let was_protected = before.as_ref().is_some_and(|label| label.is_protected);
    let label = LabelRow {
        name: name.to_owned(),
        version,
        is_protected: is_protected.unwrap_or(was_protected),
        created_at: before.as_ref().map_or(now, |label| label.created_at),
        updated_at: now,
    };
    if let Some(before) = before
        .as_ref()
        .filter(|before| (before.version, before.is_protected) == (label.version, label.is_protected))
    {
        return Ok(LabelMoved { label: before.clone(), before: Some(before.clone()) });
    }
    let model = label::ActiveModel {
        workflow_id: Set(workflow_id),
        name: Set(label.name.clone()),
        version: Set(label.version),
        is_protected: Set(label.is_protected),
        created_at: Set(label.created_at),
        updated_at: Set(label.updated_at),
    };
    let over = OnConflict::columns([label::Column::WorkflowId, label::Column::Name])
        .update_columns([label::Column::Version, label::Column::IsProtected, label::Column::UpdatedAt])
        .to_owned();
    label::Entity::insert(model).on_conflict(over).exec_without_returning(tx).await?;
    let from = before.as_ref().map(|before| before.version);
    if from != Some(version) {
        note(tx, (workflow_id, name), (from, Some(version)), by).await?;
    }
    Ok(LabelMoved { label, before })
}

/// Sets the labels of a workflow that is new, in two statements however many there are.
pub(crate) async fn insert(
    tx: &Tx<'_>,
    workflow_id: Uuid,
    labels: &[IncomingLabel],
    by: Option<&str>,
) -> Result<Vec<LabelRow>, DbErr> {
    if labels.is_empty() {
        return Ok(Vec::new());
    }
    let now = clock::now();
    let row = |IncomingLabel { label, version, protected }: &IncomingLabel| LabelRow {
        name: label.clone(),
        version: *version,
        is_protected: *protected,
        created_at: now,
        updated_at: now,
    };
    let rows: Vec<LabelRow> = labels.iter().map(row).collect();
    let set = rows.iter().map(|row| label::ActiveModel {
        workflow_id: Set(workflow_id),
        name: Set(row.name.clone()),
        version: Set(row.version),
        is_protected: Set(row.is_protected),
        created_at: Set(now),
        updated_at: Set(now),
    });
    let moves = labels.iter().map(|IncomingLabel { label, version, .. }| {
        move_model((workflow_id, label), (None, Some(*version)), by)
    });
    tx.execute(&label::Entity::insert_many(set)).await?;
    tx.execute(&label_move::Entity::insert_many(moves)).await?;
    Ok(rows)
}

async fn note(
    tx: &DatabaseTransaction,
    label: (Uuid, &str),
    versions: (Option<i32>, Option<i32>),
    by: Option<&str>,
) -> Result<(), DbErr> {
    let model = move_model(label, versions, by);
    label_move::Entity::insert(model).exec_without_returning(tx).await.map(drop)
}

fn move_model(
    (workflow_id, name): (Uuid, &str),
    (from, to): (Option<i32>, Option<i32>),
    by: Option<&str>,
) -> label_move::ActiveModel {
    label_move::ActiveModel {
        id: Set(clock::new_id()),
        workflow_id: Set(workflow_id),
        name: Set(name.to_owned()),
        from_version: Set(from),
        to_version: Set(to),
        moved_at: Set(clock::now()),
        moved_by: Set(by.map(str::to_owned)),
    }
}

async fn existing(tx: &DatabaseTransaction, workflow_id: Uuid, name: &str) -> Result<LabelRow, Fault> {
    latest(tx, workflow_id).await?.ok_or(WriteError::NotFound)?;
    Ok(find(tx, workflow_id, name).await?.ok_or_else(|| WriteError::NoLabel(name.to_owned()))?)
}

/// The number of the latest version; none when there is no such workflow.
async fn latest(tx: &DatabaseTransaction, workflow_id: Uuid) -> Result<Option<i32>, DbErr> {
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

fn moves(workflow_id: Uuid, name: &str) -> sea_orm::Select<label_move::Entity> {
    label_move::Entity::find()
        .filter(label_move::Column::WorkflowId.eq(workflow_id))
        .filter(label_move::Column::Name.eq(name))
        .order_by_desc(label_move::Column::Id)
}

fn row(model: label::Model) -> LabelRow {
    let label::Model { workflow_id: _, name, version, is_protected, created_at, updated_at } = model;
    LabelRow { name, version, is_protected, created_at, updated_at }
}

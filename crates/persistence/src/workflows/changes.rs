//! What can be done to workflows, each within a transaction that others share.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set,
};
use sluice_domain::{SpurType, naming, versioning};
use sluice_engine::clock;
use uuid::Uuid;

use super::labels;
use super::versions::Pin;
use crate::change::{Change, Fault};
use crate::connection::sqlite_fast_path::Tx;
use crate::entity::workflow::WorkflowRow;
use crate::entity::{workflow, workflow_version};
use crate::error::WriteError;
use crate::query::convert;
use crate::search::index;
use crate::writer::workflow_inserts::{Accepted, NewWorkflow, Saved, create_all, listed, version_model};

/// Replaces name, description and definition.
pub(crate) struct Update(pub(crate) Uuid, pub(crate) NewWorkflow, pub(crate) Saving);

/// Replaces the definition by the first one of its type.
pub(crate) struct Reset(pub(crate) Uuid, pub(crate) Vec<(SpurType, Accepted)>, pub(crate) Saving);

/// Puts the definition of a version back.
pub(crate) struct Restore(pub(crate) Uuid, pub(crate) Pin, pub(crate) Saving);

/// Replaces what is said about a workflow.
pub(crate) struct Patch(pub(crate) Uuid, pub(crate) Details, pub(crate) Saving);

/// Makes a copy.
pub(crate) struct Duplicate(pub(crate) Uuid, pub(crate) Pin, pub(crate) Option<String>);

/// Deletes a workflow and all that belongs to it.
pub(crate) struct Delete(pub(crate) Uuid, pub(crate) Saving);

impl Change for Update {
    type Output = Saved;

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<Saved, Fault> {
        let Self(id, new, saving) = self;
        let current = current(tx, *id, saving).await?;
        check_name(tx, *id, &new.name).await?;
        save(tx, current, new, saving).await
    }
}

impl Change for Reset {
    type Output = Saved;

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<Saved, Fault> {
        let Self(id, defaults, saving) = self;
        let current = current(tx, *id, saving).await?;
        let kind = SpurType::from_definition(&current.definition);
        let default = defaults.iter().find(|(of, _)| *of == kind).map(|(_, default)| default.clone());
        let default = default.ok_or_else(|| DbErr::Custom(format!("no default of {kind:?}")))?;
        let new = with_definition(&current, default);
        save(tx, current, &new, saving).await
    }
}

impl Change for Restore {
    type Output = Saved;

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<Saved, Fault> {
        let Self(id, pin, saving) = self;
        let current = current(tx, *id, saving).await?;
        let number = numbered(tx, *id, pin).await?;
        let version = version(tx, *id, number).await?;
        let note = saving.note.clone().unwrap_or_else(|| format!("Restored from version {number}."));
        let saving = Saving { note: Some(note), ..saving.clone() };
        let new = with_definition(&current, version);
        save(tx, current, &new, &saving).await
    }
}

impl Change for Patch {
    type Output = Saved;

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<Saved, Fault> {
        let Self(id, details, saving) = self;
        let current = current(tx, *id, saving).await?;
        let Details { name, description, tags } = details.clone();
        let row = WorkflowRow {
            name: name.unwrap_or_else(|| current.name.clone()),
            description: description.unwrap_or_else(|| current.description.clone()),
            tags: tags.map_or_else(|| current.tags.clone(), |tags| listed(&tags)),
            ..current.clone()
        };
        check_name(tx, *id, &row.name).await?;
        if row == current {
            return Ok(Saved::unchanged(current));
        }
        let row = WorkflowRow { updated_at: after(current.updated_at), ..row };
        write(tx, &current, &row).await?;
        let hash = latest(tx, *id).await?.map(|latest| latest.hash);
        Ok(Saved { row, changed: true, before: hash.clone(), after: hash, label: None })
    }
}

impl Change for Duplicate {
    type Output = Saved;

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<Saved, Fault> {
        let Self(id, pin, by) = self;
        let original = current(tx, *id, &Saving::default()).await?;
        let definition = match pin {
            Pin::Latest => {
                // The definition is that of the latest version: both change in the same transaction.
                let latest = latest(tx, *id).await?.ok_or(WriteError::NotFound)?;
                Accepted { json: original.definition, hash: latest.hash }
            }
            _ => version(tx, *id, numbered(tx, *id, pin).await?).await?,
        };
        let tags = serde_json::from_str(&original.tags).ok();
        let new = NewWorkflow {
            name: naming::copy_name(&original.name),
            description: original.description,
            definition,
            tags,
            by: by.clone(),
        };
        let row = create(tx, &new).await?;
        let after = Some(new.definition.hash);
        Ok(Saved { row, changed: true, before: None, after, label: None })
    }
}

impl Change for Delete {
    /// The hash of the definition that is gone.
    type Output = Option<String>;

    const FREES_SPACE: bool = true;

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<Option<String>, Fault> {
        let Self(id, saving) = self;
        if saving.condition.is_some() {
            current(tx, *id, saving).await?;
        }
        let last = latest(tx, *id).await?;
        // Versions, runs and logs go with it: foreign keys cascade.
        let deleted = workflow::Entity::delete_by_id(*id).exec(tx).await?;
        if deleted.rows_affected == 0 {
            return Err(WriteError::NotFound.into());
        }
        Ok(last.map(|last| last.hash))
    }
}

async fn create(tx: &DatabaseTransaction, new: &NewWorkflow) -> Result<WorkflowRow, Fault> {
    let mut rows = create_all(&Tx::Orm(tx), &[new]).await?;
    rows.pop().ok_or_else(|| DbErr::RecordNotInserted.into())
}

/// Keeps `new` in place of `current`. What executes in another way is a version; what is the same altogether changes
/// nothing.
pub(crate) async fn save(
    tx: &DatabaseTransaction,
    current: WorkflowRow,
    new: &NewWorkflow,
    saving: &Saving,
) -> Result<Saved, Fault> {
    if let Some(label) = &saving.label {
        labels::check_movable(tx, current.id, label).await?;
    }
    let latest = latest(tx, current.id).await?;
    let is_version = latest.as_ref().is_none_or(|latest| latest.hash != new.definition.hash);
    let definition = match &latest {
        Some(latest) if !is_version => drawn_anew(tx, latest.id, &current, &new.definition).await?,
        _ => new.definition.json.clone(),
    };
    let row = WorkflowRow {
        name: new.name.clone(),
        description: new.description.clone(),
        definition,
        tags: new.tags.as_deref().map_or_else(|| current.tags.clone(), listed),
        ..current.clone()
    };
    let mut saved = if row == current && !is_version {
        Saved::unchanged(row)
    } else {
        keep(tx, (&current, row), (latest, is_version), new, saving).await?
    };
    if let Some(label) = &saving.label {
        let (id, version) = (saved.row.id, saved.row.version);
        saved.label = Some(labels::point(tx, (id, label), version, None, saving.by.as_deref()).await?);
    }
    Ok(saved)
}

/// Now, and later than `before` also where the clock was put back: entity tags tell states apart by their time.
fn after(before: DateTime<Utc>) -> DateTime<Utc> {
    clock::now().max(before + TimeDelta::microseconds(1))
}

async fn keep(
    tx: &DatabaseTransaction,
    (before, row): (&WorkflowRow, WorkflowRow),
    (latest, is_version): (Option<Latest>, bool),
    new: &NewWorkflow,
    saving: &Saving,
) -> Result<Saved, DbErr> {
    let now = after(before.updated_at);
    let number = latest.as_ref().map_or(0, |latest| latest.number).saturating_add(i32::from(is_version));
    let row = WorkflowRow { updated_at: now, version: number, ..row };
    write(tx, before, &row).await?;
    let hash = latest.as_ref().map(|latest| latest.hash.clone());
    match latest.filter(|_| !is_version) {
        Some(latest) if row.definition != before.definition => {
            refresh_layout(tx, latest.id, &row.definition, now).await?;
        }
        Some(_) => {}
        None => {
            let model =
                version_model((row.id, number), new, saving.note.as_deref(), saving.by.as_deref(), now);
            index::insert_versions(&Tx::Orm(tx), vec![model]).await?;
        }
    }
    let after = Some(new.definition.hash.clone());
    Ok(Saved { row, changed: true, before: hash, after, label: None })
}

/// Writes a workflow that is there already, and what it is found by.
async fn write(tx: &DatabaseTransaction, before: &WorkflowRow, row: &WorkflowRow) -> Result<(), DbErr> {
    let model = workflow::ActiveModel {
        name: Set(row.name.clone()),
        description: Set(row.description.clone()),
        definition: Set(row.definition.clone()),
        updated_at: Set(row.updated_at),
        tags: Set(row.tags.clone()),
        version: Set(row.version),
        ..Default::default()
    };
    workflow::Entity::update_many().set(model).filter(workflow::Column::Id.eq(row.id)).exec(tx).await?;
    index::replace(&Tx::Orm(tx), before, row).await
}

/// What a workflow says with another definition.
fn with_definition(current: &WorkflowRow, definition: Accepted) -> NewWorkflow {
    NewWorkflow {
        name: current.name.clone(),
        description: current.description.clone(),
        definition,
        tags: None,
        by: None,
    }
}

/// A workflow that is to be changed: as it is stored, for saving is how one that can't be read is repaired.
async fn current(tx: &DatabaseTransaction, id: Uuid, saving: &Saving) -> Result<WorkflowRow, Fault> {
    let found = convert::find(tx, workflow::Entity::find_by_id(id)).await?;
    let found = found.first().ok_or(WriteError::NotFound)?;
    let row = convert::of_workflow(convert::read(found, "", convert::WORKFLOWS).map_err(WriteError::Store)?);
    match &saving.condition {
        Some(condition) if !condition.holds(&row.etag()) => Err(WriteError::Changed(Box::new(row)).into()),
        _ => Ok(row),
    }
}

async fn check_name(tx: &DatabaseTransaction, id: Uuid, name: &str) -> Result<(), Fault> {
    match owner_of(tx, name).await? {
        Some(owner) if owner != id => Err(WriteError::NameTaken.into()),
        _ => Ok(()),
    }
}

/// The number of the version that is meant.
async fn numbered(tx: &DatabaseTransaction, workflow_id: Uuid, pin: &Pin) -> Result<i32, Fault> {
    match pin {
        Pin::Latest => Ok(latest(tx, workflow_id).await?.ok_or(WriteError::NotFound)?.number),
        Pin::Number(number) => Ok(*number),
        Pin::Label(name) => {
            let label = labels::find(tx, workflow_id, name).await?;
            Ok(label.ok_or_else(|| WriteError::NoLabel(name.clone()))?.version)
        }
    }
}

/// The definition of a version.
async fn version(tx: &DatabaseTransaction, workflow_id: Uuid, number: i32) -> Result<Accepted, Fault> {
    use workflow_version::Column::{Version, WorkflowId};
    let select =
        workflow_version::Entity::find().filter(WorkflowId.eq(workflow_id)).filter(Version.eq(number));
    let found = convert::find(tx, select).await?;
    let found = found.first().ok_or(WriteError::NoVersion(number))?;
    let row = convert::version(found).map_err(WriteError::Store)?;
    Ok(Accepted { json: row.definition, hash: row.definition_hash })
}

/// The version that was made last.
struct Latest {
    id: Uuid,
    number: i32,
    hash: String,
}

async fn latest(tx: &DatabaseTransaction, workflow_id: Uuid) -> Result<Option<Latest>, DbErr> {
    use workflow_version::Column::{DefinitionHash, Id, Version, WorkflowId};
    let found: Option<(Uuid, i32, String)> = workflow_version::Entity::find()
        .select_only()
        .columns([Id, Version, DefinitionHash])
        .filter(WorkflowId.eq(workflow_id))
        .order_by_desc(Version)
        .limit(1)
        .into_tuple()
        .one(tx)
        .await?;
    Ok(found.map(|(id, number, hash)| Latest { id, number, hash }))
}

/// What executes is the same: the definition as the latest version has it, with the layout of what is saved. Numbers
/// that are equal are the same to the hash, and so are objects whose keys stand in another order, but code that runs may
/// tell them apart: what is shown is what runs.
async fn drawn_anew(
    tx: &DatabaseTransaction,
    version_id: Uuid,
    current: &WorkflowRow,
    new: &Accepted,
) -> Result<String, DbErr> {
    if new.json == current.definition {
        return Ok(new.json.clone());
    }
    let kept: Option<String> = workflow_version::Entity::find_by_id(version_id)
        .select_only()
        .column(workflow_version::Column::Definition)
        .into_tuple()
        .one(tx)
        .await?;
    let drawn_anew = kept.and_then(|kept| {
        let (kept, new) = (serde_json::from_str(&kept).ok()?, serde_json::from_str(&new.json).ok()?);
        Some(versioning::with_layout_of(kept, &new).to_json())
    });
    // A stored text that can't be read any more has nothing worth keeping.
    Ok(drawn_anew.unwrap_or_else(|| new.json.clone()))
}

/// Only where it is drawn, and what it is tried with, are kept anew with the version.
async fn refresh_layout(
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

/// The workflow that has this name.
pub(crate) async fn owner_of(tx: &DatabaseTransaction, name: &str) -> Result<Option<Uuid>, DbErr> {
    workflow::Entity::find()
        .select_only()
        .column(workflow::Column::Id)
        .filter(workflow::Column::Name.eq(name))
        .into_tuple()
        .one(tx)
        .await
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

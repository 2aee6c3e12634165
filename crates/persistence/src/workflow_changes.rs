//! What can be done to workflows, each within a transaction that others share.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect, Set,
};
use sluice_domain::{naming, versioning};
use sluice_engine::clock;
use uuid::Uuid;

use crate::direct::Tx;
use crate::entity::{workflow, workflow_version};
use crate::error::Fault;
use crate::rows;
use crate::writer::Change;
use crate::{Accepted, NewWorkflow, WorkflowRow, WriteError};

/// Replaces name, description and definition.
pub(crate) struct Update(pub(crate) Uuid, pub(crate) NewWorkflow);

/// Replaces the definition.
pub(crate) struct Reset(pub(crate) Uuid, pub(crate) Accepted);

/// Makes a copy.
pub(crate) struct Duplicate(pub(crate) Uuid);

/// Deletes a workflow and all that belongs to it.
pub(crate) struct Delete(pub(crate) Uuid);

impl Change for Update {
    type Output = WorkflowRow;

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<WorkflowRow, Fault> {
        let Self(id, new) = self;
        let head = head(tx, *id).await?;
        if owner_of(tx, &new.name).await?.is_some_and(|owner| owner != *id) {
            return Err(WriteError::NameTaken.into());
        }
        save(tx, *id, head.created_at, new).await
    }
}

impl Change for Reset {
    type Output = WorkflowRow;

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<WorkflowRow, Fault> {
        let Self(id, definition) = self;
        let Head { name, description, created_at } = head(tx, *id).await?;
        let new = NewWorkflow { name, description, definition: definition.clone() };
        save(tx, *id, created_at, &new).await
    }
}

impl Change for Duplicate {
    type Output = WorkflowRow;

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<WorkflowRow, Fault> {
        let found = rows::find(tx, workflow::Entity::find_by_id(self.0)).await?;
        let original = found.first().ok_or(WriteError::NotFound)?;
        let original = rows::workflow(original).map_err(WriteError::Store)?;
        // The definition is that of the latest version: both change in the same transaction.
        let latest = latest(tx, self.0).await?.ok_or(WriteError::NotFound)?;
        let new = NewWorkflow {
            name: naming::copy_of(&original.name),
            description: original.description,
            definition: Accepted { json: original.definition, hash: latest.hash },
        };
        create(tx, &new).await
    }
}

impl Change for Delete {
    type Output = ();

    async fn apply(&self, tx: &DatabaseTransaction) -> Result<(), Fault> {
        // Versions, runs and logs go with it: foreign keys cascade.
        let deleted = workflow::Entity::delete_by_id(self.0).exec(tx).await?;
        if deleted.rows_affected == 0 {
            return Err(WriteError::NotFound.into());
        }
        Ok(())
    }
}

async fn create(tx: &DatabaseTransaction, new: &NewWorkflow) -> Result<WorkflowRow, Fault> {
    let mut rows = create_all(&Tx::Orm(tx), &[new]).await?;
    rows.pop().ok_or_else(|| DbErr::RecordNotInserted.into())
}

/// Creates workflows, each with its version 1, in few statements. A name that is taken gets a number.
pub(crate) async fn create_all(tx: &Tx<'_>, all: &[&NewWorkflow]) -> Result<Vec<WorkflowRow>, DbErr> {
    let now = clock::now();
    let mut taken = taken_of(tx, all.iter().map(|new| naming::candidate(&new.name, 1))).await?;
    let (mut created, mut workflows, mut versions) = (Vec::new(), Vec::new(), Vec::new());
    for new in all {
        let mut name = naming::candidate(&new.name, 1);
        if taken.contains(&name) {
            name = free_name(tx, &new.name, &taken).await?;
        }
        taken.insert(name.clone());
        let new = NewWorkflow { name, ..(*new).clone() };
        let row = row(clock::new_id(), now, now, &new);
        workflows.push(workflow::ActiveModel {
            id: Set(row.id),
            name: Set(row.name.clone()),
            description: Set(row.description.clone()),
            definition: Set(row.definition.clone()),
            created_at: Set(now),
            updated_at: Set(now),
        });
        versions.push(version_model(row.id, 1, &new, now));
        created.push(row);
    }
    tx.execute(&workflow::Entity::insert_many(workflows)).await?;
    tx.execute(&workflow_version::Entity::insert_many(versions)).await?;
    Ok(created)
}

/// Those of the wanted names that other workflows have.
async fn taken_of(tx: &Tx<'_>, wanted: impl IntoIterator<Item = String>) -> Result<HashSet<String>, DbErr> {
    let taken = workflow::Entity::find()
        .select_only()
        .column(workflow::Column::Name)
        .filter(workflow::Column::Name.is_in(wanted));
    Ok(tx.texts(&taken).await?.into_iter().collect())
}

async fn save(
    tx: &DatabaseTransaction,
    id: Uuid,
    created_at: DateTime<Utc>,
    new: &NewWorkflow,
) -> Result<WorkflowRow, Fault> {
    let now = clock::now();
    let latest = latest(tx, id).await?;
    let row = row(id, created_at, now, new);
    let model = workflow::ActiveModel {
        name: Set(row.name.clone()),
        description: Set(row.description.clone()),
        definition: Set(row.definition.clone()),
        updated_at: Set(now),
        ..Default::default()
    };
    workflow::Entity::update_many().set(model).filter(workflow::Column::Id.eq(id)).exec(tx).await?;
    match latest {
        Some(latest) if latest.hash == new.definition.hash => {
            refresh_layout(tx, latest.id, &new.definition.json, now).await?;
        }
        latest => {
            let number = latest.map_or(1, |latest| latest.number.saturating_add(1));
            insert_version(tx, id, number, new, now).await?;
        }
    }
    Ok(row)
}

fn row(id: Uuid, created_at: DateTime<Utc>, updated_at: DateTime<Utc>, new: &NewWorkflow) -> WorkflowRow {
    WorkflowRow {
        id,
        name: new.name.clone(),
        description: new.description.clone(),
        definition: new.definition.json.clone(),
        created_at,
        updated_at,
    }
}

/// What of a workflow stays when its definition is replaced.
#[derive(FromQueryResult)]
struct Head {
    name: String,
    description: Option<String>,
    created_at: DateTime<Utc>,
}

async fn head(tx: &DatabaseTransaction, id: Uuid) -> Result<Head, Fault> {
    // Not the definition: saving is how one that can't be read is repaired.
    let select = workflow::Entity::find_by_id(id).select_only().columns([
        workflow::Column::Id,
        workflow::Column::Name,
        workflow::Column::Description,
        workflow::Column::CreatedAt,
    ]);
    let found = rows::find(tx, select).await?;
    let found = found.first().ok_or(WriteError::NotFound)?;
    Ok(rows::read(found, "", rows::WORKFLOWS).map_err(WriteError::Store)?)
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

async fn insert_version(
    tx: &DatabaseTransaction,
    workflow_id: Uuid,
    number: i32,
    new: &NewWorkflow,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let model = version_model(workflow_id, number, new, now);
    workflow_version::Entity::insert(model).exec_without_returning(tx).await.map(drop)
}

fn version_model(
    workflow_id: Uuid,
    number: i32,
    new: &NewWorkflow,
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
    }
}

/// What executes is the same: only where it is drawn, and what it is tried with, are kept anew.
async fn refresh_layout(
    tx: &DatabaseTransaction,
    version_id: Uuid,
    json: &str,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    use workflow_version::Column::{Definition, Id, UpdatedAt};
    let kept: Option<String> = workflow_version::Entity::find_by_id(version_id)
        .select_only()
        .column(Definition)
        .into_tuple()
        .one(tx)
        .await?;
    let drawn_anew = kept.and_then(|kept| {
        let (kept, new) = (serde_json::from_str(&kept).ok()?, serde_json::from_str(json).ok()?);
        Some(versioning::with_layout_of(kept, &new).to_json())
    });
    // A stored text that can't be read any more has nothing worth keeping.
    let definition = drawn_anew.unwrap_or_else(|| json.to_owned());
    workflow_version::Entity::update_many()
        .col_expr(Definition, Expr::value(definition))
        .col_expr(UpdatedAt, Expr::value(now))
        .filter(Id.eq(version_id))
        .exec(tx)
        .await
        .map(drop)
}

/// The workflow that has this name.
async fn owner_of(tx: &DatabaseTransaction, name: &str) -> Result<Option<Uuid>, DbErr> {
    workflow::Entity::find()
        .select_only()
        .column(workflow::Column::Id)
        .filter(workflow::Column::Name.eq(name))
        .into_tuple()
        .one(tx)
        .await
}

/// The first name with a number that nobody has, also none of `others`, which are about to be written. The
/// numbers are doubled until one is free, then the last taken one is approached by halves: the thousandth copy
/// looks twenty times, not a thousand.
async fn free_name(tx: &Tx<'_>, wanted: &str, others: &HashSet<String>) -> Result<String, DbErr> {
    let is_free = async |number| -> Result<bool, DbErr> {
        let name = naming::candidate(wanted, number);
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
    Ok(naming::candidate(wanted, free))
}

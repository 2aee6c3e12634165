//! The search index: tags and words of workflows, and words of versions. It is updated in the transaction that changes
//! the indexed rows.

use std::collections::BTreeSet;

use sea_orm::{ActiveModelTrait, ColumnTrait, DbErr, EntityTrait, IntoActiveModel as _, QueryFilter};
use sluice_domain::naming;
use uuid::Uuid;

use super::query::tokenize;
use crate::connection::sqlite_fast_path::Tx;
use crate::entity::{version_word, workflow, workflow_tag, workflow_version, workflow_word};

/// Rows per insert. Limited by the maximum number of parameters per statement.
const INSERT_CHUNK: usize = 1_000;

fn workflow_words(workflow: &workflow::Model) -> Vec<workflow_word::ActiveModel> {
    let description = workflow.description.as_deref().unwrap_or_default();
    tokenize([workflow.name.as_str(), description])
        .into_iter()
        .map(|word| {
            workflow_word::Model { word: word.into_bytes(), workflow_id: workflow.id }.into_active_model()
        })
        .collect()
}

fn workflow_tags(workflow: &workflow::Model) -> Vec<workflow_tag::ActiveModel> {
    let tags: Vec<String> = serde_json::from_str(&workflow.tags).unwrap_or_default();
    let normalized: BTreeSet<String> = tags.iter().map(|tag| naming::normalize_tag(tag)).collect();
    normalized
        .into_iter()
        .map(|tag| workflow_tag::Model { tag, workflow_id: workflow.id }.into_active_model())
        .collect()
}

fn version_words(version: &workflow_version::Model) -> Vec<version_word::ActiveModel> {
    let note = version.note.as_deref().unwrap_or_default();
    let description = version.description.as_deref().unwrap_or_default();
    tokenize([note, &version.name, description])
        .into_iter()
        .map(|word| {
            let (workflow_id, version) = (version.workflow_id, version.version);
            version_word::Model { workflow_id, word: word.into_bytes(), version }.into_active_model()
        })
        .collect()
}

/// Indexes new workflows.
pub(crate) async fn insert(tx: &Tx<'_>, workflows: &[workflow::Model]) -> Result<(), DbErr> {
    insert_all(tx, workflows.iter().flat_map(workflow_words).collect()).await?;
    insert_all(tx, workflows.iter().flat_map(workflow_tags).collect()).await
}

/// Updates the index entries of a changed workflow.
pub(crate) async fn replace(
    tx: &Tx<'_>,
    before: &workflow::Model,
    after: &workflow::Model,
) -> Result<(), DbErr> {
    if before.name != after.name || before.description != after.description {
        delete::<workflow_word::Entity>(tx, workflow_word::Column::WorkflowId, after.id).await?;
        insert_all(tx, workflow_words(after)).await?;
    }
    if before.tags != after.tags {
        delete::<workflow_tag::Entity>(tx, workflow_tag::Column::WorkflowId, after.id).await?;
        insert_all(tx, workflow_tags(after)).await?;
    }
    Ok(())
}

/// Inserts new versions and indexes them.
pub(crate) async fn insert_versions(
    tx: &Tx<'_>,
    versions: Vec<workflow_version::Model>,
) -> Result<(), DbErr> {
    let words = versions.iter().flat_map(version_words).collect();
    let versions = versions.into_iter().map(|version| version.into_active_model());
    tx.execute(&workflow_version::Entity::insert_many(versions)).await?;
    insert_all(tx, words).await
}

async fn insert_all<A: ActiveModelTrait>(tx: &Tx<'_>, mut models: Vec<A>) -> Result<(), DbErr> {
    while !models.is_empty() {
        let rest = models.split_off(models.len().min(INSERT_CHUNK));
        tx.execute(&A::Entity::insert_many(models)).await?;
        models = rest;
    }
    Ok(())
}

async fn delete<E: EntityTrait>(tx: &Tx<'_>, column: E::Column, id: Uuid) -> Result<(), DbErr> {
    tx.execute(&E::delete_many().filter(column.eq(id))).await
}

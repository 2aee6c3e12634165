//! What workflows and versions are found by, written: tags of workflows, and words of what is said about both.

use std::collections::BTreeSet;

use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, ConnectionTrait, DatabaseConnection, DatabaseTransaction,
    DbErr, EntityTrait, QueryFilter, QueryOrder, QueryResult, QuerySelect, QueryTrait, Set,
    TransactionTrait as _,
};
use sluice_domain::naming;
use uuid::Uuid;

use super::query::words_of;
use crate::connection::sqlite_fast_path::Tx;
use crate::entity::workflow::WorkflowRow;
use crate::entity::{version_word, workflow, workflow_tag, workflow_version, workflow_word};

/// How many rows are written in one statement: far fewer than it can take values.
const CHUNK: usize = 1_000;
/// How many workflows are made up for in one transaction.
const PIECE: u64 = 50;
/// How many of their versions are read at once.
const VERSIONS: u64 = 500;

/// What a workflow says of itself.
struct Said<'a> {
    id: Uuid,
    name: &'a str,
    description: &'a str,
    tags: &'a str,
}

impl<'a> Said<'a> {
    fn by(row: &'a WorkflowRow) -> Self {
        let description = row.description.as_deref().unwrap_or_default();
        Self { id: row.id, name: &row.name, description, tags: &row.tags }
    }

    fn words(&self) -> Vec<workflow_word::ActiveModel> {
        let model = |(word, text): (String, usize)| workflow_word::ActiveModel {
            word: Set(word.into_bytes()),
            workflow_id: Set(self.id),
            is_of_name: Set(text == 0),
        };
        words_of([self.name, self.description]).into_iter().map(model).collect()
    }

    fn tags(&self) -> Vec<workflow_tag::ActiveModel> {
        let tags: Vec<String> = serde_json::from_str(self.tags).unwrap_or_default();
        let tags: BTreeSet<String> = tags.iter().map(|tag| naming::normalize_tag(tag)).collect();
        let model = |tag| workflow_tag::ActiveModel { tag: Set(tag), workflow_id: Set(self.id) };
        tags.into_iter().map(model).collect()
    }
}

/// What is said about a version: what it was made for, and name and description of its workflow.
fn version_words(id: Uuid, version: i32, texts: [&str; 3]) -> Vec<version_word::ActiveModel> {
    let model = |word: String| version_word::ActiveModel {
        workflow_id: Set(id),
        word: Set(word.into_bytes()),
        version: Set(version),
    };
    words_of(texts).into_keys().map(model).collect()
}

/// Writes what new workflows are found by.
pub(crate) async fn insert(tx: &Tx<'_>, rows: &[WorkflowRow]) -> Result<(), DbErr> {
    insert_all(tx, rows.iter().flat_map(|row| Said::by(row).words()).collect()).await?;
    insert_all(tx, rows.iter().flat_map(|row| Said::by(row).tags()).collect()).await
}

/// Writes what a workflow is found by that was `before`, as far as it has changed.
pub(crate) async fn replace(tx: &Tx<'_>, before: &WorkflowRow, row: &WorkflowRow) -> Result<(), DbErr> {
    if (&before.name, &before.description) != (&row.name, &row.description) {
        delete::<workflow_word::Entity>(tx, workflow_word::Column::WorkflowId, row.id).await?;
        insert_all(tx, Said::by(row).words()).await?;
    }
    if before.tags != row.tags {
        delete::<workflow_tag::Entity>(tx, workflow_tag::Column::WorkflowId, row.id).await?;
        insert_all(tx, Said::by(row).tags()).await?;
    }
    Ok(())
}

/// Writes new versions, and what they are found by.
pub(crate) async fn insert_versions(
    tx: &Tx<'_>,
    versions: Vec<workflow_version::ActiveModel>,
) -> Result<(), DbErr> {
    let words = versions.iter().flat_map(|version| {
        let optional =
            |text: &ActiveValue<Option<String>>| text.try_as_ref().cloned().flatten().unwrap_or_default();
        let (note, description) = (optional(&version.note), optional(&version.description));
        let (id, number) = (version.workflow_id.try_as_ref(), version.version.try_as_ref());
        let name = version.name.try_as_ref().map(String::as_str).unwrap_or_default();
        let of = id.zip(number);
        of.map(|(id, number)| version_words(*id, *number, [&note, name, &description])).unwrap_or_default()
    });
    let words = words.collect();
    tx.execute(&workflow_version::Entity::insert_many(versions)).await?;
    insert_all(tx, words).await
}

/// Writes rows in as few statements as they fit.
async fn insert_all<A: ActiveModelTrait>(tx: &Tx<'_>, mut models: Vec<A>) -> Result<(), DbErr> {
    while !models.is_empty() {
        let rest = models.split_off(models.len().min(CHUNK));
        tx.execute(&A::Entity::insert_many(models)).await?;
        models = rest;
    }
    Ok(())
}

async fn delete<E: EntityTrait>(tx: &Tx<'_>, column: E::Column, id: Uuid) -> Result<(), DbErr> {
    tx.execute(&E::delete_many().filter(column.eq(id))).await
}

/// Writes what those workflows are found by of which the store doesn't know it yet: releases before this one saved
/// them. One piece after the other, each whole, so that a start that ends half-way is gone on with by the next. Says
/// how many there were.
pub(crate) async fn make_up(db: &DatabaseConnection) -> Result<u64, DbErr> {
    let (mut behind, mut count) = (Uuid::nil(), 0);
    loop {
        let tx = db.begin().await?;
        let found = without_words(&tx, behind).await?;
        for row in &found {
            // What can't be read isn't found, and keeps no store from being opened.
            let Ok(id) = row.try_get("", "id") else { continue };
            make_up_for(&tx, id, row).await?;
            (behind, count) = (id, count + 1);
        }
        tx.commit().await?;
        if (found.len() as u64) < PIECE {
            return Ok(count);
        }
    }
}

/// The next workflows that have no words, but for their definitions.
async fn without_words(tx: &DatabaseTransaction, behind: Uuid) -> Result<Vec<QueryResult>, DbErr> {
    use workflow::Column::{Description, Id, Name, Tags};
    let select = workflow::Entity::find()
        .select_only()
        .columns([Id, Name, Description, Tags])
        // In the words of the index that holds them.
        .filter(Expr::cust("NOT has_words"))
        .filter(Id.gt(behind))
        .order_by_asc(Id)
        .limit(PIECE)
        // Nobody renames it in between.
        .lock_exclusive();
    tx.query_all(select.as_query()).await
}

async fn make_up_for(tx: &DatabaseTransaction, id: Uuid, row: &QueryResult) -> Result<(), DbErr> {
    let orm = Tx::Orm(tx);
    delete::<workflow_word::Entity>(&orm, workflow_word::Column::WorkflowId, id).await?;
    delete::<workflow_tag::Entity>(&orm, workflow_tag::Column::WorkflowId, id).await?;
    delete::<version_word::Entity>(&orm, version_word::Column::WorkflowId, id).await?;
    let (name, description, tags) = (text(row, "name"), text(row, "description"), text(row, "tags"));
    let said = Said { id, name: &name, description: &description, tags: &tags };
    insert_all(&orm, said.words()).await?;
    insert_all(&orm, said.tags()).await?;
    make_up_for_versions(tx, id).await?;
    let done = workflow::ActiveModel { has_words: Set(true), ..Default::default() };
    orm.execute(&workflow::Entity::update_many().set(done).filter(workflow::Column::Id.eq(id))).await
}

async fn make_up_for_versions(tx: &DatabaseTransaction, id: Uuid) -> Result<(), DbErr> {
    use workflow_version::Column::{Description, Name, Note, Version, WorkflowId};
    let mut behind = i32::MIN;
    loop {
        let select = workflow_version::Entity::find()
            .select_only()
            .columns([Version, Name, Description, Note])
            .filter(WorkflowId.eq(id))
            .filter(Version.gt(behind))
            .order_by_asc(Version)
            .limit(VERSIONS);
        let found = tx.query_all(select.as_query()).await?;
        let mut words = Vec::new();
        for row in &found {
            let Ok(number) = row.try_get("", "version") else { continue };
            let texts = [text(row, "note"), text(row, "name"), text(row, "description")];
            words.extend(version_words(id, number, texts.each_ref().map(String::as_str)));
            behind = number;
        }
        insert_all(&Tx::Orm(tx), words).await?;
        if (found.len() as u64) < VERSIONS {
            return Ok(());
        }
    }
}

/// A text of a row; an empty one where there is none, or none that can be read.
fn text(row: &QueryResult, column: &str) -> String {
    row.try_get::<Option<String>>("", column).ok().flatten().unwrap_or_default()
}

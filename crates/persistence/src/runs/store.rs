//! Implements [`RunStore`] of the engine.

use async_trait::async_trait;
use rusqlite::Row;
use sea_orm::sea_query::{Expr, ExprTrait as _, SubQueryStatement};
use sea_orm::{
    ColumnTrait, ConnectionTrait as _, DbErr, EntityTrait, Iterable as _, JoinType, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait as _, SelectTwo,
};
use sluice_domain::run::Event;
use sluice_engine::{BatchCounts, Commit, CommitError, RunStore, StoreError, StoredRun, UnfinishedRun};
use uuid::Uuid;

use super::batches;
use crate::connection::sqlite_fast_path::read_entity;
use crate::database::Database;
use crate::entity::run::{DRIVEN, UNFINISHED};
use crate::entity::{run, run_log, workflow_version};
use crate::error::store_error;
use crate::query::convert;
use crate::query::pagination::PageNumber;

#[async_trait]
impl RunStore for Database {
    async fn commit(&self, commit: Commit) -> Result<(), CommitError> {
        self.writer().commit(commit).await
    }

    async fn run(&self, id: Uuid) -> Result<Option<StoredRun>, StoreError> {
        let select = select_run_with_log(id);
        // The columns of the run come first.
        let log_column = run::Column::iter().count();
        let read_row = |row: &Row<'_>| {
            Ok((read_entity::<run::Entity>(row, 0)?, read_entity::<run_log::Entity>(row, log_column)?))
        };
        if let Some(rows) = self.fast_path().and_then(|fast_path| fast_path.read(&select, read_row)) {
            return to_stored_run(rows);
        }
        let rows = self.read_pool().query_all(select.as_query()).await.map_err(store_error)?;
        let rows = rows.iter().map(|row| {
            Ok((convert::read(row, "A_", convert::RUNS)?, convert::read(row, "B_", convert::RUN_LOG)?))
        });
        to_stored_run(rows.collect::<Result<_, StoreError>>()?)
    }

    async fn log_from(&self, id: Uuid, from: u64) -> Result<Vec<Event>, StoreError> {
        let Ok(from) = i64::try_from(from) else { return Ok(Vec::new()) };
        // The row that contains event `from` may begin with an earlier event. It exists, because logs begin with event
        // 0.
        let mut event_row = run_log::Entity::find()
            .select_only()
            .column_as(run_log::Column::Seq.max(), "seq")
            .filter(run_log::Column::RunId.eq(id))
            .filter(run_log::Column::Seq.lte(from));
        let event_row = SubQueryStatement::from(QuerySelect::query(&mut event_row).take());
        let select = run_log::Entity::find()
            .filter(run_log::Column::RunId.eq(id))
            .filter(Expr::col((run_log::Entity, run_log::Column::Seq)).gte(event_row))
            .order_by_asc(run_log::Column::Seq);
        let rows = convert::find(self.read_pool(), select).await.map_err(store_error)?;
        let mut log = Vec::new();
        let mut start = None;
        for row in &rows {
            let row: run_log::Model = convert::read(row, "", convert::RUN_LOG)?;
            convert::append_events(&mut log, *start.get_or_insert(row.seq), &row)?;
        }
        let skipped = usize::try_from(from.saturating_sub(start.unwrap_or(from))).unwrap_or_default();
        Ok(log.split_off(skipped.min(log.len())))
    }

    async fn version_definition(&self, version_id: Uuid) -> Result<Option<String>, StoreError> {
        workflow_version::Entity::find_by_id(version_id)
            .select_only()
            .column(workflow_version::Column::Definition)
            .into_tuple()
            .one(self.read_pool())
            .await
            .map_err(store_error)
    }

    async fn driven_runs(&self, after: Option<Uuid>, limit: u64) -> Result<Vec<(Uuid, Uuid)>, StoreError> {
        let mut select = run::Entity::find()
            .select_only()
            .columns([run::Column::Id, run::Column::WorkflowId])
            .filter(Expr::cust(DRIVEN))
            .order_by_asc(run::Column::Id)
            .limit(PageNumber { number: 1, size: limit }.limit());
        if let Some(after) = after {
            select = select.filter(run::Column::Id.gt(after));
        }
        let backend = self.read_pool().get_database_backend();
        let statement = convert::build_with_index(&select, backend, "runs_driven");
        let rows = self.read_pool().query_all_raw(statement).await.map_err(store_error)?;
        let ids = rows.iter().map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?)));
        ids.collect::<Result<_, DbErr>>().map_err(store_error)
    }

    async fn unfinished_runs(&self, workflow_id: Uuid) -> Result<Vec<UnfinishedRun>, StoreError> {
        let runs: Vec<(Uuid, Option<i64>)> = run::Entity::find()
            .select_only()
            .columns([run::Column::Id, run::Column::BatchRow])
            .filter(run::Column::WorkflowId.eq(workflow_id))
            .filter(Expr::cust(UNFINISHED))
            .order_by_asc(run::Column::Id)
            .into_tuple()
            .all(self.read_pool())
            .await
            .map_err(store_error)?;
        Ok(runs.into_iter().map(|(id, batch_row)| UnfinishedRun { id, batch_row }).collect())
    }

    async fn batch_rows(&self, batch: Uuid, from: i64, limit: u64) -> Result<Vec<String>, StoreError> {
        batches::row_inputs(self, batch, from, limit).await
    }

    async fn batch_counts(&self, batch: Uuid) -> Result<BatchCounts, StoreError> {
        batches::count_by_status(self, batch).await
    }

    async fn unfinished_rows(&self, batch: Option<Uuid>, limit: u64) -> Result<Vec<Uuid>, StoreError> {
        batches::unfinished_rows(self, batch, limit).await
    }
}

/// Builds a query of a run with its log. One statement, so that both are consistent.
fn select_run_with_log(id: Uuid) -> SelectTwo<run::Entity, run_log::Entity> {
    let log = run::Entity::belongs_to(run_log::Entity).from(run::Column::Id).to(run_log::Column::RunId);
    run::Entity::find_by_id(id)
        .join(JoinType::LeftJoin, log.into())
        .select_also(run_log::Entity)
        .order_by_asc(run_log::Column::Seq)
}

fn to_stored_run(rows: Vec<(run::Model, run_log::Model)>) -> Result<Option<StoredRun>, StoreError> {
    let mut log = Vec::with_capacity(rows.len());
    for (_, log_row) in &rows {
        convert::append_events(&mut log, 0, log_row)?;
    }
    let run = rows.into_iter().next().map(|(run, _)| run);
    Ok(run.map(|run| StoredRun { record: run.into(), log }))
}

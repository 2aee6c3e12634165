//! What the engine asks of the store.

use async_trait::async_trait;
use sea_orm::sea_query::{Expr, ExprTrait as _, SubQueryStatement};
use sea_orm::{
    ColumnTrait, ConnectionTrait as _, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait as _,
};
use sluice_domain::run::Event;
use sluice_engine::{BatchCounts, Commit, CommitError, RunStore, StoreError, StoredRun};
use uuid::Uuid;

use super::batches;
use crate::connection::sqlite_fast_path;
use crate::database::Database;
use crate::entity::run::{DRIVEN, UNFINISHED};
use crate::entity::{run, run_log, workflow_version};
use crate::error::store_error;
use crate::query::convert;
use crate::query::pagination::Page;

#[async_trait]
impl RunStore for Database {
    async fn commit(&self, commit: Commit) -> Result<(), CommitError> {
        self.writer().commit(commit).await
    }

    async fn run(&self, id: Uuid) -> Result<Option<StoredRun>, StoreError> {
        // One statement: the record and the log are as of one moment.
        let select =
            run::Entity::find_by_id(id).find_also_related(run_log::Entity).order_by_asc(run_log::Column::Seq);
        if let Some(found) =
            self.direct().and_then(|direct| direct.read(&select, sqlite_fast_path::run_and_log))
        {
            let Some((run, _)) = found.first() else { return Ok(None) };
            let record = convert::of_run(run.clone())?;
            let mut log = Vec::with_capacity(found.len());
            for (_, row) in &found {
                convert::append(&mut log, 0, row)?;
            }
            return Ok(Some(StoredRun { record, log }));
        }
        let found = self.readers().query_all(select.as_query()).await.map_err(store_error)?;
        let Some(first) = found.first() else { return Ok(None) };
        let record = convert::record(first, "A_")?;
        let mut log = Vec::with_capacity(found.len());
        for row in &found {
            convert::append(&mut log, 0, &convert::read(row, "B_", convert::RUN_LOG)?)?;
        }
        Ok(Some(StoredRun { record, log }))
    }

    async fn log_from(&self, id: Uuid, from: u64) -> Result<Vec<Event>, StoreError> {
        let Ok(from) = i64::try_from(from) else { return Ok(Vec::new()) };
        // The row in which the event is may begin before it. A log begins at 0, so there is such a row.
        let mut row_of_event = run_log::Entity::find()
            .select_only()
            .column_as(run_log::Column::Seq.max(), "seq")
            .filter(run_log::Column::RunId.eq(id))
            .filter(run_log::Column::Seq.lte(from));
        let row_of_event = SubQueryStatement::from(QuerySelect::query(&mut row_of_event).take());
        let select = run_log::Entity::find()
            .filter(run_log::Column::RunId.eq(id))
            .filter(Expr::col((run_log::Entity, run_log::Column::Seq)).gte(row_of_event))
            .order_by_asc(run_log::Column::Seq);
        let found = convert::find(self.readers(), select).await.map_err(store_error)?;
        let mut log = Vec::new();
        let mut start = None;
        for row in &found {
            let row: run_log::Model = convert::read(row, "", convert::RUN_LOG)?;
            convert::append(&mut log, *start.get_or_insert(row.seq), &row)?;
        }
        let before = usize::try_from(from.saturating_sub(start.unwrap_or(from))).unwrap_or_default();
        Ok(log.split_off(before.min(log.len())))
    }

    async fn version_definition(&self, version_id: Uuid) -> Result<Option<String>, StoreError> {
        workflow_version::Entity::find_by_id(version_id)
            .select_only()
            .column(workflow_version::Column::Definition)
            .into_tuple()
            .one(self.readers())
            .await
            .map_err(store_error)
    }

    async fn driven_runs(&self, after: Option<Uuid>, limit: u64) -> Result<Vec<(Uuid, Uuid)>, StoreError> {
        let mut select = run::Entity::find()
            .select_only()
            .columns([run::Column::Id, run::Column::WorkflowId])
            .filter(Expr::cust(DRIVEN))
            .order_by_asc(run::Column::Id)
            .limit(Page { number: 1, size: limit }.limit());
        if let Some(after) = after {
            select = select.filter(run::Column::Id.gt(after));
        }
        let backend = self.readers().get_database_backend();
        let statement = convert::walking(&select, backend, "runs_driven");
        let found = self.readers().query_all_raw(statement).await.map_err(store_error)?;
        let ids = found.iter().map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?)));
        ids.collect::<Result<_, DbErr>>().map_err(store_error)
    }

    async fn unfinished_runs(&self, workflow_id: Uuid) -> Result<Vec<Uuid>, StoreError> {
        run::Entity::find()
            .select_only()
            .column(run::Column::Id)
            .filter(run::Column::WorkflowId.eq(workflow_id))
            .filter(Expr::cust(UNFINISHED))
            .order_by_asc(run::Column::Id)
            .into_tuple()
            .all(self.readers())
            .await
            .map_err(store_error)
    }

    async fn batch_rows(&self, batch: Uuid, from: i64, limit: u64) -> Result<Vec<String>, StoreError> {
        batches::rows(self, batch, from, limit).await
    }

    async fn batch_counts(&self, batch: Uuid) -> Result<BatchCounts, StoreError> {
        batches::counts(self, batch).await
    }

    async fn unfinished_rows(&self, batch: Option<Uuid>, limit: u64) -> Result<Vec<Uuid>, StoreError> {
        batches::unfinished(self, batch, limit).await
    }
}

//! Rows of batches, and how far they are.

use sea_orm::sea_query::{Alias, Expr, ExprTrait as _, Query, SelectStatement};
use sea_orm::{ColumnTrait, ConnectionTrait as _, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use sluice_domain::run::RunStatus;
use sluice_engine::{BatchCounts, StoreError};
use uuid::Uuid;

use crate::database::Database;
use crate::entity::run::UNFINISHED_ROWS;
use crate::entity::{batch_row, run};
use crate::error::store_error;
use crate::query::convert;

pub(crate) async fn rows(
    db: &Database,
    batch: Uuid,
    from: i64,
    limit: u64,
) -> Result<Vec<String>, StoreError> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    batch_row::Entity::find()
        .select_only()
        .column(batch_row::Column::Inputs)
        .filter(batch_row::Column::RunId.eq(batch))
        .filter(batch_row::Column::Row.gte(from))
        .order_by_asc(batch_row::Column::Row)
        .limit(limit)
        .into_tuple()
        .all(db.readers())
        .await
        .map_err(store_error)
}

pub(crate) async fn counts(db: &Database, batch: Uuid) -> Result<BatchCounts, StoreError> {
    let found: Vec<(String, i64)> = run::Entity::find()
        .select_only()
        .column(run::Column::Status)
        .column_as(run::Column::Id.count(), "count")
        .filter(run::Column::ParentRunId.eq(batch))
        .filter(run::Column::BatchRow.is_not_null())
        .group_by(run::Column::Status)
        .into_tuple()
        .all(db.readers())
        .await
        .map_err(store_error)?;
    let mut counts = BatchCounts::default();
    for (status, count) in found {
        let place = match status.parse() {
            Ok(RunStatus::Pending) => &mut counts.pending,
            Ok(RunStatus::Running) => &mut counts.running,
            Ok(RunStatus::Paused) => &mut counts.paused,
            Ok(RunStatus::Completed) => &mut counts.completed,
            Ok(RunStatus::Failed) => &mut counts.failed,
            Ok(RunStatus::Canceled) => &mut counts.canceled,
            Err(_) => continue,
        };
        *place = u64::try_from(count).unwrap_or_default();
    }
    Ok(counts)
}

pub(crate) async fn unfinished(
    db: &Database,
    batch: Option<Uuid>,
    limit: u64,
) -> Result<Vec<Uuid>, StoreError> {
    let select = run::Entity::find()
        .select_only()
        .column(run::Column::Id)
        .filter(Expr::cust(UNFINISHED_ROWS))
        .filter(match batch {
            Some(batch) => run::Column::ParentRunId.eq(batch),
            None => Expr::exists(canceled_parent()),
        })
        .limit(limit);
    let statement = convert::walking(&select, db.readers().get_database_backend(), "runs_unfinished_rows");
    let found = db.readers().query_all_raw(statement).await.map_err(store_error)?;
    found.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, DbErr>>().map_err(store_error)
}

/// The batch of a row, if it was canceled. Looked up for each row: there are few that have not ended.
fn canceled_parent() -> SelectStatement {
    let batch = Alias::new("batch");
    Query::select()
        .expr(Expr::val(1))
        .from_as(run::Entity, batch.clone())
        .and_where(
            Expr::col((batch.clone(), run::Column::Id)).equals((run::Entity, run::Column::ParentRunId)),
        )
        .and_where(Expr::col((batch, run::Column::Status)).eq(RunStatus::Canceled.as_str()))
        .take()
}

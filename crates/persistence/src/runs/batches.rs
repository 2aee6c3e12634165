//! Queries of the rows of batches.

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

/// Returns the inputs of at most `limit` rows, from row `first_row` on.
pub(crate) async fn row_inputs(
    db: &Database,
    batch_id: Uuid,
    first_row: i64,
    limit: u64,
) -> Result<Vec<String>, StoreError> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    batch_row::Entity::find()
        .select_only()
        .column(batch_row::Column::Inputs)
        .filter(batch_row::Column::RunId.eq(batch_id))
        .filter(batch_row::Column::Row.gte(first_row))
        .order_by_asc(batch_row::Column::Row)
        .limit(limit)
        .into_tuple()
        .all(db.read_pool())
        .await
        .map_err(store_error)
}

/// Counts the runs of a batch by status.
pub(crate) async fn count_by_status(db: &Database, batch_id: Uuid) -> Result<BatchCounts, StoreError> {
    let rows: Vec<(String, i64)> = run::Entity::find()
        .select_only()
        .column(run::Column::Status)
        .column_as(run::Column::Id.count(), "count")
        .filter(run::Column::ParentRunId.eq(batch_id))
        .filter(run::Column::BatchRow.is_not_null())
        .group_by(run::Column::Status)
        .into_tuple()
        .all(db.read_pool())
        .await
        .map_err(store_error)?;
    let mut counts = BatchCounts::default();
    for (status, count) in rows {
        let counter = match status.parse() {
            Ok(RunStatus::Pending) => &mut counts.pending,
            Ok(RunStatus::Running) => &mut counts.running,
            Ok(RunStatus::Paused) => &mut counts.paused,
            Ok(RunStatus::Completed) => &mut counts.completed,
            Ok(RunStatus::Failed) => &mut counts.failed,
            Ok(RunStatus::Canceled) => &mut counts.canceled,
            Err(_) => continue,
        };
        *counter = u64::try_from(count).unwrap_or_default();
    }
    Ok(counts)
}

/// Returns the run ids of at most `limit` unfinished rows of a batch, or of all canceled batches.
pub(crate) async fn unfinished_rows(
    db: &Database,
    batch_id: Option<Uuid>,
    limit: u64,
) -> Result<Vec<Uuid>, StoreError> {
    let select = run::Entity::find()
        .select_only()
        .column(run::Column::Id)
        .filter(Expr::cust(UNFINISHED_ROWS))
        .filter(match batch_id {
            Some(batch_id) => run::Column::ParentRunId.eq(batch_id),
            None => Expr::exists(canceled_parent()),
        })
        .limit(limit);
    let backend = db.read_pool().get_database_backend();
    let statement = convert::build_with_index(&select, backend, "runs_unfinished_rows");
    let rows = db.read_pool().query_all_raw(statement).await.map_err(store_error)?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, DbErr>>().map_err(store_error)
}

/// Builds a subquery for the batch of a row, if it was canceled. It runs for each unfinished row, and those are few.
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

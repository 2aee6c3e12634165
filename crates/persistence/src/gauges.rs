//! Registers the metrics, and updates the gauges that are read from the database.

use std::time::Duration;

use prometheus_client::registry::Registry;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use sluice_engine::StoreError;
use tokio::time::timeout;

use crate::database::Database;
use crate::entity::run::{UNFINISHED, WITH_OPEN_PAUSE};
use crate::entity::{pause_event, run};
use crate::error::store_error;
use crate::metrics::Metrics;

/// SQL for the number of opened pauses minus decided ones. The JSON of an event begins with its type.
const OPEN_PAUSES: &str = r#"COALESCE(SUM(CASE WHEN event LIKE '{"type":"opened"%' THEN 1 ELSE -1 END), 0)"#;
/// Statuses of unfinished runs, and their labels.
const STATUSES: [(&str, &str); 3] = [("PENDING", "pending"), ("RUNNING", "running"), ("PAUSED", "paused")];
/// Timeout for all queries together.
const QUERY_TIMEOUT: Duration = Duration::from_secs(5);

impl Database {
    /// Registers the metrics of the database.
    pub fn register_metrics(&self, registry: &mut Registry) {
        let Metrics { writer, queue, up, runs, pauses } = self.metrics();
        registry.register("sluice_commit_batch_size", "Changes per transaction", writer.batch_size.clone());
        registry.register("sluice_commit_seconds", "Duration of a transaction", writer.seconds.clone());
        let failures = "Transactions that failed because the database was unavailable or full";
        registry.register("sluice_commit_failures", failures, writer.failures.clone());
        registry.register("sluice_writer_queue_length", "Changes in the queue of the writer", queue.clone());
        registry.register("sluice_database_up", "1 if the database is available, otherwise 0", up.clone());
        registry.register("sluice_runs", "Unfinished runs, by status", runs.clone());
        registry.register("sluice_pauses_open", "Open pauses", pauses.clone());
    }

    /// Updates the gauges from the database.
    pub async fn update_gauges(&self) {
        let metrics = self.metrics();
        metrics.queue.set(i64::try_from(self.writer().queue_length()).unwrap_or(i64::MAX));
        let queries =
            timeout(QUERY_TIMEOUT, async { tokio::try_join!(self.runs_by_status(), self.open_pauses()) });
        let counts = queries.await.ok().and_then(Result::ok);
        metrics.up.set(i64::from(counts.is_some()));
        let Some((runs, pauses)) = counts else {
            metrics.runs.clear();
            metrics.pauses.clear();
            return;
        };
        for (status, label) in STATUSES {
            let count = runs.iter().find(|(name, _)| name == status).map_or(0, |(_, count)| *count);
            metrics.runs.get_or_create(&[("status", label)]).set(count);
        }
        metrics.pauses.get_or_create(&[]).set(pauses);
    }

    async fn runs_by_status(&self) -> Result<Vec<(String, i64)>, StoreError> {
        run::Entity::find()
            .select_only()
            .column(run::Column::Status)
            .column_as(Expr::cust("COUNT(*)"), "count")
            .filter(Expr::cust(UNFINISHED))
            .group_by(Expr::cust("status"))
            .into_tuple()
            .all(self.read_pool())
            .await
            .map_err(store_error)
    }

    async fn open_pauses(&self) -> Result<i64, StoreError> {
        let mut paused =
            run::Entity::find().select_only().column(run::Column::Id).filter(Expr::cust(WITH_OPEN_PAUSE));
        let count: Option<i64> = pause_event::Entity::find()
            .select_only()
            .column_as(Expr::cust(OPEN_PAUSES), "open")
            .filter(pause_event::Column::RunId.in_subquery(QuerySelect::query(&mut paused).take()))
            .into_tuple()
            .one(self.read_pool())
            .await
            .map_err(store_error)?;
        Ok(count.unwrap_or(0))
    }
}

//! The gauges of the store, which are read from it.

use crate::database::Database;
use crate::entity::run::{UNFINISHED, WITH_OPEN_PAUSE};
use crate::entity::{pause_event, run};
use crate::error::store_error;
use crate::metrics::Metrics;
use prometheus_client::registry::Registry;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use sluice_engine::StoreError;
use std::time::Duration;
use tokio::time::timeout;

/// Opened pauses minus decided pauses. An event begins with its type.
const OPEN_PAUSES: &str = r#"COALESCE(SUM(CASE WHEN event LIKE '{"type":"opened"%' THEN 1 ELSE -1 END), 0)"#;

/// The states of runs that have not ended, as they are labelled.
const STATES: [(&str, &str); 3] = [("PENDING", "pending"), ("RUNNING", "running"), ("PAUSED", "paused")];

/// How long the store may take to say how many there are.
const PATIENCE: Duration = Duration::from_secs(5);

impl Database {
    /// Adds the numbers of the store.
    pub fn register_metrics(&self, registry: &mut Registry) {
        let Metrics { writer, queue, up, runs, pauses } = self.metrics();
        let sizes = "Changes that were written in one transaction";
        registry.register("sluice_commit_batch_size", sizes, writer.batch_size.clone());
        let seconds = "How long it took to write them and to make them durable";
        registry.register("sluice_commit_seconds", seconds, writer.seconds.clone());
        let failures = "Transactions that failed because the store was away or full";
        registry.register("sluice_commit_failures", failures, writer.failures.clone());
        registry.register("sluice_writer_queue_length", "Changes that wait to be written", queue.clone());
        registry.register("sluice_store_up", "Whether the store answers", up.clone());
        registry.register("sluice_runs", "Runs that have not ended, by status", runs.clone());
        registry.register("sluice_pauses_open", "Pauses that nobody has decided", pauses.clone());
    }

    /// Brings the numbers to where they are that nobody keeps up: asks the store.
    pub async fn look_at_runs(&self) {
        let metrics = self.metrics();
        metrics.queue.set(i64::try_from(self.writer().queued()).unwrap_or(i64::MAX));
        let counted =
            timeout(PATIENCE, async { tokio::try_join!(self.runs_by_status(), self.open_pauses()) });
        let counted = counted.await.ok().and_then(Result::ok);
        metrics.up.set(i64::from(counted.is_some()));
        let Some((runs, pauses)) = counted else {
            metrics.runs.clear();
            metrics.pauses.clear();
            return;
        };
        for (state, label) in STATES {
            let count = runs.iter().find(|(status, _)| status == state).map_or(0, |(_, count)| *count);
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
            .all(self.readers())
            .await
            .map_err(store_error)
    }

    async fn open_pauses(&self) -> Result<i64, StoreError> {
        let mut held =
            run::Entity::find().select_only().column(run::Column::Id).filter(Expr::cust(WITH_OPEN_PAUSE));
        let open: Option<i64> = pause_event::Entity::find()
            .select_only()
            .column_as(Expr::cust(OPEN_PAUSES), "open")
            .filter(pause_event::Column::RunId.in_subquery(QuerySelect::query(&mut held).take()))
            .into_tuple()
            .one(self.readers())
            .await
            .map_err(store_error)?;
        // Pauses of before the table was there have only been settled in it.
        Ok(open.unwrap_or(0).max(0))
    }
}

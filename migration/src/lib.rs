//! The schema of the store, step by step. `README.md` has the rules for adding a step.

use sea_orm_migration::prelude::*;

pub use sea_orm_migration as migration;

mod m20261123_000001_workflows_and_runs;
mod m20261124_000002_pause_events;
mod m20261124_000003_probes;
mod m20261124_000004_batches;
mod m20261124_000005_unfinished_rows;
mod m20261125_000006_batch_counts;
mod m20261125_000007_labels;
mod m20261125_000008_lists;
mod m20261125_000009_idempotency_keys;
mod m20261125_000010_words;
mod m20261125_000011_keys;
mod m20261125_000012_audit;

/// All steps, in the order in which they are taken.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261123_000001_workflows_and_runs::Migration),
            Box::new(m20261124_000002_pause_events::Migration),
            Box::new(m20261124_000003_probes::Migration),
            Box::new(m20261124_000004_batches::Migration),
            Box::new(m20261124_000005_unfinished_rows::Migration),
            Box::new(m20261125_000006_batch_counts::Migration),
            Box::new(m20261125_000007_labels::Migration),
            Box::new(m20261125_000008_lists::Migration),
            Box::new(m20261125_000009_idempotency_keys::Migration),
            Box::new(m20261125_000010_words::Migration),
            Box::new(m20261125_000011_keys::Migration),
            Box::new(m20261125_000012_audit::Migration),
        ]
    }
}

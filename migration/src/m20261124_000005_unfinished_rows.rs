//! An index for the rows of batches that have not ended: every start of a server asks for some of them.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum Runs {
    Table,
    ParentRunId,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    #[expect(elided_lifetimes_in_paths, reason = "the trait writes it so, and async_trait compares")]
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let unfinished = "batch_row IS NOT NULL AND status IN ('PENDING', 'RUNNING', 'PAUSED')";
        let index = Index::create()
            .name("runs_unfinished_rows")
            .table(Runs::Table)
            .col(Runs::ParentRunId)
            .cond_where(Expr::cust(unfinished))
            .take();
        manager.create_index(index).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

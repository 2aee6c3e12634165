//! An index that counts the rows of a batch by their status: every row that ends asks for it.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum Runs {
    Table,
    ParentRunId,
    Status,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    #[expect(elided_lifetimes_in_paths, reason = "the trait writes it so, and async_trait compares")]
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let index = Index::create()
            .name("runs_batch_status")
            .table(Runs::Table)
            .col(Runs::ParentRunId)
            .col(Runs::Status)
            .cond_where(Expr::cust("batch_row IS NOT NULL"))
            .take();
        manager.create_index(index).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

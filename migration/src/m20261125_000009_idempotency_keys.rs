//! What clients that ask again with the same key are told.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum IdempotencyKeys {
    Table,
    Key,
    RequestHash,
    RunId,
    Answer,
    CreatedAt,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    #[expect(elided_lifetimes_in_paths, reason = "the trait writes it so, and async_trait compares")]
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(IdempotencyKeys::Table)
            .col(ColumnDef::new(IdempotencyKeys::Key).text().not_null().primary_key())
            .col(ColumnDef::new(IdempotencyKeys::RequestHash).text().not_null())
            .col(ColumnDef::new(IdempotencyKeys::RunId).uuid())
            .col(ColumnDef::new(IdempotencyKeys::Answer).text())
            .col(ColumnDef::new(IdempotencyKeys::CreatedAt).timestamp_with_time_zone().not_null())
            .take();
        manager.create_table(table).await?;
        let by_age = Index::create()
            .name("idempotency_keys_by_age")
            .table(IdempotencyKeys::Table)
            .col(IdempotencyKeys::CreatedAt)
            .take();
        manager.create_index(by_age).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

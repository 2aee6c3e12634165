//! API keys.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum ApiKeys {
    Table,
    Id,
    Name,
    SecretHash,
    Scopes,
    ForOthers,
    CreatedAt,
    ExpiresAt,
    RevokedAt,
    LastUsedAt,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    #[expect(elided_lifetimes_in_paths, reason = "the trait writes it so, and async_trait compares")]
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(ApiKeys::Table)
            .col(ColumnDef::new(ApiKeys::Id).text().not_null().primary_key())
            .col(ColumnDef::new(ApiKeys::Name).text().not_null().unique_key())
            .col(ColumnDef::new(ApiKeys::SecretHash).text().not_null())
            .col(ColumnDef::new(ApiKeys::Scopes).text().not_null())
            .col(ColumnDef::new(ApiKeys::ForOthers).boolean().not_null())
            .col(ColumnDef::new(ApiKeys::CreatedAt).timestamp_with_time_zone().not_null())
            .col(ColumnDef::new(ApiKeys::ExpiresAt).timestamp_with_time_zone())
            .col(ColumnDef::new(ApiKeys::RevokedAt).timestamp_with_time_zone())
            .col(ColumnDef::new(ApiKeys::LastUsedAt).timestamp_with_time_zone())
            .take();
        manager.create_table(table).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

//! Pauses that were opened and decided, over all runs, in the order of their commits.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum PauseEvents {
    Table,
    Id,
    RunId,
    Event,
}

#[derive(DeriveIden)]
enum Runs {
    Table,
    Id,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    #[expect(elided_lifetimes_in_paths, reason = "the trait writes it so, and async_trait compares")]
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(PauseEvents::Table)
            .col(ColumnDef::new(PauseEvents::Id).big_integer().not_null().auto_increment().primary_key())
            .col(ColumnDef::new(PauseEvents::RunId).uuid().not_null())
            .col(ColumnDef::new(PauseEvents::Event).text().not_null())
            .foreign_key(
                ForeignKey::create()
                    .name("fk_pause_events_run")
                    .from(PauseEvents::Table, PauseEvents::RunId)
                    .to(Runs::Table, Runs::Id)
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .take();
        manager.create_table(table).await?;
        // So that deleting a run doesn't look at every pause.
        let index = Index::create()
            .name("pause_events_of_run")
            .table(PauseEvents::Table)
            .col(PauseEvents::RunId)
            .take();
        manager.create_index(index).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

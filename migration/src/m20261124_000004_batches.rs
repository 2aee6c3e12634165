//! Datasets, and runs with a row of a batch each.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum Datasets {
    Table,
    Id,
    Name,
    Description,
    Filename,
    Rows,
    IsText,
    CreatedAt,
}

#[derive(DeriveIden)]
enum DatasetRows {
    Table,
    DatasetId,
    Row,
    Fields,
}

#[derive(DeriveIden)]
enum BatchRows {
    Table,
    RunId,
    Row,
    Inputs,
}

#[derive(DeriveIden)]
enum Runs {
    Table,
    Id,
    ParentRunId,
    BatchRow,
    DatasetId,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    #[expect(elided_lifetimes_in_paths, reason = "the trait writes it so, and async_trait compares")]
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [datasets(), dataset_rows(), batch_rows()] {
            manager.create_table(table).await?;
        }
        // One column a statement: SQLite takes no more.
        for column in [
            ColumnDef::new(Runs::BatchRow).big_integer().take(),
            // The dataset may be deleted: no foreign key.
            ColumnDef::new(Runs::DatasetId).uuid().take(),
        ] {
            let mut column = column;
            let add = Table::alter().table(Runs::Table).add_column(&mut column).take();
            manager.alter_table(add).await?;
        }
        let rows = Index::create()
            .name("runs_of_batch")
            .table(Runs::Table)
            .col(Runs::ParentRunId)
            .col(Runs::BatchRow)
            .unique()
            .cond_where(Expr::cust("batch_row IS NOT NULL"))
            .take();
        manager.create_index(rows).await?;
        let of_dataset = Index::create()
            .name("runs_of_dataset")
            .table(Runs::Table)
            .col(Runs::DatasetId)
            .col(Runs::Id)
            .cond_where(Expr::cust("dataset_id IS NOT NULL"))
            .take();
        manager.create_index(of_dataset).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

fn datasets() -> TableCreateStatement {
    Table::create()
        .table(Datasets::Table)
        .col(ColumnDef::new(Datasets::Id).uuid().not_null().primary_key())
        .col(ColumnDef::new(Datasets::Name).text().not_null())
        .col(ColumnDef::new(Datasets::Description).text())
        .col(ColumnDef::new(Datasets::Filename).text().not_null())
        .col(ColumnDef::new(Datasets::Rows).big_integer().not_null())
        .col(ColumnDef::new(Datasets::IsText).boolean().not_null())
        .col(ColumnDef::new(Datasets::CreatedAt).timestamp_with_time_zone().not_null())
        .take()
}

fn dataset_rows() -> TableCreateStatement {
    Table::create()
        .table(DatasetRows::Table)
        .col(ColumnDef::new(DatasetRows::DatasetId).uuid().not_null())
        .col(ColumnDef::new(DatasetRows::Row).big_integer().not_null())
        .col(ColumnDef::new(DatasetRows::Fields).text().not_null())
        .primary_key(Index::create().col(DatasetRows::DatasetId).col(DatasetRows::Row))
        .foreign_key(
            ForeignKey::create()
                .name("fk_dataset_rows_dataset")
                .from(DatasetRows::Table, DatasetRows::DatasetId)
                .to(Datasets::Table, Datasets::Id)
                .on_delete(ForeignKeyAction::Cascade),
        )
        .take()
}

fn batch_rows() -> TableCreateStatement {
    Table::create()
        .table(BatchRows::Table)
        .col(ColumnDef::new(BatchRows::RunId).uuid().not_null())
        .col(ColumnDef::new(BatchRows::Row).big_integer().not_null())
        .col(ColumnDef::new(BatchRows::Inputs).text().not_null())
        .primary_key(Index::create().col(BatchRows::RunId).col(BatchRows::Row))
        .foreign_key(
            ForeignKey::create()
                .name("fk_batch_rows_run")
                .from(BatchRows::Table, BatchRows::RunId)
                .to(Runs::Table, Runs::Id)
                .on_delete(ForeignKeyAction::Cascade),
        )
        .take()
}
